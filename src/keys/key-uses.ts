// Who uses which secret of a key, from where and until when, and who is told when that ends. Marks of use are
// written a little later: the verdict does not wait, and an encoder that reconnects in a loop costs one write.
import { addressGroup } from '../ops/address.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId } from '../ops/names.ts';
import type { KeyUse } from './key-rule.ts';
import type { KeyStore } from './key-store.ts';
import { keysLimits } from './keys-limits.ts';

/** `rotated`: the key has a newer secret, and the grace of the old one is over. */
export type WithdrawalReason = 'revoked' | 'disabled' | 'expired' | 'rotated';

/**
 * `upTo`: sessions whose verdict had this generation or an older one; Infinity means all of the key. `certificate`: of
 * these only the ones that showed the client certificate with that serial number.
 */
export type WithdrawalListener = (
  keyId: KeyId,
  why: WithdrawalReason,
  upTo: number,
  certificate?: string,
) => void;

interface Ending {
  readonly id: KeyId;
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const touchDelayMs = 100;

export interface KeyUsesOptions {
  readonly keyStore: Pick<KeyStore, 'touch'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class KeyUses {
  readonly #keyStore: Pick<KeyStore, 'touch'>;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Not written down yet, by key and generation. */
  readonly #waiting = new Map<
    string,
    { readonly id: KeyId; readonly generation: number; readonly use: KeyUse }
  >();
  /** The address group that each key was last used from. */
  readonly #from = new Map<KeyId, string>();
  /** Secrets that sessions may hold and that end some day, by key and generation. */
  readonly #endings = new Map<string, Ending>();
  readonly #listeners = new Set<WithdrawalListener>();
  #cancelFlush: CancelTimer | undefined;

  constructor({ keyStore, clock, log }: KeyUsesOptions) {
    this.#keyStore = keyStore;
    this.#clock = clock;
    this.#log = log;
  }

  note(id: KeyId, generation: number, { address, encoder, door }: Omit<KeyUse, 'at'>): void {
    const use = { at: this.#clock.now(), address, encoder: encoder.slice(0, keysLimits.encoderLength), door };
    this.#from.set(id, addressGroup(address));
    this.#waiting.set(`${id} ${generation}`, { id, generation, use });
    this.#cancelFlush ??= this.#clock.after(touchDelayMs, () => void this.#flush());
  }

  /** What the database knows of a key that was not used since. */
  recall(id: KeyId, lastUse: KeyUse | undefined): void {
    if (lastUse !== undefined) this.#from.set(id, addressGroup(lastUse.address));
  }

  forget(id: KeyId): void {
    this.#from.delete(id);
  }

  /** Whether the key was last used from there, or from its neighbourhood. */
  isLastFrom(id: KeyId, address: string): boolean {
    return this.#from.get(id) === addressGroup(address);
  }

  /** The keys that were last used from there. */
  *lastFrom(address: string): Generator<KeyId> {
    const group = addressGroup(address);
    for (const [id, from] of this.#from) if (from === group) yield id;
  }

  /** Sessions with that secret must end then. `until` in milliseconds since the epoch. */
  endAt(id: KeyId, generation: number, until: number): void {
    this.#endings.set(`${id} ${generation}`, { id, generation, until });
  }

  endedBy(now: number): readonly Ending[] {
    return [...this.#endings.values()].filter(({ until }) => until <= now);
  }

  withdraw(id: KeyId, why: WithdrawalReason, upTo: number, certificate?: string): void {
    if (certificate === undefined) {
      for (const [name, ending] of this.#endings) {
        if (ending.id === id && ending.generation <= upTo) this.#endings.delete(name);
      }
    }
    for (const listener of this.#listeners) listener(id, why, upTo, certificate);
  }

  /** Returns how to stop listening. */
  onWithdrawn(listener: WithdrawalListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#cancelFlush?.();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#cancelFlush = undefined;
    const uses = [...this.#waiting.values()];
    this.#waiting.clear();
    try {
      for (const { id, generation, use } of uses) await this.#keyStore.touch(id, use, generation);
    } catch (error) {
      this.#log.warn('key-use.lost', { reason: String(error) });
    }
  }
}
