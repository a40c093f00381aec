// THE gate: the only place where a request meets a key. The secret stops here; what goes on is a verdict with
// the public names of stream and key. Order and equal work of the checks: SECURITY 3 "Check" and "Guessing".
import type { CancelTimer, Clock } from '../ops/clock.ts';
import { Secret } from '../bytes/secret.ts';
import { addressGroup } from '../ops/address.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId } from '../ops/names.ts';
import type { Random } from '../ops/random.ts';
import type { AuditLog } from '../store/audit-log.ts';
import { anySubject } from '../store/change-feed.ts';
import type { Store } from '../store/store.ts';
import { GuessLimiter } from './guess-limiter.ts';
import {
  judge,
  lacksKey,
  type AccessRequest,
  type CertificateFinding,
  type CertificateRegister,
  type Credential,
  type StreamKey,
  type Verdict,
  withoutSecret,
} from './key-rule.ts';
import { keyTopic, openKeyStore, type KeyStore } from './key-store.ts';
import { KeyUses, type WithdrawalListener } from './key-uses.ts';
import { keysLimits } from './keys-limits.ts';
import type { SecretHasher } from './secret-hasher.ts';
import { SignInDesk, type SignedIn, type SignInChallenge, type SignInRequest } from './sign-in.ts';
import { parseKey, type ParsedKey } from './stream-key-format.ts';

export { type AccessRequest, refusalDescription } from './key-rule.ts';
export type { WithdrawalReason } from './key-uses.ts';

export interface KeyGate {
  /**
   * Decides by what is committed when it is called, by whatever process. Throws ResourceError STORE_FAILED when
   * the database does not answer: nobody gets in then.
   */
  check(request: AccessRequest): Promise<Verdict>;
  /**
   * What a client that signs in is to be told next, or whose password it has shown. A refusal counts as a guess, being
   * asked for an answer does not. Throws as check() does.
   */
  signIn(request: SignInRequest): Promise<SignInVerdict>;
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

type Refusal = Extract<Verdict, { granted: false }>;

export type SignInVerdict =
  | ({ readonly outcome: 'challenged' } & SignInChallenge)
  | ({ readonly outcome: 'signed-in' } & SignedIn)
  | ({ readonly outcome: 'refused' } & Refusal);

export interface KeyGateOptions {
  readonly store: Store;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly audit: Pick<AuditLog, 'note'>;
  /** Where clients are asked for certificates. */
  readonly certificates?: CertificateRegister | undefined;
}

/** How often expiry is looked at. */
const tickMs = 500;

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
  readonly #uses: KeyUses;
  readonly #signIns: SignInDesk;
  readonly #cancels: CancelTimer[] = [];
  readonly #keys = new Map<string, StreamKey>();
  /** Subjects of the change feed that were not read anew yet. */
  readonly #stale = new Set<string>([anySubject]);
  #reading: Promise<void> | undefined;

  constructor({ store, hasher, clock, random, log, audit, certificates }: KeyGateOptions) {
    this.#store = store;
    this.#keyStore = openKeyStore(store);
    this.#hasher = hasher;
    this.#clock = clock;
    this.#log = log;
    this.#audit = audit;
    this.#certificates = certificates;
    this.#limiter = new GuessLimiter(clock);
    this.#uses = new KeyUses({ keyStore: this.#keyStore, clock, log });
    this.#signIns = new SignInDesk({ hasher, random, clock });
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
        this.#uses.withdraw(keyId, why, withoutSecret, serial);
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
    if (!this.#limiter.isLockedOut(address)) return false;
    return ![...this.#uses.lastFrom(address)].some((id) => this.#keys.get(id)?.state === 'active');
  }

  async #decide(request: AccessRequest): Promise<Verdict> {
    const parsed = parseKey('psk', request.key ?? request.name);
    const { certificate } = request;
    if (parsed === 'not-a-key' && request.key === undefined && this.#certificates && certificate) {
      return this.#decideByCertificate(await this.#certificates.identify(certificate), request);
    }
    if (request.signedIn) return this.#decideSignedIn(request.signedIn, parsed, request);
    if (typeof parsed === 'string') return this.#refuseMalformed(parsed, request);
    return this.#decideByKey(parsed, request);
  }

  async #decideByKey(parsed: ParsedKey, request: AccessRequest): Promise<Verdict> {
    await this.#follow();
    const key = this.#keys.get(parsed.id);
    const credential = this.#compare(parsed, key);
    const verdict = judge(credential, request, this.#clock.now());
    const guessed = credential.outcome === 'unknown-key' || credential.outcome === 'wrong-secret';
    if (this.#isHeldOff(request.address, guessed ? undefined : key))
      return this.#holdOff(request.address, key);
    if (guessed) {
      this.#countFailure(request.address, 1);
      return this.#refuseLate(verdict, request.address);
    }
    if (verdict.granted) this.#noteUse(verdict, request);
    return verdict;
  }

  // TLS has proved who it is, so whoever has a certificate of ours is no guesser.
  async #decideByCertificate(
    { serial, keyId, objection }: CertificateFinding,
    request: AccessRequest,
  ): Promise<Verdict> {
    await this.#follow();
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
    if (verdict.granted) this.#noteUse(verdict, request);
    return { ...verdict, ...(key && { keyId: key.id }), certificate: serial };
  }

  // Encoders that sign in send what their stream key field holds: nothing, the stream's name, or the key once more.
  async #decideSignedIn(
    { keyId, generation }: SignedIn,
    parsed: ReturnType<typeof parseKey>,
    request: AccessRequest,
  ): Promise<Verdict> {
    await this.#follow();
    const key = this.#keys.get(keyId);
    let { name } = request;
    if (typeof parsed !== 'string') {
      const shown = this.#compare(parsed, parsed.id === keyId ? key : undefined).outcome;
      const again = shown === 'matched' || shown === 'matched-previous';
      if (!again) return this.#decideByKey(parsed, { ...request, app: '' }); // another one opens nothing here
      if (request.key === undefined) name = new Secret('');
    }
    const credential: Credential = key
      ? { outcome: 'signed-in', key, generation }
      : { outcome: 'unknown-key' };
    const verdict = judge(credential, { ...request, name }, this.#clock.now());
    if (verdict.granted) this.#noteUse(verdict, request);
    return verdict;
  }

  async signIn(request: SignInRequest): Promise<SignInVerdict> {
    const { address, answer } = request;
    if (answer === undefined) return { outcome: 'challenged', ...this.#signIns.challenge(request) };
    await this.#follow();
    const finding = this.#signIns.compare({ ...request, answer }, this.#keys.values());
    const { key, outcome } = finding;
    const proven = outcome === 'proven' ? finding : undefined;
    if (proven !== undefined && !this.#isHeldOff(address, proven.key)) {
      return { outcome: 'signed-in', keyId: proven.key.id, generation: proven.generation };
    }
    let verdict: Refusal;
    if (outcome === 'proven' || this.#limiter.isLockedOut(address)) verdict = this.#holdOff(address, key);
    else {
      this.#countFailure(address, outcome === 'stale-challenge' ? keysLimits.malformedWeight : 1);
      const refusal: Refusal = { granted: false, reason: outcome, ...(key && { keyId: key.id }) };
      verdict = this.#refuseLate(refusal, address);
    }
    this.#note(verdict, request);
    return { outcome: 'refused', ...verdict };
  }

  onWithdrawn(listener: WithdrawalListener): () => void {
    return this.#uses.onWithdrawn(listener);
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel();
    await this.#uses.close();
  }

  /** Catches up with what is committed, by whatever process. */
  async #follow(): Promise<void> {
    await this.#store.changes.catchUp();
    await this.#refresh();
  }

  /** Someone behind the same address may be guessing; that must not shut out who publishes from there. */
  #isHeldOff(address: string, key: StreamKey | undefined): boolean {
    return (
      this.#limiter.isLockedOut(address) && (key === undefined || !this.#uses.isLastFrom(key.id, address))
    );
  }

  #holdOff(address: string, key: StreamKey | undefined): Refusal {
    return this.#refuseLate(
      { granted: false, reason: 'too-many-attempts', ...(key && { keyId: key.id }) },
      address,
    );
  }

  #refuseMalformed(reason: 'not-a-key' | 'mistyped', request: AccessRequest): Verdict {
    const { address } = request;
    if (this.#limiter.isLockedOut(address)) return this.#holdOff(address, undefined);
    this.#countFailure(address, keysLimits.malformedWeight);
    const missing = reason === 'not-a-key' && lacksKey(request, this.#keys.values());
    return this.#refuseLate({ granted: false, reason: missing ? 'key-missing' : reason }, address);
  }

  // Whoever guesses waits longer each time. The waiting is the session's: it costs no more than a connection.
  #refuseLate<Given extends Verdict>(verdict: Given, address: string): Given {
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

  #note(
    verdict: Verdict,
    { address, door, encoder }: Pick<AccessRequest, 'address' | 'door' | 'encoder'>,
  ): void {
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

  #noteUse(verdict: Extract<Verdict, { granted: true }>, request: AccessRequest): void {
    const { keyId: id, generation, until } = verdict;
    if (until !== undefined) this.#uses.endAt(id, generation, until);
    this.#uses.note(id, generation, request);
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
      this.#uses.forget(id);
    } else {
      this.#keys.set(id, key);
      // Later uses are known here before they are in the database.
      if (before === undefined) this.#uses.recall(id, key.lastUse);
    }
    if (before === undefined) return;
    if (key !== undefined && key.generation > before.generation) this.#rotated(key);
    const state = key?.state ?? 'revoked';
    if (before.state === state) return;
    this.#log.info('key.changed', { key: id, stream: before.stream, state });
    if (before.state === 'active' && state !== 'active') this.#uses.withdraw(id, state, Infinity);
  }

  #rotated({ id, stream, state, generation, previous, expiresAt }: StreamKey): void {
    this.#log.info('key.changed', { key: id, stream, state, rotated: true });
    const old = generation - 1;
    const until = Math.min(previous?.until ?? -Infinity, expiresAt ?? Infinity);
    if (old > 1) this.#uses.withdraw(id, 'rotated', old - 1); // only the last two secrets of a key work
    if (this.#clock.now() >= until) this.#uses.withdraw(id, 'rotated', old);
    else this.#uses.endAt(id, old, until);
  }

  #tick(): void {
    if (this.#stale.size > 0) void this.#refreshOrSay();
    const now = this.#clock.now();
    for (const { id, generation } of this.#uses.endedBy(now)) {
      const expired = (this.#keys.get(id)?.expiresAt ?? Infinity) <= now;
      this.#log.info('key.expired', { key: id, old: !expired });
      this.#uses.withdraw(id, expired ? 'expired' : 'rotated', generation);
    }
  }
}
