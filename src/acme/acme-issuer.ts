// One attempt to get the certificates of this installation, by whoever makes it: the server that renews or the
// command line. It holds a lock, asks renewal-rule.ts whether it may begin, writes down that it begins before it
// asks the authority anything, and writes down how it ended.
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ClientOptions } from 'acme-client';
import { Secret } from '../bytes/secret.ts';
import { type CertificateName, parseCertificateName } from '../certificates/certificate-name.ts';
import type { CertificateBundle } from '../certificates/certificate-source.ts';
import type { ChallengeAnswers } from '../door/challenge-answers.ts';
import { SetupError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import { AcmeHttp, type AcmeResponse } from './acme-http.ts';
import { acmeLimits } from './acme-limits.ts';
import { namesKey, orderCertificate } from './acme-order.ts';
import type { AcmeState } from './acme-state.ts';
import { AcmeStore, type KeyKind } from './acme-store.ts';
import { type DnsRecord, runDnsHook } from './dns-hook.ts';
import { AcmeFailure, type ChallengeType } from './explain-problem.ts';
import { certificateId, fetchRenewalInfo } from './renewal-info.ts';
import * as rule from './renewal-rule.ts';

export interface AcmeOptions {
  readonly directoryUrl: string;
  readonly email: string | null;
  readonly challenge: ChallengeType;
  /** PEM of the root of the authority's own TLS certificate, when it is a private one. */
  readonly caFile: string | null;
  /** Program for dns-01. */
  readonly dnsHook: string | null;
  readonly eab: { readonly keyId: string; readonly hmacKeyFile: string } | null;
  readonly profile: string | null;
  /** A second certificate with an RSA key, for clients that know nothing else. */
  readonly rsa: boolean;
  /** Names and addresses that the certificate is for; not empty. */
  readonly hosts: readonly string[];
  readonly certsDir: string;
}

export interface AcmeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly answers: ChallengeAnswers;
  /** For the DNS hook. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type Outcome =
  | { readonly type: 'issued' }
  | { readonly type: 'current' }
  /** Another process is at it. */
  | { readonly type: 'busy' }
  | { readonly type: 'waiting'; readonly waiting: rule.Waiting; readonly until: number }
  | { readonly type: 'failed'; readonly failure: AcmeFailure; readonly nextAttemptAt: number };

/** Milliseconds after which an authority that did not say is asked again when to renew; and after a failure. */
const checkInterval = 6 * 3_600_000;
const checkAgain = 3_600_000;

export class AcmeIssuer {
  readonly store: AcmeStore;
  readonly names: readonly CertificateName[];
  readonly kinds: readonly KeyKind[];
  readonly #options: AcmeOptions;
  readonly #parts: AcmeParts;
  readonly #stop = new AbortController();

  /** @throws SetupError CONFIG_INVALID when a host can be in no certificate */
  constructor(options: AcmeOptions, parts: AcmeParts) {
    this.#options = options;
    this.#parts = parts;
    this.names = options.hosts.map((host) => {
      const name = parseCertificateName(host);
      if (name !== undefined) return name;
      throw new SetupError('CONFIG_INVALID', `hosts: ${JSON.stringify(host)} is no DNS name or IP address`, {
        hint: 'write names such as ingest.example.com, without scheme, port or path',
      });
    });
    this.kinds = options.rsa ? ['ecdsa', 'rsa'] : ['ecdsa'];
    this.store = new AcmeStore(options.certsDir, options.directoryUrl, parts);
  }

  /** What is under way fails at once. */
  stop(): void {
    this.#stop.abort();
  }

  /** When the next certificate is to be had or renewed, milliseconds since the epoch; 0 when one is missing. */
  async dueAt(): Promise<number> {
    return Math.min(...(await this.#dueTimes()).map(({ at }) => at));
  }

  async #dueTimes(): Promise<readonly { readonly kind: KeyKind; readonly at: number }[]> {
    const { renewal } = await this.store.readState();
    return Promise.all(
      this.kinds.map(async (kind) => {
        const bundle = await this.store.readCertificate(kind);
        if (bundle === undefined || !this.names.every(({ name }) => bundle.names.includes(name)))
          return { kind, at: 0 };
        // Whatever the file says: it may be damaged.
        if (renewal?.serial === bundle.serial)
          return { kind, at: Math.min(renewal.at, rule.latestRenewal(bundle)) };
        // The second certificate goes with the first; alone it comes back only when that went wrong.
        return { kind, at: bundle.notBefore + (bundle.notAfter - bundle.notBefore) * 0.8 };
      }),
    );
  }

  /** Asks the authority when to renew, if it is time to ask. Never fails for what happens there. */
  async refreshRenewal(bundle: CertificateBundle): Promise<void> {
    const now = this.#parts.clock.now();
    const before = (await this.store.readState()).renewal;
    // Later than it is ever put off: the clock was set back.
    const early = before !== undefined && before.checkAt > now;
    if (early && before.serial === bundle.serial && before.checkAt <= now + acmeLimits.longestRetryAfter)
      return;
    const lock = this.store.lock();
    if (lock === undefined) return; // who holds it writes the state
    try {
      const known = before?.serial === bundle.serial ? before.window : undefined;
      let window = known;
      let checkAt = now + checkInterval;
      try {
        const http = await this.#openHttp();
        const { renewalInfo } = await this.#directory(http);
        const id = certificateId(bundle.chainPem);
        window = undefined;
        if (typeof renewalInfo === 'string' && id !== undefined) {
          const info = await fetchRenewalInfo(http, renewalInfo, id);
          window = info.window;
          checkAt = Math.max(now + 60_000, info.retryAt ?? checkAt);
        }
      } catch (error) {
        if (!(error instanceof AcmeFailure)) throw error;
        window = known;
        checkAt = Math.max(now + checkAgain, error.problem.retryAt ?? 0);
        this.#parts.log.debug('renewal-info.missed', { reason: error.message });
      }
      const state = await this.store.readState();
      const renewal = rule.chooseRenewal(bundle, window, checkAt, before, this.#dice);
      await this.store.saveState({ ...state, renewal });
    } finally {
      lock.release();
    }
  }

  /** `asked`: an operator wants it now, whether or not it is due. @throws ResourceError CERTIFICATE_UNUSABLE */
  async attempt(asked: boolean): Promise<Outcome> {
    await this.store.prepare();
    const lock = this.store.lock();
    if (lock === undefined) return { type: 'busy' };
    try {
      const now = this.#parts.clock.now();
      if (!asked && (await this.dueAt()) > now) return { type: 'current' };
      const state = rule.forget(await this.store.readState(), now);
      const waiting = rule.waitBefore(state, namesKey(this.names), now, asked);
      if (waiting !== undefined) return { type: 'waiting', ...waiting };
      const due = await this.#dueTimes();
      const together = asked || due.some(({ kind, at }) => kind === 'ecdsa' && at !== 0 && at <= now);
      const kinds = due.filter(({ at }) => together || at <= now).map(({ kind }) => kind);
      return await this.#run(kinds, state, now);
    } finally {
      lock.release();
    }
  }

  async #run(kinds: readonly KeyKind[], before: AcmeState, now: number): Promise<Outcome> {
    const { clock, log } = this.#parts;
    const paid = now + rule.spacingOf(rule.expectedRequests(this.names.length, kinds.length));
    const failures = before.failures + 1;
    // As if it had failed already: a process that is killed in it comes back no sooner than one that was told.
    let state: AcmeState = {
      ...before,
      failures,
      attemptedAt: now,
      nextAttemptAt: Math.max(now + rule.retryDelay(failures, this.#dice), paid),
      notBefore: paid,
    };
    await this.store.saveState(state);
    const remember = async (change: Partial<AcmeState>): Promise<void> => {
      state = { ...state, ...change };
      await this.store.saveState(state);
    };
    let http: AcmeHttp | undefined;
    try {
      http = await this.#openHttp();
      const directory = await this.#directory(http);
      const { client, crypto } = await this.#openClient(http, directory);
      for (const kind of kinds) {
        const current = await this.store.readCertificate(kind);
        const pair = await orderCertificate(
          {
            names: this.names,
            kind,
            challenge: this.#options.challenge,
            profile: this.#options.profile,
            replaces:
              current === undefined || directory['renewalInfo'] === undefined
                ? undefined
                : certificateId(current.chainPem),
          },
          {
            ...this.#parts,
            client,
            crypto,
            http,
            store: this.store,
            signal: this.#stop.signal,
            dns: (action, record) => this.#runHook(action, record),
            onValidation: () => remember({ validations: [...state.validations, clock.now()] }),
          },
        );
        await this.store.saveCertificate(kind, pair);
        await this.store.removeOrder();
        const bundle = await this.store.readCertificate(kind);
        if (bundle === undefined) throw new Error('the certificate that was just saved cannot be read');
        const names = namesKey(this.names);
        const life = bundle.notAfter - bundle.notBefore;
        await remember({ issued: [...state.issued, { names, at: clock.now(), life }] });
        log.info('certificate.issued', {
          file: bundle.file,
          names,
          issuer: bundle.issuer,
          serial: bundle.serial,
          replaces: current?.serial,
          until: new Date(bundle.notAfter).toISOString(),
        });
      }
      const { lastError: _lastError, ...rest } = state;
      const main = await this.store.readCertificate('ecdsa');
      // The usual time, until the authority was asked whether it would like another; that is due at once.
      const renewal = main && rule.chooseRenewal(main, undefined, clock.now(), rest.renewal, this.#dice);
      state = {
        ...rest,
        failures: 0,
        nextAttemptAt: 0,
        notBefore: 0,
        validations: [],
        finishedAt: clock.now(),
        ...(renewal === undefined ? {} : { renewal }),
      };
      await this.store.saveState(state);
      return { type: 'issued' };
    } catch (error) {
      const failure = this.#failureOf(error);
      const end = clock.now();
      const { problem } = failure;
      const notBefore = Math.max(end + rule.spacingOf(http?.sent ?? 0), problem.retryAt ?? 0);
      const nextAttemptAt = Math.max(end + rule.retryDelay(failures, this.#dice), notBefore);
      await remember({
        finishedAt: end,
        notBefore,
        nextAttemptAt,
        lastError: { at: end, problem: problem.type, reason: failure.message, hint: failure.hint ?? '' },
      });
      if (problem.type === 'accountDoesNotExist') await this.#forgetAccount();
      return { type: 'failed', failure, nextAttemptAt };
    }
  }

  /** Throws what is no failure of the attempt: a full disk, or a mistake of ours. */
  #failureOf(error: unknown): AcmeFailure {
    if (this.#stop.signal.aborted) return new AcmeFailure({ type: 'stopped', detail: 'Penstock stopped' });
    if (error instanceof AcmeFailure) return error;
    // acme-client has no error class of its own.
    if (error instanceof Error && error.constructor === Error)
      return new AcmeFailure({ type: 'unintelligible', detail: error.message }, error);
    throw error;
  }

  async #openHttp(): Promise<AcmeHttp> {
    const { caFile } = this.#options;
    return new AcmeHttp({
      ...(caFile === null ? {} : { extraRoots: await readText(caFile, 'acme.caFile') }),
      clock: this.#parts.clock,
      signal: this.#stop.signal,
    });
  }

  /** RFC 8555 7.1.1. */
  async #directory(http: AcmeHttp): Promise<Readonly<Record<string, unknown>>> {
    const { data } = await http.request(this.#options.directoryUrl, 'GET');
    const directory = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
    if (['newNonce', 'newAccount', 'newOrder'].every((name) => typeof directory[name] === 'string'))
      return directory;
    throw new AcmeFailure({ type: 'unintelligible', detail: 'acme.directoryUrl leads to no ACME directory' });
  }

  /** A client that speaks through `http` alone, with an account that is registered. */
  async #openClient(http: AcmeHttp, directory: Readonly<Record<string, unknown>>) {
    const { directoryUrl, email, eab } = this.#options;
    this.#requireProfile(directory);
    // Only here: it costs half a second of CPU, and most days nothing has to be ordered.
    const { default: acme } = await import('acme-client');
    const account = (await this.store.readAccount()) ?? { keyPem: makeAccountKey() };
    const options: ClientOptions = { directoryUrl, accountKey: account.keyPem.reveal() };
    if (account.url !== undefined) options.accountUrl = account.url;
    if (eab !== null) {
      const hmacKey = (await readText(eab.hmacKeyFile, 'acme.eab.hmacKeyFile')).trim();
      options.externalAccountBinding = { kid: eab.keyId, hmacKey }; // RFC 8555 7.3.4
    }
    const client = new acme.Client(options);
    // Its own requests would be repeated up to five times, without a limit of time, and lose what went wrong.
    const inner = client as unknown as { http: { request: AcmeHttp['request'] } };
    const answered: AcmeResponse = { status: 200, headers: {}, data: directory };
    inner.http.request = async (url, method, given) =>
      url === directoryUrl ? answered : http.request(url, method, given);
    if (account.url === undefined) {
      await this.store.saveAccount(account); // before the authority knows it: a key must not be lost
      await client.createAccount({
        termsOfServiceAgreed: true,
        ...(email === null ? {} : { contact: [`mailto:${email}`] }),
      });
      await this.store.saveAccount({ ...account, url: client.getAccountUrl() });
    }
    return { client, crypto: acme.crypto };
  }

  #requireProfile(directory: Readonly<Record<string, unknown>>): void {
    const { profile } = this.#options;
    if (profile === null) return;
    const { profiles } = (directory['meta'] ?? {}) as { readonly profiles?: object };
    const offered = Object.keys(profiles ?? {});
    if (offered.includes(profile)) return;
    const detail = offered.length === 0 ? 'it has no profiles' : `it has ${offered.join(', ')}`;
    throw new AcmeFailure({ type: 'invalidProfile', detail });
  }

  async #runHook(action: 'add' | 'remove', record: DnsRecord): Promise<void> {
    const { dnsHook } = this.#options;
    const { environment, log } = this.#parts;
    if (dnsHook === null) {
      throw new AcmeFailure({
        type: 'hookFailed',
        detail: 'acme.dnsHook is not set',
        identifier: record.name,
      });
    }
    try {
      await runDnsHook(dnsHook, action, record, environment, this.#stop.signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (action === 'remove') log.warn('dns-hook.failed', { name: record.name, reason });
      throw error;
    }
  }

  async #forgetAccount(): Promise<void> {
    const account = await this.store.readAccount();
    if (account !== undefined) await this.store.saveAccount({ keyPem: account.keyPem });
  }

  readonly #dice = (): number => Buffer.from(this.#parts.random.bytes(4)).readUInt32BE() / 2 ** 32;
}

function makeAccountKey(): Secret {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

async function readText(path: string, setting: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const detail = `${path} cannot be read (${reason}); ${setting} names it`;
    throw new AcmeFailure({ type: 'fileUnusable', detail }, error);
  }
}
