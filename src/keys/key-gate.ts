// THE gate: the only place where a request meets a key. The secret stops here; what goes on is a verdict with
// the public names of stream and key. Order and equal work of the checks: SECURITY 3 "Check" and "Guessing".
import type { CancelTimer, Clock } from '../ops/clock.ts';
import { addressGroup } from '../ops/address.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId } from '../ops/names.ts';
import type { AuditLog } from '../store/audit-log.ts';
import { anySubject } from '../store/change-feed.ts';
import type { Store } from '../store/store.ts';
import { GuessLimiter } from './guess-limiter.ts';
import {
  judge,
  type AccessRequest,
  type CertificateFinding,
  type CertificateRegister,
  type Credential,
  type KeyUse,
  type StreamKey,
  type Verdict,
  withoutSecret,
} from './key-rule.ts';
import { keyTopic, openKeyStore, type KeyStore } from './key-store.ts';
import { keysLimits } from './keys-limits.ts';
import type { SecretHasher } from './secret-hasher.ts';
import { parseKey, type ParsedKey } from './stream-key-format.ts';

export type { AccessRequest } from './key-rule.ts';

/** `rotated`: the key has a newer secret, and the grace of the old one is over. */
export type WithdrawalReason = 'revoked' | 'disabled' | 'expired' | 'rotated';

/**
 * `upTo`: sessions whose verdict had this generation or an older one; Infinity means all of the key. With a
 * `certificate` (serial number) only those that showed it.
 */
type WithdrawalListener = (keyId: KeyId, why: WithdrawalReason, upTo: number, certificate?: string) => void;

export interface KeyGate {
  /**
   * Decides by what is committed when it is called, by whatever process. Throws ResourceError STORE_FAILED when
   * the database does not answer: nobody gets in then.
   */
  check(request: AccessRequest): Promise<Verdict>;
  /** Tells within 1 s that live sessions of a key must end. Returns how to stop listening. */
  onWithdrawn(listener: WithdrawalListener): () => void;
  /**
   * Whether a connection from there need not be accepted: the address is locked out for guessing, and no key that
   * works now was last used from it.
   */
  turnsAway(address: string): boolean;
  /** Writes the last marks of use; call it before the store is closed. */
  close(): Promise<void>;
}

export interface KeyGateOptions {
  readonly store: Store;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Pick<AuditLog, 'note'>;
  /** Where clients are asked for certificates. */
  readonly certificates?: CertificateRegister | undefined;
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
  readonly #audit: Pick<AuditLog, 'note'>;
  readonly #certificates: CertificateRegister | undefined;
  readonly #listeners = new Set<WithdrawalListener>();
  /** Uses not written down yet, by key and generation. */
  readonly #uses = new Map<
    string,
    { readonly id: KeyId; readonly generation: number; readonly use: KeyUse }
  >();
  /** Secrets that sessions may hold and that end some day, by key and generation. */
  readonly #ending = new Map<
    string,
    { readonly id: KeyId; readonly generation: number; readonly until: number }
  >();
  /** The address group that each key was last used from. */
  readonly #usedFrom = new Map<KeyId, string>();
  readonly #cancels: CancelTimer[] = [];
  readonly #keys = new Map<string, StreamKey>();
  /** Subjects of the change feed that were not read anew yet. */
  readonly #stale = new Set<string>([anySubject]);
  #reading: Promise<void> | undefined;
  #cancelFlush: CancelTimer | undefined;

  constructor({ store, hasher, clock, log, audit, certificates }: KeyGateOptions) {
    this.#store = store;
    this.#keyStore = openKeyStore(store);
    this.#hasher = hasher;
    this.#clock = clock;
    this.#log = log;
    this.#audit = audit;
    this.#certificates = certificates;
    this.#limiter = new GuessLimiter(clock);
  }

  async open(): Promise<void> {
    this.#cancels.push(
      this.#store.changes.on(keyTopic, (subject) => {
        this.#stale.add(subject);
        void this.#refreshOrSay();
      }),
      this.#clock.every(tickMs, () => this.#tick()),
      this.#certificates?.onWithdrawn(({ keyId, serial, objection }) => {
        if (keyId === undefined) return;
        const why = objection === 'certificate-expired' ? 'expired' : 'revoked';
        for (const listener of this.#listeners) listener(keyId, why, withoutSecret, serial);
      }) ?? (() => undefined),
    );
    await this.#refresh();
  }

  async check(request: AccessRequest): Promise<Verdict> {
    const verdict = await this.#decide(request);
    this.#note(verdict, request);
    return verdict;
  }

  turnsAway(address: string): boolean {
    return this.#limiter.isLockedOut(address) && !this.#isUsedFrom(addressGroup(address));
  }

  async #decide(request: AccessRequest): Promise<Verdict> {
    const parsed = parseKey('psk', request.key ?? request.name);
    const { certificate } = request;
    if (parsed === 'not-a-key' && request.key === undefined && this.#certificates && certificate) {
      return this.#decideByCertificate(await this.#certificates.identify(certificate), request);
    }
    if (typeof parsed === 'string') return this.#refuseMalformed(parsed, request);

    await this.#store.changes.catchUp();
    await this.#refresh();
    const key = this.#keys.get(parsed.id);
    const credential = this.#compare(parsed, key);
    const verdict = judge(credential, request, this.#clock.now());
    const guessed = credential.outcome === 'unknown-key' || credential.outcome === 'wrong-secret';
    // Someone behind the same address may be guessing; that must not shut out who publishes from there.
    if (
      this.#limiter.isLockedOut(request.address) &&
      (guessed || key === undefined || this.#usedFrom.get(key.id) !== addressGroup(request.address))
    ) {
      return this.#refuseLate(
        {
          granted: false,
          reason: 'too-many-attempts',
          ...(key && { keyId: key.id }),
        },
        request.address,
      );
    }
    if (guessed) {
      this.#countFailure(request.address, 1);
      return this.#refuseLate(verdict, request.address);
    }
    if (verdict.granted) this.#noteUse(verdict.keyId, verdict.generation, verdict.until, request);
    return verdict;
  }

  // TLS has proved who it is, so whoever has a certificate of ours is no guesser.
  async #decideByCertificate(
    { serial, keyId, objection }: CertificateFinding,
    request: AccessRequest,
  ): Promise<Verdict> {
    await this.#store.changes.catchUp();
    await this.#refresh();
    const key = keyId === undefined ? undefined : this.#keys.get(keyId);
    const certified = objection === undefined && key !== undefined;
    const credential: Credential = certified
      ? { outcome: 'certified', key }
      : { outcome: objection ?? 'unknown-key' };
    const verdict = judge(credential, request, this.#clock.now());
    if (objection === 'certificate-unknown') {
      this.#countFailure(request.address, keysLimits.malformedWeight);
      return { ...this.#refuseLate(verdict, request.address), certificate: serial };
    }
    if (verdict.granted) this.#noteUse(verdict.keyId, verdict.generation, verdict.until, request);
    return { ...verdict, ...(key && { keyId: key.id }), certificate: serial };
  }

  onWithdrawn(listener: WithdrawalListener): () => void {
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
    const { address } = request;
    if (this.#limiter.isLockedOut(address)) {
      return this.#refuseLate({ granted: false, reason: 'too-many-attempts' }, address);
    }
    this.#countFailure(address, keysLimits.malformedWeight);
    return this.#refuseLate(judge({ outcome: reason }, request, this.#clock.now()), address);
  }

  // Whoever guesses waits longer each time. The waiting is the session's: it costs no more than a connection.
  #refuseLate(verdict: Verdict, address: string): Verdict {
    const delay = this.#limiter.delay(address);
    return verdict.granted || delay === 0 ? verdict : { ...verdict, delay };
  }

  #compare({ secret }: ParsedKey, key: StreamKey | undefined): Credential {
    // Both are always compared: the time of an answer tells neither which secret fits nor whether there are two.
    const matches = this.#hasher.matches(secret, key);
    const matchesPrevious = this.#hasher.matches(secret, key?.previous);
    if (key === undefined) return { outcome: 'unknown-key' };
    if (matchesPrevious) return { outcome: 'matched-previous', key };
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
    const [group, seconds] = [addressGroup(address), lockout / 1000];
    this.#log.warn('address.locked-out', { address: group, seconds });
    this.#audit.note({ action: 'address.locked-out', source: group, detail: `for ${seconds} s` });
  }

  #note(verdict: Verdict, { address, door, encoder }: AccessRequest): void {
    const key = verdict.keyId === undefined ? undefined : this.#keys.get(verdict.keyId);
    const old = verdict.granted && key !== undefined && verdict.generation < key.generation;
    const shown = verdict.certificate === undefined ? '' : `certificate ${verdict.certificate}, `;
    this.#audit.note({
      action: verdict.granted ? 'key.used' : 'key.refused',
      source: address,
      key: key?.id,
      stream: key?.stream,
      door,
      detail:
        shown + (verdict.granted ? `${old ? 'the old secret, ' : ''}encoder ${encoder}` : verdict.reason),
    });
  }

  #isUsedFrom(group: string): boolean {
    for (const [id, from] of this.#usedFrom) {
      if (from === group && this.#keys.get(id)?.state === 'active') return true;
    }
    return false;
  }

  // Written a little later: the verdict does not wait, and an encoder that reconnects in a loop costs one write.
  #noteUse(id: KeyId, generation: number, until: number | undefined, request: AccessRequest): void {
    const { address, encoder, door } = request;
    const use = { at: this.#clock.now(), address, encoder: encoder.slice(0, keysLimits.encoderLength), door };
    this.#usedFrom.set(id, addressGroup(address));
    if (until !== undefined) this.#ending.set(`${id} ${generation}`, { id, generation, until });
    this.#uses.set(`${id} ${generation}`, { id, generation, use });
    this.#cancelFlush ??= this.#clock.after(touchDelayMs, () => void this.#flushUses());
  }

  async #flushUses(): Promise<void> {
    this.#cancelFlush = undefined;
    const uses = [...this.#uses.values()];
    this.#uses.clear();
    try {
      for (const { id, generation, use } of uses) await this.#keyStore.touch(id, use, generation);
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
    if (key === undefined) {
      this.#keys.delete(id);
      this.#usedFrom.delete(id);
    } else {
      this.#keys.set(id, key);
      // Later uses are known here before they are in the database.
      if (before === undefined && key.lastUse !== undefined)
        this.#usedFrom.set(id, addressGroup(key.lastUse.address));
    }
    if (before === undefined) return;
    if (key !== undefined && key.generation > before.generation) this.#rotated(key);
    const state = key?.state ?? 'revoked';
    if (before.state === state) return;
    this.#log.info('key.changed', { key: id, stream: before.stream, state });
    if (before.state === 'active' && state !== 'active') this.#withdraw(id, state, Infinity);
  }

  #rotated({ id, stream, state, generation, previous, expiresAt }: StreamKey): void {
    this.#log.info('key.changed', { key: id, stream, state, rotated: true });
    const old = generation - 1;
    const until = Math.min(previous?.until ?? -Infinity, expiresAt ?? Infinity);
    if (old > 1) this.#withdraw(id, 'rotated', old - 1); // only the last two secrets of a key work
    if (this.#clock.now() >= until) this.#withdraw(id, 'rotated', old);
    else this.#ending.set(`${id} ${old}`, { id, generation: old, until });
  }

  #tick(): void {
    if (this.#stale.size > 0) void this.#refreshOrSay();
    const now = this.#clock.now();
    for (const { id, generation, until } of this.#ending.values()) {
      if (now < until) continue;
      const expired = (this.#keys.get(id)?.expiresAt ?? Infinity) <= now;
      this.#log.info('key.expired', { key: id, old: !expired });
      this.#withdraw(id, expired ? 'expired' : 'rotated', generation);
    }
  }

  #withdraw(id: KeyId, why: WithdrawalReason, upTo: number): void {
    for (const [name, ending] of this.#ending) {
      if (ending.id === id && ending.generation <= upTo) this.#ending.delete(name);
    }
    for (const listener of this.#listeners) listener(id, why, upTo);
  }
}
