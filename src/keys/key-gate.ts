// THE gate: the only place where a request meets a key. The secret stops here; what goes on is a verdict with
// the public names of stream and key. Order and equal work of the checks: SECURITY 3 "Check" and "Guessing".
import type { CancelTimer, Clock } from '../ops/clock.ts';
import { addressGroup } from '../ops/address.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId } from '../ops/names.ts';
import { anySubject } from '../store/change-feed.ts';
import type { Store } from '../store/store.ts';
import { GuessLimiter } from './guess-limiter.ts';
import {
  judge,
  type AccessRequest,
  type Credential,
  type KeyUse,
  type StreamKey,
  type Verdict,
} from './key-rule.ts';
import { keyTopic, openKeyStore, type KeyStore } from './key-store.ts';
import { keysLimits } from './keys-limits.ts';
import type { SecretHasher } from './secret-hasher.ts';
import { parseKey, type ParsedKey } from './stream-key-format.ts';

export type { AccessRequest } from './key-rule.ts';

export type WithdrawalReason = 'revoked' | 'disabled' | 'expired';

export interface KeyGate {
  /**
   * Decides by what is committed when it is called, by whatever process. Throws ResourceError STORE_FAILED when
   * the database does not answer: nobody gets in then.
   */
  check(request: AccessRequest): Promise<Verdict>;
  /** Tells within 1 s that live sessions of a key must end. Returns how to stop listening. */
  onWithdrawn(listener: (keyId: KeyId, why: WithdrawalReason) => void): () => void;
  /** Writes the last marks of use; call it before the store is closed. */
  close(): Promise<void>;
}

export interface KeyGateOptions {
  readonly store: Store;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What the peer hears, whatever the reason: the true one would tell a guesser how far the guess led. At most 255
 * bytes, which is as much as ffmpeg shows.
 */
export const refusalDescription =
  'This stream key was not accepted. Check that server address, application, stream name and key are exactly as ' +
  'given to you; if they are, ask the operator, whose log names the reason (such as expired, revoked, or needs ' +
  'rtmps).';

/** How often expiry is looked at. */
const tickMs = 500;
const touchDelayMs = 100;

export async function openKeyGate(options: KeyGateOptions): Promise<KeyGate> {
  const gate = new StoreKeyGate(options);
  await gate.open();
  return gate;
}

// All keys are held in memory. So an unknown id costs exactly what a known one does, and the time of an answer
// does not tell which ids exist.
class StoreKeyGate implements KeyGate {
  readonly #store: Store;
  readonly #keyStore: KeyStore;
  readonly #hasher: SecretHasher;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limiter: GuessLimiter;
  readonly #listeners = new Set<(keyId: KeyId, why: WithdrawalReason) => void>();
  readonly #uses = new Map<KeyId, KeyUse>();
  /** Granted keys that expire. */
  readonly #expiring = new Map<KeyId, number>();
  readonly #cancels: CancelTimer[] = [];
  readonly #keys = new Map<string, StreamKey>();
  /** Subjects of the change feed that were not read anew yet. */
  readonly #stale = new Set<string>([anySubject]);
  #reading: Promise<void> | undefined;
  #cancelFlush: CancelTimer | undefined;

  constructor({ store, hasher, clock, log }: KeyGateOptions) {
    this.#store = store;
    this.#keyStore = openKeyStore(store);
    this.#hasher = hasher;
    this.#clock = clock;
    this.#log = log;
    this.#limiter = new GuessLimiter(clock);
  }

  async open(): Promise<void> {
    this.#cancels.push(
      this.#store.changes.on(keyTopic, (subject) => {
        this.#stale.add(subject);
        void this.#refreshOrSay();
      }),
      this.#clock.every(tickMs, () => this.#tick()),
    );
    await this.#refresh();
  }

  async check(request: AccessRequest): Promise<Verdict> {
    const parsed = parseKey('psk', request.key ?? request.name);
    if (typeof parsed === 'string') return this.#refuseMalformed(parsed, request);

    await this.#store.changes.catchUp();
    await this.#refresh();
    const key = this.#keys.get(parsed.id);
    const credential = this.#compare(parsed, key);
    const verdict = judge(credential, request, this.#clock.now());
    const guessed = credential.outcome !== 'matched';
    if (
      this.#limiter.isLockedOut(request.address) &&
      (guessed || !usedFrom(credential.key, request.address))
    ) {
      return { granted: false, reason: 'too-many-attempts', ...(key && { keyId: key.id }) };
    }
    if (guessed) this.#countFailure(request.address, 1);
    if (verdict.granted) this.#noteUse(verdict.keyId, verdict.until, request);
    return verdict;
  }

  onWithdrawn(listener: (keyId: KeyId, why: WithdrawalReason) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#cancelFlush?.();
    this.#listeners.clear();
    await this.#flushUses();
  }

  #refuseMalformed(reason: 'not-a-key' | 'mistyped', request: AccessRequest): Verdict {
    if (this.#limiter.isLockedOut(request.address)) return { granted: false, reason: 'too-many-attempts' };
    this.#countFailure(request.address, keysLimits.malformedWeight);
    return judge({ outcome: reason }, request, this.#clock.now());
  }

  #compare({ secret }: ParsedKey, key: StreamKey | undefined): Credential {
    const matches = this.#hasher.matches(secret, key);
    if (key === undefined) return { outcome: 'unknown-key' };
    if (!matches && key.pepperVersion !== this.#hasher.pepperVersion) {
      this.#log.error('pepper.mismatched', {
        key: key.id,
        hint: 'The key was made with another pepper file; restore the one that belongs to this database.',
      });
    }
    return { outcome: matches ? 'matched' : 'wrong-secret', key };
  }

  #countFailure(address: string, weight: number): void {
    const lockout = this.#limiter.fail(address, weight);
    if (lockout === undefined) return;
    this.#log.warn('address.locked-out', { address: addressGroup(address), seconds: lockout / 1000 });
  }

  // Written a little later: the verdict does not wait, and an encoder that reconnects in a loop costs one write.
  #noteUse(id: KeyId, until: number | undefined, { address, encoder, door }: AccessRequest): void {
    const use = { at: this.#clock.now(), address, encoder: encoder.slice(0, keysLimits.encoderLength), door };
    const key = this.#keys.get(id);
    if (key !== undefined) this.#keys.set(id, { ...key, lastUse: use });
    if (until !== undefined) this.#expiring.set(id, until);
    this.#uses.set(id, use);
    this.#cancelFlush ??= this.#clock.after(touchDelayMs, () => void this.#flushUses());
  }

  async #flushUses(): Promise<void> {
    this.#cancelFlush = undefined;
    const uses = [...this.#uses];
    this.#uses.clear();
    try {
      for (const [id, use] of uses) await this.#keyStore.touch(id, use);
    } catch (error) {
      this.#log.warn('key-use.lost', { reason: String(error) });
    }
  }

  // Answers when nothing is stale; whoever comes while keys are being read waits for the same reading.
  async #refresh(): Promise<void> {
    while (this.#stale.size > 0 || this.#reading !== undefined) {
      this.#reading ??= this.#readStale().finally(() => (this.#reading = undefined));
      await this.#reading;
    }
  }

  async #refreshOrSay(): Promise<void> {
    try {
      await this.#refresh();
    } catch (error) {
      this.#log.error('store.failed', { reason: String(error) });
    }
  }

  // What could not be read stays stale, so every check fails until it can: better shut than open to a key that
  // may be revoked.
  async #readStale(): Promise<void> {
    const subjects = [...this.#stale];
    this.#stale.clear();
    try {
      if (subjects.includes(anySubject)) await this.#readAll();
      else for (const id of subjects as KeyId[]) this.#replace(id, await this.#keyStore.find(id));
    } catch (error) {
      for (const subject of subjects) this.#stale.add(subject);
      throw error;
    }
  }

  async #readAll(): Promise<void> {
    const found = new Map((await this.#keyStore.list()).map((key) => [key.id, key]));
    for (const id of [...(this.#keys.keys() as Iterable<KeyId>), ...found.keys()])
      this.#replace(id, found.get(id));
  }

  #replace(id: KeyId, key: StreamKey | undefined): void {
    const before = this.#keys.get(id);
    if (key === undefined) this.#keys.delete(id);
    else this.#keys.set(id, { ...key, lastUse: this.#uses.get(id) ?? key.lastUse });
    const state = key?.state ?? 'revoked';
    if (before === undefined || before.state === state) return;
    this.#log.info('key.changed', { key: id, stream: before.stream, state });
    if (before.state === 'active' && state !== 'active') this.#withdraw(id, state);
  }

  #tick(): void {
    if (this.#stale.size > 0) void this.#refreshOrSay();
    const now = this.#clock.now();
    for (const [id, until] of this.#expiring) {
      if (now < until) continue;
      this.#log.info('key.expired', { key: id });
      this.#withdraw(id, 'expired');
    }
  }

  #withdraw(id: KeyId, why: WithdrawalReason): void {
    this.#expiring.delete(id);
    for (const listener of this.#listeners) listener(id, why);
  }
}

// Someone behind the same address may be guessing; that must not shut out who publishes from there.
function usedFrom(key: StreamKey, address: string): boolean {
  return key.lastUse !== undefined && addressGroup(key.lastUse.address) === addressGroup(address);
}
