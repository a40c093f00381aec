// Certificates by ACME as a source for the keeper: what is on disk is served at once, a fallback until there is
// something, and a quiet loop gets and renews the rest. Nothing here waits for the network before answering.
import type {
  CertificateBundle,
  CertificateKind,
  CertificateSource,
} from '../certificates/certificate-source.ts';
import { failureFields } from '../errors.ts';
import type { CancelTimer } from '../ops/clock.ts';
import { type AcmeOptions, AcmeIssuer, type AcmeParts, type Outcome } from './acme-issuer.ts';

/** Topic of the change feed: an operator wants new certificates now. */
export const renewTopic = 'certificates';

/** Milliseconds between two looks at the clock and the folder; what is due sooner is done sooner. */
const longestPause = 3_600_000;
/** Milliseconds until a disk that failed is looked at again; and somebody else's attempt, which costs nobody anything. */
const shortPause = 60_000;
const busyPause = 5000;
/** A timer that is late by a moment must not turn the loop into a spin. */
const shortestPause = 1000;

export class AcmeSource implements CertificateSource {
  readonly #issuer: AcmeIssuer;
  readonly #fallback: CertificateSource;
  readonly #parts: AcmeParts;
  #serving = false;
  #servedSerials = '';
  #changed: () => void = () => undefined;
  #cancel: CancelTimer = () => undefined;
  #turning: Promise<void> | undefined;
  #asked = false;
  #begun = false;

  /** `fallback` is served until there is a certificate. @throws SetupError CONFIG_INVALID */
  constructor(options: AcmeOptions, fallback: CertificateSource, parts: AcmeParts) {
    this.#issuer = new AcmeIssuer(options, parts);
    this.#fallback = fallback;
    this.#parts = parts;
  }

  get kind(): CertificateKind {
    return this.#serving ? 'acme' : this.#fallback.kind;
  }

  get certificateFile(): string {
    return this.#serving ? this.#issuer.store.certificateFile('ecdsa') : this.#fallback.certificateFile;
  }

  get authorityFile(): string | undefined {
    return this.#serving ? undefined : this.#fallback.authorityFile;
  }

  async load(): Promise<readonly [CertificateBundle, ...CertificateBundle[]]> {
    const bundle = await this.#read();
    this.#serving = bundle !== undefined;
    this.#servedSerials = serialsOf(bundle);
    if (bundle !== undefined) return [bundle];
    this.#parts.log.warn('certificate.substituted', {
      names: this.#issuer.names.map(({ name }) => name).join(' '),
      hint: 'clients do not trust it; penstock cert status says how the certificate from ACME is coming along',
    });
    return this.#fallback.load();
  }

  start(changed: () => void): void {
    this.#changed = changed;
  }

  /** To be called when the listeners are open: only then can the authority find an answer here. */
  begin(): void {
    this.#begun = true;
    this.#wake(0);
  }

  /** An operator wants a new certificate now. */
  renew(): void {
    this.#asked = true;
    if (this.#begun) this.#wake(0);
  }

  async stop(): Promise<void> {
    this.#begun = false;
    this.#cancel();
    this.#issuer.stop();
    await this.#turning;
    this.#changed = () => undefined;
  }

  #wake(pause: number): void {
    this.#cancel();
    this.#cancel = this.#parts.clock.after(pause, () => {
      if (this.#turning !== undefined) return; // it looks at #asked when it is through
      this.#turning = this.#turn().finally(() => (this.#turning = undefined));
    });
  }

  async #turn(): Promise<void> {
    let pause = shortPause;
    const asked = this.#asked;
    this.#asked = false;
    try {
      pause = await this.#look(asked);
    } catch (error) {
      if (this.#begun) this.#parts.log.error('renewal.failed', failureFields(error));
    }
    if (this.#begun) this.#wake(this.#asked ? 0 : Math.min(Math.max(pause, shortestPause), longestPause));
  }

  /** Answers how long to pause, in milliseconds. */
  async #look(asked: boolean): Promise<number> {
    const { clock } = this.#parts;
    const issuer = this.#issuer;
    await issuer.store.prepare();
    const bundle = await this.#adopt();
    if (bundle !== undefined) await issuer.refreshRenewal(bundle);
    const dueAt = await issuer.dueAt();
    let pause = dueAt - clock.now();
    if (asked || pause <= 0) {
      const outcome = await issuer.attempt(asked);
      if (!this.#begun) return 0;
      this.#tell(outcome, bundle);
      const issued = await this.#adopt();
      if (outcome.type === 'issued' && issued !== undefined) await issuer.refreshRenewal(issued);
      if (outcome.type === 'busy') pause = busyPause;
      else if (outcome.type === 'waiting') pause = outcome.until - clock.now();
      else if (outcome.type === 'failed') pause = outcome.nextAttemptAt - clock.now();
      else pause = (await issuer.dueAt()) - clock.now();
    }
    const { renewal } = await issuer.store.readState();
    return Math.min(pause, (renewal?.checkAt ?? Number.POSITIVE_INFINITY) - clock.now());
  }

  /** What this process or another has got is served at once. */
  async #adopt(): Promise<CertificateBundle | undefined> {
    const bundle = await this.#read();
    if (serialsOf(bundle) !== this.#servedSerials) this.#changed();
    return bundle;
  }

  async #read(): Promise<CertificateBundle | undefined> {
    const { store, kinds } = this.#issuer;
    const bundle = await store.readCertificate('ecdsa');
    const second = kinds.includes('rsa') ? await store.readCertificate('rsa') : undefined;
    return bundle === undefined || second === undefined ? bundle : { ...bundle, second };
  }

  #tell(outcome: Outcome, bundle: CertificateBundle | undefined): void {
    const { log, clock } = this.#parts;
    if (outcome.type === 'waiting') {
      const until = new Date(outcome.until).toISOString();
      log.info('renewal.postponed', { until, reason: outcome.waiting });
    }
    if (outcome.type !== 'failed') return;
    const { message, hint, problem, code } = outcome.failure;
    const fields = {
      code,
      problem: problem.type,
      reason: message,
      hint,
      next: new Date(outcome.nextAttemptAt).toISOString(),
    };
    // With most of its life ahead a certificate can wait for an authority to recover; then somebody has to act.
    const urgent =
      bundle === undefined || bundle.notAfter - clock.now() < (bundle.notAfter - bundle.notBefore) / 6;
    if (urgent) log.error('renewal.failed', fields);
    else log.warn('renewal.failed', fields);
  }
}

function serialsOf(bundle: CertificateBundle | undefined): string {
  return bundle === undefined ? '' : `${bundle.serial} ${bundle.second?.chainPem ?? ''}`;
}
