// What reads the file are other people's programs: OpenSSL, Node's TLS and node-forge.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import forge from 'node-forge';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { writePkcs12 } from '../../src/client-certificates/pkcs12-writer.ts';
import { makeIssuer, makeLeaf } from '../support/certificate-files.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const now = Date.UTC(2026, 10, 22);
const authority = makeIssuer('Test CA', now);
const leaf = makeLeaf(authority, ['camera.example'], { notBefore: now, notAfter: now + 86_400_000 });
const passphrase = 'correct-horse-battery';
const file = writePkcs12(
  {
    key: createPrivateKey(leaf.keyPem),
    certificatePem: leaf.pem,
    authorityPem: authority.pem,
    name: 'camera one',
    passphrase: new Secret(passphrase),
  },
  seededRandom('p12'),
);

describe('a PKCS #12 file', () => {
  it('opens with OpenSSL: key, certificate and authority, sealed with AES-256 and SHA-256', () => {
    const path = join(temporaryFolder(), 'client.p12');
    writeFileSync(path, file);
    const openssl = (...args: string[]) =>
      execFileSync('openssl', ['pkcs12', '-in', path, '-passin', `pass:${passphrase}`, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      }).toString();
    expect(createPrivateKey(openssl('-nocerts', '-noenc')).equals(createPrivateKey(leaf.keyPem))).toBe(true);
    const found = openssl('-nokeys', '-clcerts');
    expect(found).toContain('friendlyName: camera one');
    expect(new X509Certificate(found.slice(found.indexOf('-----'))).toString()).toBe(leaf.pem);
    const issuer = openssl('-nokeys', '-cacerts');
    expect(new X509Certificate(issuer.slice(issuer.indexOf('-----'))).toString()).toBe(authority.pem);
    const asn1 = execFileSync('openssl', ['asn1parse', '-inform', 'der', '-in', path]).toString();
    expect(asn1).toContain('sha256');
    expect(asn1).not.toMatch(/RC2|DES|sha1\b/i);
  });

  it('is taken by Node.js, and only with its passphrase', () => {
    expect(() => createSecureContext({ pfx: file, passphrase })).not.toThrow();
    expect(() => createSecureContext({ pfx: file, passphrase: 'wrong' })).toThrow(/mac verify failure/);
    expect(file.includes(createPrivateKey(leaf.keyPem).export({ type: 'pkcs8', format: 'der' }))).toBe(false);
  });

  it('is taken by node-forge', () => {
    const asn1 = forge.asn1.fromDer(file.toString('latin1'));
    const bags = forge.pkcs12
      .pkcs12FromAsn1(asn1, passphrase)
      .safeContents.flatMap(({ safeBags }) => safeBags);
    expect(bags.length).toBe(3);
  });
});
