// The ACME part of the certificates folder (layout: certs/README.md): account, certificates, the order under way
// and the state, one folder for each authority. A file is replaced in one step (temporary file, fsync, rename);
// what is damaged is set aside and counts as absent, for everything here can be had anew.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../bytes/secret.ts';
import { namesOfCertificate, oneLine } from '../certificates/certificate-name.ts';
import type { CertificateBundle, CertificatePair } from '../certificates/certificate-source.ts';
import { ResourceError, systemCodeOf } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import { type FileLock, tryLock } from '../store/file-lock.ts';
import { acmeLimits } from './acme-limits.ts';
import { type AcmeState, emptyState, formatState, parseState } from './acme-state.ts';

export type KeyKind = 'ecdsa' | 'rsa';

export interface Account {
  readonly keyPem: Secret;
  /** Undefined before the first registration. */
  readonly url?: string;
}

/** An order that was begun: it is gone on with after a restart. */
export interface PendingOrder {
  readonly url: string;
  readonly kind: KeyKind;
  readonly names: string;
  /** Of the certificate. */
  readonly keyPem: Secret;
}

export interface AcmeStoreParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const leftoverPrefix = '.new-';
/** A temporary file this old (milliseconds) belongs to a process that died. */
const leftoverAge = 3_600_000;
const certificateFiles = { ecdsa: 'certificate.pem', rsa: 'certificate-rsa.pem' } as const;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----\n?/;

export class AcmeStore {
  readonly folder: string;
  readonly #parts: AcmeStoreParts;

  /** `certsDir` is the certificates folder; each authority has a folder of its own below it. */
  constructor(certsDir: string, directoryUrl: string, parts: AcmeStoreParts) {
    this.folder = join(certsDir, 'acme', folderName(directoryUrl));
    this.#parts = parts;
  }

  certificateFile(kind: KeyKind): string {
    return join(this.folder, certificateFiles[kind]);
  }

  /** Undefined when somebody else is at it. Call prepare() before. @throws ResourceError CERTIFICATE_UNUSABLE */
  lock(): FileLock | undefined {
    const path = join(this.folder, 'lock');
    try {
      return tryLock(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!/not a database|malformed/.test(reason)) throw unusable(this.folder, reason, error);
      // Nobody can hold what is damaged.
      rmSync(path, { force: true });
      return undefined;
    }
  }

  /** Makes the folder and removes what a process that died has left. @throws ResourceError CERTIFICATE_UNUSABLE */
  prepare(): Promise<void> {
    return this.#guarded(async () => {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      for (const name of await readdir(this.folder)) {
        if (!name.startsWith(leftoverPrefix)) continue;
        const path = join(this.folder, name);
        const { mtimeMs } = await stat(path);
        if (this.#parts.clock.now() - mtimeMs > leftoverAge) await rm(path, { force: true });
      }
    });
  }

  readState(): Promise<AcmeState> {
    return this.#guarded(async () => {
      const text = await this.#read('state.json');
      if (text === undefined) return emptyState;
      return parseState(text) ?? (await this.#setAside('state.json', emptyState));
    });
  }

  saveState(state: AcmeState): Promise<void> {
    return this.#guarded(() => this.#replace('state.json', formatState(state)));
  }

  /** Undefined when there is none yet. */
  readAccount(): Promise<Account | undefined> {
    return this.#guarded(async () => {
      const keyPem = await this.#read('account.key');
      if (keyPem === undefined) return undefined;
      if (!isPrivateKey(keyPem)) return this.#setAside('account.key', undefined);
      const url = parseBlock((await this.#read('account.json')) ?? '')['url'];
      return { keyPem: new Secret(keyPem), ...(typeof url === 'string' ? { url } : {}) };
    });
  }

  saveAccount({ keyPem, url }: Account): Promise<void> {
    return this.#guarded(async () => {
      await this.#replace('account.key', keyPem.reveal());
      await this.#replace('account.json', `${JSON.stringify({ url }, null, 2)}\n`);
    });
  }

  readOrder(): Promise<PendingOrder | undefined> {
    return this.#guarded(async () => {
      const text = await this.#read('order.json');
      if (text === undefined) return undefined;
      const { url, kind, names, key } = parseBlock(text);
      const sound =
        typeof url === 'string' &&
        (kind === 'ecdsa' || kind === 'rsa') &&
        typeof names === 'string' &&
        typeof key === 'string' &&
        isPrivateKey(key);
      return sound ? { url, kind, names, keyPem: new Secret(key) } : this.#setAside('order.json', undefined);
    });
  }

  saveOrder({ url, kind, names, keyPem }: PendingOrder): Promise<void> {
    const text = JSON.stringify({ url, kind, names, key: keyPem.reveal() }, null, 2);
    return this.#guarded(() => this.#replace('order.json', `${text}\n`));
  }

  removeOrder(): Promise<void> {
    return this.#guarded(() => rm(join(this.folder, 'order.json'), { force: true }));
  }

  /** Undefined when there is none, or none that could be served. */
  readCertificate(kind: KeyKind): Promise<CertificateBundle | undefined> {
    return this.#guarded(async () => {
      const text = await this.#read(certificateFiles[kind]);
      if (text === undefined) return undefined;
      return bundleOf(text, this.certificateFile(kind)) ?? this.#setAside(certificateFiles[kind], undefined);
    });
  }

  /** Key and chain in one file, so that they always belong together. */
  saveCertificate(kind: KeyKind, { keyPem, chainPem }: CertificatePair): Promise<void> {
    return this.#guarded(() => this.#replace(certificateFiles[kind], `${keyPem.reveal()}${chainPem}`));
  }

  /** Empty, which is damaged, when it is no file of ours: a folder, or far too long. */
  async #read(name: string): Promise<string | undefined> {
    const path = join(this.folder, name);
    try {
      const found = await stat(path);
      if (!found.isFile() || found.size > acmeLimits.fileSize) return '';
      return await readFile(path, 'utf8');
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #replace(name: string, text: string): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const suffix = Buffer.from(this.#parts.random.bytes(6)).toString('hex');
    const temporary = join(this.folder, `${leftoverPrefix}${suffix}`);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.folder, name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    const folder = await open(this.folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async #setAside<T>(name: string, instead: T): Promise<T> {
    const path = join(this.folder, name);
    const kept = `${path}.damaged`;
    await rm(kept, { recursive: true, force: true }); // a folder could not be replaced
    await rename(path, kept);
    this.#parts.log.warn('certificate.damaged', { file: path, kept });
    return instead;
  }

  /** What the file system refuses is the operator's to mend. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === undefined) throw error;
      throw unusable(this.folder, code, error);
    }
  }
}

function unusable(folder: string, reason: string, cause: unknown): ResourceError {
  return new ResourceError('CERTIFICATE_UNUSABLE', `${folder} cannot be used (${reason})`, {
    hint: 'certsDir must be a folder that this user may write to, on a volume that is not full',
    cause,
  });
}

/** Undefined when the text holds no certificate with its key, or none for a name. */
export function bundleOf(text: string, file: string): CertificateBundle | undefined {
  const keyPem = privateKey.exec(text)?.[0];
  if (keyPem === undefined) return undefined;
  try {
    const chainPem = text.replace(privateKey, '');
    const leaf = new X509Certificate(chainPem);
    if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) return undefined;
    const names = namesOfCertificate(leaf.subjectAltName);
    if (names.length === 0) return undefined;
    return {
      names,
      chainPem,
      keyPem: new Secret(keyPem),
      notBefore: Date.parse(leaf.validFrom),
      notAfter: Date.parse(leaf.validTo),
      issuer: oneLine(leaf.issuer),
      serial: leaf.serialNumber,
      file,
    };
  } catch {
    return undefined;
  }
}

/** `https://acme.example/directory` → `acme.example-directory`. */
function folderName(directoryUrl: string): string {
  const { host, pathname, search } = new URL(directoryUrl);
  return `${host}${pathname}${search}`.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem);
    return true;
  } catch {
    return false;
  }
}

function parseBlock(text: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
