// Where certificates come from. One interface for every origin; the keeper asks it at start and every day.

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
  /** Where the certificate is kept, for messages. */
  readonly file: string;
}

export type CertificateKind = 'development' | 'files';

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
}
