// Signing in with a stream's name and a key as password: makes challenges, and finds the key that an answer proves.
// A challenge is signed, not remembered, so nobody can crowd out those of others. WIRE 6. Leaves out the judging of
// the key, which is done when it is used, and the counting of guesses (key-gate.ts).
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Secret } from '../bytes/secret.ts';
import type { Clock } from '../ops/clock.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import type { Random } from '../ops/random.ts';
import type { KeySecret, StreamKey } from './key-rule.ts';
import { keysLimits } from './keys-limits.ts';
import type { SecretHasher } from './secret-hasher.ts';
import {
  adobeResponse,
  llnwResponse,
  openVerifier,
  saltOf,
  sealVerifiers,
  type SignInUser,
  spellingsOf,
} from './sign-in-verifier.ts';

export interface SignInRequest {
  readonly method: 'adobe' | 'llnw';
  /** As sent: the stream with or without its application, or the key's id. Untrusted text: not for logs. */
  readonly user: string;
  /** Application name, as in AccessRequest. */
  readonly app: string;
  /** The application as the client may have hashed it. */
  readonly apps: readonly string[];
  /** Undefined: the client asks for a challenge. */
  readonly answer: Readonly<Record<'nonce' | 'clientNonce' | 'count' | 'response', string>> | undefined;
  readonly address: string;
  readonly door: string;
  readonly encoder: string;
}

/** Whose password was shown. What it opens is asked of the gate when something is to be opened. */
export interface SignedIn {
  readonly keyId: KeyId;
  readonly generation: number;
}

export interface SignInChallenge {
  readonly salt: string;
  readonly nonce: string;
}

export type SignInRefusal = 'unknown-user' | 'wrong-secret' | 'verifier-missing' | 'stale-challenge';

export type SignInFinding =
  | { readonly outcome: 'proven'; readonly key: StreamKey; readonly generation: number }
  | { readonly outcome: SignInRefusal; readonly key?: StreamKey };

type Answered = SignInRequest & { readonly answer: NonNullable<SignInRequest['answer']> };

export class SignInDesk {
  readonly #hasher: SecretHasher;
  readonly #random: Random;
  readonly #clock: Clock;
  /** Challenges of another run of this server are stale. */
  readonly #signingKey: Uint8Array;
  /** Nonces whose answer was right, until they would be stale anyhow: another answer to them is a replay. */
  readonly #spent = new Map<string, number>();
  readonly #nobody: SignInUser & { readonly sealed: string };

  constructor(options: { readonly hasher: SecretHasher; readonly random: Random; readonly clock: Clock }) {
    this.#hasher = options.hasher;
    this.#random = options.random;
    this.#clock = options.clock;
    this.#signingKey = this.#random.bytes(32);
    const nobody = { id: '00000000', stream: 'no/body' as StreamName };
    const password = new Secret(Buffer.from(this.#random.bytes(32)).toString('hex'));
    const sealed = sealVerifiers(this.#hasher, (length) => this.#random.bytes(length), nobody, password);
    this.#nobody = { ...nobody, sealed };
  }

  /** The same for whoever exists and whoever does not. */
  challenge({ user, address }: SignInRequest): SignInChallenge {
    const time = Math.floor(this.#clock.monotonic()).toString(16).padStart(timeLength, '0');
    const unsigned = time + Buffer.from(this.#random.bytes(6)).toString('hex');
    return { salt: saltOf(this.#hasher, user), nonce: unsigned + this.#sign(unsigned, user, address) };
  }

  /** Which of these keys the answer proves. A right answer is taken once. */
  compare(request: Answered, keys: Iterable<StreamKey>): SignInFinding {
    const { answer, user, address } = request;
    const now = this.#clock.monotonic();
    if (!this.#isFresh(answer.nonce, user, address, now)) return { outcome: 'stale-challenge' };
    const owners = [...keys].filter((key) => isUser(key, request));
    // Who does not exist costs the work of who does.
    if (owners.length === 0) this.#proves(this.#nobody, this.#nobody.sealed, request);
    for (const key of owners) {
      for (const [generation, secret] of secretsOf(key)) {
        if (secret.verifiers === undefined || !this.#proves(key, secret.verifiers, request)) continue;
        this.#spend(answer.nonce, now);
        return { outcome: 'proven', key, generation };
      }
    }
    const [key] = owners;
    if (key === undefined) return { outcome: 'unknown-user' };
    const blind = owners.find(({ verifiers }) => verifiers === undefined);
    return blind === undefined
      ? { outcome: 'wrong-secret', key }
      : { outcome: 'verifier-missing', key: blind };
  }

  #proves(owner: SignInUser, sealed: string, { method, user, apps, answer }: Answered): boolean {
    const verifier = openVerifier(this.#hasher, owner, sealed, user);
    if (verifier === undefined) return false;
    const { nonce, clientNonce, count, response } = answer;
    const expected =
      method === 'adobe'
        ? [adobeResponse(verifier, nonce, clientNonce)]
        : apps.map((app) => llnwResponse(verifier, { nonce, clientNonce, count, app }));
    return expected.some((one) => isEqual(one, response));
  }

  #isFresh(nonce: string, user: string, address: string, now: number): boolean {
    const unsigned = nonce.slice(0, -signatureLength);
    if (!isEqual(this.#sign(unsigned, user, address), nonce.slice(-signatureLength))) return false;
    const age = now - Number.parseInt(unsigned.slice(0, timeLength), 16);
    return age <= keysLimits.challengeTime && !this.#spent.has(nonce);
  }

  #spend(nonce: string, now: number): void {
    for (const [spent, until] of this.#spent) if (until <= now) this.#spent.delete(spent);
    this.#spent.set(nonce, now + keysLimits.challengeTime + 1);
  }

  #sign(unsigned: string, user: string, address: string): string {
    return createHmac('sha256', this.#signingKey)
      .update(`${unsigned}\0${user}\0${address}`)
      .digest('hex')
      .slice(0, signatureLength);
  }
}

/** Hex digits: FFmpeg takes no more than 255 characters of the whole answer. */
const signatureLength = 20;
/** Hex digits of milliseconds, for centuries. */
const timeLength = 12;

/** A stream may have several keys: whose password it is, the answer tells. */
function isUser({ id, stream }: StreamKey, { user, app }: SignInRequest): boolean {
  const [name, whole] = spellingsOf({ id, stream });
  if (user === id || user === whole) return true;
  return user === name && (stream === `${app}/${name}` || stream === app);
}

function* secretsOf(key: StreamKey): Generator<readonly [generation: number, KeySecret]> {
  yield [key.generation, key];
  if (key.previous !== undefined) yield [key.generation - 1, key.previous];
}

function isEqual(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
