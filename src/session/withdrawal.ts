// What the key gate takes back in mid-session: a key, its secrets up to a generation, or one client certificate of it;
// whom that concerns, and what they are told. pure.
import { RefusedError } from '../errors.ts';
import type { WithdrawalReason } from '../keys/key-gate.ts';
import type { KeyId } from '../ops/names.ts';

export interface Withdrawal {
  readonly keyId: KeyId;
  readonly why: WithdrawalReason;
  /** Sessions of this generation and of older ones; Infinity = all. */
  readonly upTo: number;
  /** Serial number: only sessions that showed this certificate. */
  readonly certificate: string | undefined;
}

/** With what a session was let in. */
interface Admitted {
  readonly keyId: KeyId;
  readonly generation: number;
  readonly certificate: string | undefined;
}

export function concerns({ keyId, upTo, certificate }: Withdrawal, session: Admitted): boolean {
  if (session.keyId !== keyId || session.generation > upTo) return false;
  return certificate === undefined || certificate === session.certificate;
}

export function withdrawalRefusal({ why, certificate }: Withdrawal): RefusedError {
  const what = certificate === undefined ? 'stream key' : 'client certificate';
  const words = {
    revoked: 'was revoked',
    disabled: 'was disabled',
    expired: 'has expired',
    rotated: 'has expired: it was replaced by a new one',
  } as const;
  return new RefusedError('KEY_WITHDRAWN', `The ${what} of this session ${words[why]}.`);
}
