// Certificates that the operator provides, kept fresh: when files change they are read again, and what is new replaces
// what was served. A pair that cannot be used, or that is worse than the one before, is refused, and the one before is
// served on. Leaves out revocation and trust: a private authority is the operator's own choice.
import {
  type Chain,
  type CertificateFiles,
  mainFileOf,
  pathsOf,
  readPair,
} from '../certificate-files/pair-reader.ts';
import type { CertificatePair } from '../certificate-files/pair-reader.ts';
import { type Doubt, doubtsAbout } from '../certificate-files/chain-rule.ts';
import { FileWatcher } from '../certificate-files/file-watcher.ts';
import { ApplianceError, SetupError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { chooseByName, namesOfCertificate, oneLine, parseCertificateName } from './certificate-name.ts';
import type { CertificateBundle, CertificateSource } from './certificate-source.ts';

export type { CertificateFiles } from '../certificate-files/pair-reader.ts';

export interface FileSourceParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Public names of this installation. */
  readonly hosts: readonly string[];
}

interface Served {
  readonly pair: CertificatePair;
  readonly bundle: CertificateBundle;
}

/** A pair that is half written is read again so many times, so many milliseconds apart, before it counts as wrong. */
const retries = 3;
const retryDelay = 2_000;

export class FileSource implements CertificateSource {
  readonly kind = 'files';
  readonly certificateFile: string;
  readonly authorityFile = undefined;
  readonly #files: readonly [CertificateFiles, ...CertificateFiles[]];
  readonly #parts: FileSourceParts;
  readonly #served = new Map<CertificateFiles, Served>();
  #watcher: FileWatcher | undefined;
  #changed: (() => void) | undefined;
  #cancelRetry: CancelTimer | undefined;
  #attempts = 0;

  constructor(files: readonly [CertificateFiles, ...CertificateFiles[]], parts: FileSourceParts) {
    this.#files = files;
    this.#parts = parts;
    this.certificateFile = mainFileOf(files[0]);
  }

  start(changed: () => void): void {
    this.#changed = changed;
    this.#watcher = new FileWatcher({
      paths: this.#files.flatMap(pathsOf),
      clock: this.#parts.clock,
      onChange: () => {
        this.#attempts = 0;
        changed();
      },
    });
    void this.#watcher.start();
  }

  async stop(): Promise<void> {
    this.#cancelRetry?.();
    this.#changed = undefined;
    await this.#watcher?.stop();
  }

  /** Throws SetupError when there is nothing to serve yet. */
  async load(): Promise<readonly [CertificateBundle, ...CertificateBundle[]]> {
    this.#cancelRetry?.();
    const [first, ...others] = this.#files;
    const bundles = [await this.#loadPair(first)] as const;
    const more: CertificateBundle[] = [];
    for (const files of others) more.push(await this.#loadPair(files));
    this.#sayUncovered([...bundles, ...more]);
    return [...bundles, ...more];
  }

  async #loadPair(files: CertificateFiles): Promise<CertificateBundle> {
    const before = this.#served.get(files);
    try {
      const served = serve(await readPair(files));
      if (before === undefined) {
        this.#sayDoubts(doubtsAbout(served.pair, [], this.#parts.clock.now()), 'incomplete');
      } else if (served.bundle.chainPem !== before.bundle.chainPem) {
        this.#requireNoWorse(served, before);
        const { file, serial, notAfter } = served.bundle;
        this.#parts.log.info('certificate.replaced', {
          file,
          serial,
          until: new Date(notAfter).toISOString(),
        });
      }
      this.#served.set(files, served);
      return served.bundle;
    } catch (error) {
      if (before === undefined || !(error instanceof ApplianceError)) throw error;
      this.#refuse(before.bundle.file, error);
      return before.bundle;
    }
  }

  // A renewed certificate that lacks what the old one had is a mistake: it is said while the old one still serves.
  #requireNoWorse(served: Served, before: Served): void {
    const now = this.#parts.clock.now();
    if (before.bundle.notAfter <= now) return; // anything is better
    const lost = this.#hosts(before.bundle).filter((host) => !this.#hosts(served.bundle).includes(host));
    const known = new Set(doubtsAbout(before.pair, [], now).map(({ kind }) => kind));
    const worse = doubtsAbout(served.pair, lost, now).find(({ kind }) => !known.has(kind));
    if (worse !== undefined)
      throw new SetupError('CERTIFICATE_FILE_UNUSABLE', worse.message, { hint: worse.hint });
  }

  #refuse(file: string, { code, message, hint }: ApplianceError): void {
    this.#attempts += 1;
    if (this.#attempts < retries && this.#changed !== undefined) {
      this.#cancelRetry = this.#parts.clock.after(retryDelay, this.#changed);
      return;
    }
    this.#parts.log.error('certificate.failed', { code, file, message, hint });
  }

  /** The names of this server that the certificate carries. */
  #hosts({ names }: CertificateBundle): readonly string[] {
    return this.#parts.hosts.filter((host) => covers(names, host));
  }

  #sayUncovered(bundles: readonly CertificateBundle[]): void {
    const names = bundles.flatMap((bundle) => bundle.names);
    const uncovered = this.#parts.hosts.filter((host) => !covers(names, host));
    if (uncovered.length === 0) return;
    const [pair] = this.#served.values();
    if (pair !== undefined)
      this.#sayDoubts(doubtsAbout(pair.pair, uncovered, this.#parts.clock.now()), 'uncovered');
  }

  // That the certificate itself has run out, the keeper says every day.
  #sayDoubts(doubts: readonly Doubt[], only: Doubt['kind']): void {
    for (const { kind, message, hint } of doubts) {
      if (kind === only) this.#parts.log.warn('certificate.doubted', { message, hint });
    }
  }
}

function covers(names: readonly string[], host: string): boolean {
  const name = parseCertificateName(host)?.name;
  // The empty first list stands for "no certificate carries it".
  return name !== undefined && chooseByName([[], names], name) === 1;
}

function serve(pair: CertificatePair): Served {
  const { chain, keyPem, file } = pair;
  const [leaf] = chain;
  const names = namesOfCertificate(leaf.subjectAltName);
  if (names.length === 0) {
    const message = `${file} carries no DNS name or IP address that a client could check (no subjectAltName)`;
    throw new SetupError('CERTIFICATE_FILE_UNUSABLE', message, {
      hint: 'ask for a certificate that carries the names of this server',
    });
  }
  const bundle = {
    names,
    chainPem: textOf(chain),
    keyPem,
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
    issuer: oneLine(leaf.issuer),
    serial: leaf.serialNumber,
    file,
  };
  return { pair, bundle };
}

function textOf(chain: Chain): string {
  return chain.map(String).join('');
}
