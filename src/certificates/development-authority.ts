// The development authority: one CA per installation, and the server certificate ("leaf") it issues, so that a
// fresh machine speaks TLS at once and its operator trusts one file. Names come in, PEM goes out; nothing is
// stored here. Leaves out revocation: whoever doubts the authority deletes its folder.
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { Secret } from '../bytes/secret.ts';
import type { Random } from '../ops/random.ts';
import { namesOfCertificate, parseCertificateName, type CertificateName } from './certificate-name.ts';
import { writeCertificate } from './x509-writer.ts';

/** The certificate as PEM, its private key as PKCS#8 PEM. */
export interface DevelopmentAuthority {
  readonly certificatePem: string;
  readonly keyPem: Secret;
}

export interface Moment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: Random;
}

const hour = 3_600_000;
const day = 24 * hour;
/** Clients whose clock is a little slow must not refuse a certificate that was just made. */
const backdating = hour;
const authorityLife = 10 * 365 * day;
/** Apple and others accept at most 398 days. */
const leafLife = 397 * day;
/** A certificate with less left than this is made anew. */
const renewalTime = 30 * day;

/** A private key on P-256, as PKCS#8 PEM. */
export function createDevelopmentKey(): Secret {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

export function createDevelopmentAuthority({ now, random }: Moment): DevelopmentAuthority {
  const keyPem = createDevelopmentKey();
  const key = createPrivateKey(keyPem.reveal());
  // Two authorities must not share a name: trust stores look an issuer up by it.
  const name = `Penstock development CA ${Buffer.from(random.bytes(4)).toString('hex')}`;
  const notBefore = now - backdating;
  const certificatePem = writeCertificate(
    {
      serial: serialNumber(random),
      issuer: name,
      subject: name,
      notBefore,
      notAfter: notBefore + authorityLife,
      key,
      role: { authority: true },
    },
    key,
  );
  return { certificatePem, keyPem };
}

/** A server certificate for the key `leafKeyPem`; `names` is not empty. Never outlives its authority. */
export function issueLeaf(
  authority: DevelopmentAuthority,
  leafKeyPem: Secret,
  names: readonly CertificateName[],
  { now, random }: Moment,
): string {
  const issuer = new X509Certificate(authority.certificatePem);
  const notBefore = now - backdating;
  return writeCertificate(
    {
      serial: serialNumber(random),
      issuer: issuer.subject.replace(/^CN=/, ''),
      subject: 'Penstock development server',
      notBefore,
      notAfter: Math.min(notBefore + leafLife, Date.parse(issuer.validTo)),
      key: createPrivateKey(leafKeyPem.reveal()),
      role: { authority: false, names },
    },
    createPrivateKey(authority.keyPem.reveal()),
  );
}

/**
 * The names of the leaf: always this machine, then what is configured. A machine name that no certificate can
 * carry is left out; `hosts` must have been checked by the caller.
 */
export function leafNames(machineName: string, hosts: readonly string[]): readonly CertificateName[] {
  const names = new Map<string, CertificateName>();
  for (const text of [...hosts, 'localhost', '127.0.0.1', '::1', machineName]) {
    const name = parseCertificateName(text);
    if (name !== undefined) names.set(name.name, name);
  }
  return [...names.values()];
}

/** Whether this pair can still issue: it parses, belongs together, signs itself, is a CA and does not end soon. */
export function authorityIsUsable(authority: DevelopmentAuthority, now: number): boolean {
  return quietly(() => {
    const certificate = new X509Certificate(authority.certificatePem);
    return (
      certificate.ca &&
      certificate.checkPrivateKey(createPrivateKey(authority.keyPem.reveal())) &&
      certificate.verify(certificate.publicKey) &&
      Date.parse(certificate.validTo) - now > renewalTime
    );
  });
}

/** Whether the leaf needs no renewal: right authority, right key, exactly these names, more than 30 days left. */
export function leafIsCurrent(
  leafPem: string,
  leafKeyPem: Secret,
  authority: DevelopmentAuthority,
  names: readonly CertificateName[],
  now: number,
): boolean {
  return quietly(() => {
    const leaf = new X509Certificate(leafPem);
    const issuer = new X509Certificate(authority.certificatePem);
    const carried = new Set(namesOfCertificate(leaf.subjectAltName));
    return (
      leaf.checkPrivateKey(createPrivateKey(leafKeyPem.reveal())) &&
      leaf.checkIssued(issuer) &&
      leaf.verify(issuer.publicKey) &&
      carried.size === names.length &&
      names.every(({ name }) => carried.has(name)) &&
      // A leaf from the future is kept: then it is this machine's clock that is wrong.
      Date.parse(leaf.validTo) - now > renewalTime
    );
  });
}

/** What cannot even be parsed is answered with false. */
function quietly(question: () => boolean): boolean {
  try {
    return question();
  } catch {
    return false;
  }
}

// RFC 5280 4.1.2.2: positive and at most 20 bytes. Bit 6 set keeps the first byte from being zero.
export function serialNumber(random: Random): Uint8Array {
  const serial = Uint8Array.from(random.bytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}
