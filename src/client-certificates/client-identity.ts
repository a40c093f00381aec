// Reads the certificate that a client has shown: its number, its fingerprint, and the stream key it names. Says
// nothing about whether that is to be believed (client-certificate-gate.ts).
import { X509Certificate } from 'node:crypto';
import { isKeyId } from '../keys/stream-key-format.ts';
import type { KeyId } from '../ops/names.ts';

export interface ClientIdentity {
  readonly certificate: X509Certificate;
  /** Hex, lower case. */
  readonly serial: string;
  /** Fingerprint in hex, lower case. */
  readonly sha256: string;
  /** The key that a URI of the certificate names; undefined when there is none. */
  readonly keyId: KeyId | undefined;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** Whether it is made for TLS clients. */
  readonly forClients: boolean;
}

const clientAuth = '1.3.6.1.5.5.7.3.2';

/** The name of a key inside a certificate. RFC 5280 4.2.1.6: uniformResourceIdentifier. */
export function keyUri(id: KeyId): string {
  return `penstock:key:${id}`;
}

/** `certificate` in DER, or in PEM. Undefined when it cannot be read. */
export function readIdentity(certificate: Uint8Array | string): ClientIdentity | undefined {
  try {
    const read = new X509Certificate(certificate);
    const id = /(?:^|, )URI:penstock:key:([^, ]+)(?:$|, )/.exec(read.subjectAltName ?? '')?.[1];
    return {
      certificate: read,
      serial: read.serialNumber.toLowerCase(),
      sha256: read.fingerprint256.replaceAll(':', '').toLowerCase(),
      keyId: id !== undefined && isKeyId(id) ? (id as KeyId) : undefined,
      notAfter: Date.parse(read.validTo),
      forClients: read.keyUsage?.includes(clientAuth) ?? false,
    };
  } catch {
    return undefined;
  }
}
