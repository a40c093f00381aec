// Where certificates come from. One interface for every origin; the keeper asks it at start, every day, and
// whenever the source itself says that there is something new.

import type { Secret } from '../bytes/secret.ts';

/** One certificate with its key, ready to be served. */
export interface CertificateBundle {
  /** DNS names (wildcards too) and IP addresses it is valid for, canonical. */
  readonly names: readonly string[];
  /** The server's certificate first, then what issued it. */
  readonly chainPem: string;
  readonly keyPem: Secret;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Distinguished name of who issued it, on one line, for people. */
  readonly issuer: string;
  /** Serial number, hexadecimal. */
  readonly serial: string;
  /** Where the certificate is kept, for messages. */
  readonly file: string;
  /** The same names with a key of another kind (RSA beside ECDSA), for the default: each client gets what it takes. */
  readonly second?: CertificatePair;
}

export interface CertificatePair {
  readonly chainPem: string;
  readonly keyPem: Secret;
}

/** What is served at this moment: a source that has nothing of its own yet may fall back to `development`. */
export type CertificateKind = 'development' | 'files' | 'acme';

export interface CertificateSource {
  readonly kind: CertificateKind;
  /** The file of the default certificate. */
  readonly certificateFile: string;
  /** What clients have to trust, where it is not a public authority. */
  readonly authorityFile: string | undefined;
  /**
   * What is to be served now, the default first; never empty. Makes or renews what it can.
   * Throws a SetupError or ResourceError whose message says which file is wrong, and how.
   */
  load(): Promise<readonly [CertificateBundle, ...CertificateBundle[]]>;
  /** For a source with a life of its own: `changed` makes the keeper load again at once. Never waits for the network. */
  start?(changed: () => void): void;
  /** Idempotent; resolves when nothing is left behind. */
  stop?(): Promise<void>;
}
