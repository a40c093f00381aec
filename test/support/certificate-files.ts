// Certificates for tests of what operators provide: any names, dates and chains, written as PEM files.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCertificateName } from '../../src/certificates/certificate-name.ts';
import { writeCertificate } from '../../src/certificates/x509-writer.ts';

export interface TestIssuer {
  readonly name: string;
  readonly keyPem: string;
  readonly pem: string;
}

const day = 86_400_000;

export function makeKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** Signs itself, or is signed by `issuer`. */
export function makeIssuer(name: string, now: number, issuer?: TestIssuer): TestIssuer {
  const keyPem = makeKey();
  const key = createPrivateKey(keyPem);
  const pem = writeCertificate(
    {
      serial: Uint8Array.of(0x41),
      issuer: issuer?.name ?? name,
      subject: name,
      notBefore: now - 1000 * day,
      notAfter: now + 1000 * day,
      key,
      role: { authority: true },
    },
    issuer === undefined ? key : createPrivateKey(issuer.keyPem),
  );
  return { name, keyPem, pem };
}

export function makeLeaf(
  issuer: TestIssuer,
  names: readonly string[],
  life: { readonly notBefore: number; readonly notAfter: number },
  keyPem = makeKey(),
  serial = Uint8Array.of(0x42),
): { pem: string; keyPem: string } {
  const pem = writeCertificate(
    {
      serial,
      issuer: issuer.name,
      subject: names[0] ?? 'nameless',
      ...life,
      key: createPrivateKey(keyPem),
      role: { authority: false, names: names.map((name) => parseCertificateName(name)!) },
    },
    createPrivateKey(issuer.keyPem),
  );
  return { pem, keyPem };
}

/** The same certificate with one bit of its signature changed. */
export function tamperWith(pem: string): string {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

/** Writes NAME.pem and NAME.key into the folder. */
export function writePair(
  folder: string,
  name: string,
  chain: string,
  keyPem: string,
): { cert: string; key: string } {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(files.cert, chain);
  writeFileSync(files.key, keyPem, { mode: 0o600 });
  return files;
}
