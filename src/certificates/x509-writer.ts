// Writes X.509 v3 certificates (RFC 5280 4.1) with ECDSA on P-256: ASN.1 by der-writer.ts, signatures
// by node:crypto, for node-forge knows no elliptic curves. Leaves out every extension but the six that are here.
import { createHash, createPublicKey, sign, type KeyObject } from 'node:crypto';
import type { CertificateName } from './certificate-name.ts';
import {
  type Asn1,
  bitString,
  boolean,
  context,
  contextConstructed,
  der,
  encoded,
  integer,
  octets,
  oid,
  sequence,
  set,
  time,
  utf8,
} from './der-writer.ts';

export interface CertificateContent {
  /** Positive, 1-20 bytes, big-endian, without a leading zero. */
  readonly serial: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  /** Milliseconds since the epoch; written in whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The key that is certified: a private or a public one, on P-256. */
  readonly key: KeyObject;
  readonly role:
    | { readonly authority: true }
    | { readonly authority: false; readonly names: readonly CertificateName[] }
    | { /** For a TLS client, whom the URI names. */ readonly authority: false; readonly clientUri: string };
}

const oids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2', // RFC 5758 3.2
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** Signs with `issuerKey`, a private key on P-256; returns PEM with one final line feed. */
export function writeCertificate(content: CertificateContent, issuerKey: KeyObject): string {
  const algorithm = sequence(oid(oids.ecdsaWithSha256));
  const toBeSigned = sequence(
    contextConstructed(0, integer(Uint8Array.of(2))), // v3
    integer(content.serial),
    algorithm,
    commonName(content.issuer),
    sequence(time(content.notBefore), time(content.notAfter)),
    commonName(content.subject),
    encoded(publicKeyOf(content.key)),
    contextConstructed(3, sequence(...extensions(content, issuerKey))),
  );
  const signature = sign('sha256', der(toBeSigned), issuerKey);
  const certificate = sequence(toBeSigned, algorithm, bitString(signature, 0));
  const base64 = der(certificate)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

// RFC 5280 4.2.1
function extensions({ key, role }: CertificateContent, issuerKey: KeyObject): Asn1[] {
  const keyIdentifiers = [
    extension(oids.subjectKeyIdentifier, false, octets(keyIdentifier(key))),
    extension(oids.authorityKeyIdentifier, false, sequence(context(0, keyIdentifier(issuerKey)))),
  ];
  if (role.authority) {
    return [
      // May issue leaves, but no further authority: pathLenConstraint 0.
      extension(oids.basicConstraints, true, sequence(boolean(true), integer(Uint8Array.of(0)))),
      extension(oids.keyUsage, true, bitString(Uint8Array.of(0b0000_0110), 1)), // keyCertSign, cRLSign
      ...keyIdentifiers,
    ];
  }
  const [purpose, names] =
    'clientUri' in role
      ? [oids.clientAuth, [context(6, Buffer.from(role.clientUri, 'latin1'))]] // uniformResourceIdentifier
      : [oids.serverAuth, role.names.map(generalName)];
  return [
    extension(oids.basicConstraints, true, sequence()),
    extension(oids.keyUsage, true, bitString(Uint8Array.of(0b1000_0000), 7)), // digitalSignature
    extension(oids.extendedKeyUsage, false, sequence(oid(purpose))),
    extension(oids.subjectAltName, false, sequence(...names)),
    ...keyIdentifiers,
  ];
}

// RFC 5280 4.2.1.6: dNSName [2], iPAddress [7]
function generalName(name: CertificateName): Asn1 {
  return name.kind === 'dns' ? context(2, Buffer.from(name.name, 'latin1')) : context(7, name.bytes);
}

/** The leftmost 160 bits of SHA-256 over the public key's bits (RFC 7093 2, method 1). */
function keyIdentifier(key: KeyObject): Uint8Array {
  const point = publicKeyOf(key).subarray(-65); // an uncompressed point on P-256 ends the structure
  return createHash('sha256').update(point).digest().subarray(0, 20);
}

function publicKeyOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' });
}

function commonName(text: string): Asn1 {
  return sequence(set(sequence(oid(oids.commonName), utf8(text))));
}

function extension(id: string, critical: boolean, value: Asn1): Asn1 {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(der(value)));
}
