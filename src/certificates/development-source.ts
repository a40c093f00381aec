// Certificates from the development authority: made on the first start, checked on every later one, renewed
// when names change or the end comes near, and rebuilt when the disk holds something that cannot be used.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { ApplianceError, ResourceError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import { type CertificateName, oneLine } from './certificate-name.ts';
import type { CertificateBundle, CertificateSource } from './certificate-source.ts';
import { CertificateStore, type DevelopmentFiles } from './certificate-store.ts';
import {
  authorityIsUsable,
  createDevelopmentAuthority,
  createDevelopmentKey,
  type DevelopmentAuthority,
  issueLeaf,
  leafIsCurrent,
} from './development-authority.ts';

export interface DevelopmentSourceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Each further turn means that another process created or removed the folder in between. */
const turns = 5;

export class DevelopmentSource implements CertificateSource {
  readonly kind = 'development';
  readonly certificateFile: string;
  readonly authorityFile: string;
  readonly #store: CertificateStore;
  readonly #names: readonly CertificateName[];
  readonly #parts: DevelopmentSourceParts;

  /** `root` is the certificates folder; `names` must not be empty. */
  constructor(root: string, names: readonly CertificateName[], parts: DevelopmentSourceParts) {
    this.#store = new CertificateStore(root, parts.random);
    this.#names = names;
    this.#parts = parts;
    this.certificateFile = this.#store.leafFile;
    this.authorityFile = this.#store.authorityFile;
  }

  async load(): Promise<readonly [CertificateBundle]> {
    const files = await this.#withCurrentLeaf(await this.#openFiles());
    const leaf = new X509Certificate(files.leafPem);
    return [
      {
        names: this.#names.map(({ name }) => name),
        chainPem: files.leafPem,
        keyPem: files.leafKeyPem,
        notBefore: Date.parse(leaf.validFrom),
        notAfter: Date.parse(leaf.validTo),
        issuer: oneLine(leaf.issuer),
        serial: leaf.serialNumber,
        file: this.certificateFile,
      },
    ];
  }

  /** The authority alone, made when there is none: it also signs for clients, whatever the server itself shows. */
  async openAuthority(): Promise<DevelopmentAuthority> {
    return (await this.#openFiles()).authority;
  }

  async #openFiles(): Promise<DevelopmentFiles> {
    const { clock, log } = this.#parts;
    for (let turn = 0; turn < turns; turn += 1) {
      const found = await this.#store.readDevelopment(clock.now());
      if (typeof found === 'object' && authorityIsUsable(found.authority, clock.now())) return found;
      if (found !== 'absent') {
        const aside = await this.#store.setDevelopmentAside(clock.now());
        if (aside !== undefined) {
          // Clients have to trust the new authority: the operator must hear of it.
          log.warn('certificate.damaged', { file: this.authorityFile, kept: aside });
        }
      }
      const made = this.#makeFiles();
      if (await this.#store.createDevelopment(made)) {
        log.info('authority.created', { file: this.authorityFile });
        return made;
      }
    }
    throw new ResourceError('CERTIFICATE_UNUSABLE', `other processes keep changing ${this.authorityFile}`, {
      hint: 'let only one appliance use a certificates folder',
    });
  }

  #makeFiles(): DevelopmentFiles {
    const moment = { now: this.#parts.clock.now(), random: this.#parts.random };
    const authority = createDevelopmentAuthority(moment);
    const leafKeyPem = createDevelopmentKey();
    return { authority, leafKeyPem, leafPem: issueLeaf(authority, leafKeyPem, this.#names, moment) };
  }

  // The leaf keeps its key: so a renewal replaces one file, and two processes that renew at once do no harm.
  async #withCurrentLeaf(files: DevelopmentFiles): Promise<DevelopmentFiles> {
    const { clock, log, random } = this.#parts;
    const now = clock.now();
    let { leafKeyPem } = files;
    if (leafIsCurrent(files.leafPem, leafKeyPem, files.authority, this.#names, now)) return files;
    if (!keyIsUsable(leafKeyPem.reveal())) {
      log.warn('certificate.damaged', { file: this.certificateFile.replace(/pem$/, 'key') });
      leafKeyPem = createDevelopmentKey();
      await this.#store.saveLeafKey(leafKeyPem);
    }
    const leafPem = issueLeaf(files.authority, leafKeyPem, this.#names, { now, random });
    try {
      await this.#store.saveLeaf(leafPem);
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error;
      // It can be served from memory, and made again at the next start.
      const { code, message, hint } = error;
      log.error('certificate.failed', { code, file: this.certificateFile, message, hint });
      return { ...files, leafKeyPem, leafPem };
    }
    const leaf = new X509Certificate(leafPem);
    log.info('certificate.issued', {
      file: this.certificateFile,
      names: this.#names.map(({ name }) => name).join(' '),
      issuer: oneLine(leaf.issuer),
      serial: leaf.serialNumber,
      replaces: serialOf(files.leafPem),
      until: new Date(leaf.validTo).toISOString(),
    });
    return { ...files, leafKeyPem, leafPem };
  }
}

function serialOf(pem: string): string | undefined {
  try {
    return new X509Certificate(pem).serialNumber;
  } catch {
    return undefined;
  }
}

function keyIsUsable(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}
