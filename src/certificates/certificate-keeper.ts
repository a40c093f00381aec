// Holds the certificates that are served, and keeps them fresh: loaded at start, looked at again every day and
// when the source says so, chosen by server name. A look that fails changes nothing: what was served before is
// served on, and the log says so. Never waits for the network. Where certificates come from is the source's matter.
import { createSecureContext, type SecureContext } from 'node:tls';
import { failureFields, ResourceError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import type { Log } from '../ops/log.ts';
import { chooseByName } from './certificate-name.ts';
import type { CertificateBundle, CertificateKind, CertificateSource } from './certificate-source.ts';
import { keyMaterial, tlsSuites } from './tls-policy.ts';

export interface CertificateKeeperParts {
  readonly clock: Clock;
  readonly log: Log;
  /** PEM: who signs for clients, where they are asked for certificates (tls-policy.ts). */
  readonly clientAuthority?: string | undefined;
}

const day = 86_400_000;
/** From here on the log reminds the operator every day; of a short life the last sixth. */
const reminderTime = 14 * day;

export class CertificateKeeper implements Component {
  readonly #source: CertificateSource;
  readonly #parts: CertificateKeeperParts;
  readonly #listeners = new Set<() => void>();
  #served: readonly { readonly bundle: CertificateBundle; readonly context: SecureContext }[] = [];
  #cancel: CancelTimer | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;

  constructor(source: CertificateSource, parts: CertificateKeeperParts) {
    this.#source = source;
    this.#parts = parts;
  }

  get kind(): CertificateKind {
    return this.#source.kind;
  }

  /** The file of the default certificate. */
  get certificateFile(): string {
    return this.#source.certificateFile;
  }

  /** What clients have to trust; undefined when that is for the operator to know. */
  get caFile(): string | undefined {
    return this.#source.authorityFile;
  }

  /** Every name that is answered with a certificate that carries it. */
  get names(): readonly string[] {
    return [...new Set(this.#served.flatMap(({ bundle }) => bundle.names))];
  }

  /** What is served, the default first; times in milliseconds since the epoch. */
  get served(): readonly Pick<CertificateBundle, 'names' | 'notAfter'>[] {
    return this.#served.map(({ bundle: { names, notAfter } }) => ({ names, notAfter }));
  }

  /** Throws a SetupError or ResourceError when there is nothing to serve. */
  async start(): Promise<void> {
    await this.#load();
    this.#cancel = this.#parts.clock.every(day, () => this.#askForLook());
    this.#source.start?.(() => this.#askForLook());
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#source.stop?.();
    await this.#looking;
  }

  /** For a client without a server name, or with a foreign one: the default certificate. */
  contextFor(serverName: string | undefined): SecureContext {
    return this.#choose(serverName).context;
  }

  /** The same choice, as PEM: what `tls.createServer` and `setSecureContext` take. */
  bundleFor(serverName: string | undefined): CertificateBundle {
    return this.#choose(serverName).bundle;
  }

  /** Calls back when other certificates are served than before; returns how to stop that. */
  onRenewed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #choose(serverName: string | undefined): { bundle: CertificateBundle; context: SecureContext } {
    const index = chooseByName(
      this.#served.map(({ bundle }) => bundle.names),
      serverName,
    );
    const chosen = this.#served[index];
    if (chosen === undefined) throw new Error('the certificate keeper was not started');
    return chosen;
  }

  // What is new may have come just after the look under way had read: then one more follows.
  #askForLook(): void {
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#lookAgain) {
        this.#lookAgain = false;
        this.#askForLook();
      }
    });
  }

  /** A look while serving: nothing it meets may stop the appliance. */
  async #look(): Promise<void> {
    try {
      await this.#load();
    } catch (error) {
      const { reason: message, ...fields } = failureFields(error);
      this.#parts.log.error('certificate.failed', { message, ...fields });
      this.#remind();
    }
  }

  async #load(): Promise<void> {
    const bundles = await this.#source.load();
    const before = this.#served.map(({ bundle }) => chainsOf(bundle)).join('');
    if (bundles.map(chainsOf).join('') !== before) {
      this.#served = bundles.map((bundle) => ({
        bundle,
        context: contextOf(bundle, this.#parts.clientAuthority),
      }));
      if (before !== '') for (const listener of this.#listeners) listener();
    }
    this.#remind();
  }

  #remind(): void {
    const now = this.#parts.clock.now();
    for (const { bundle } of this.#served) {
      const until = new Date(bundle.notAfter).toISOString();
      if (bundle.notAfter <= now || bundle.notBefore > now) {
        // Served all the same: encoders that do not check go on, and the others are told the truth.
        const error = new ResourceError(
          'CERTIFICATE_UNUSABLE',
          bundle.notAfter <= now
            ? `the certificate in ${bundle.file} expired at ${until}`
            : `the certificate in ${bundle.file} is not valid before ${new Date(bundle.notBefore).toISOString()}`,
          {
            hint: 'replace the file with a valid certificate, and check that the clock of this machine is right',
          },
        );
        this.#parts.log.error('certificate.expired', {
          code: error.code,
          message: error.message,
          hint: error.hint,
        });
      } else if (bundle.notAfter - now < Math.min(reminderTime, (bundle.notAfter - bundle.notBefore) / 6)) {
        this.#parts.log.warn('certificate.nearly-expired', { file: bundle.file, until });
      }
    }
  }
}

function contextOf(bundle: CertificateBundle, ca: string | undefined): SecureContext {
  return createSecureContext({ ...tlsSuites, ...keyMaterial(bundle), ...(ca !== undefined && { ca }) });
}

function chainsOf({ chainPem, second }: CertificateBundle): string {
  return chainPem + (second?.chainPem ?? '');
}
