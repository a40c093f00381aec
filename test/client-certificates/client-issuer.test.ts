import { createPrivateKey, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDevelopmentAuthority } from '../../src/certificates/development-authority.ts';
import { issueClient } from '../../src/client-certificates/client-issuer.ts';
import type { KeyId } from '../../src/ops/names.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const now = Date.now();
const year = 365 * 86_400_000;
const authority = createDevelopmentAuthority({ now, random: systemRandom });
const issue = (life = year) =>
  issueClient(
    authority,
    { name: 'camera-1', keyId: '7h2kq9d4' as KeyId, life },
    { now, random: systemRandom },
  );

describe('a certificate for an encoder', () => {
  it('is what OpenSSL takes for a TLS client, and for no server', () => {
    const folder = temporaryFolder();
    const [ca, one] = [join(folder, 'ca.pem'), join(folder, 'one.pem')];
    writeFileSync(ca, authority.certificatePem);
    writeFileSync(one, issue().certificatePem);
    const verify = (purpose: string) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', ca, one], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString();
    expect(verify('sslclient')).toContain('OK');
    expect(() => verify('sslserver')).toThrow('Command failed');
  });

  it('fits its key, names the stream key, and works on a client whose clock is slow', () => {
    const { certificatePem, keyPem } = issue();
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.checkPrivateKey(createPrivateKey(keyPem.reveal()))).toBe(true);
    expect(certificate.subjectAltName).toBe('URI:penstock:key:7h2kq9d4');
    expect(Date.parse(certificate.validFrom)).toBeLessThan(now - 3_599_000);
  });

  it('never outlives its authority, and is new each time', () => {
    const [one, two] = [issue(100 * year), issue(100 * year)];
    const certificate = new X509Certificate(one.certificatePem);
    expect(certificate.validTo).toBe(new X509Certificate(authority.certificatePem).validTo);
    expect(certificate.serialNumber).not.toBe(new X509Certificate(two.certificatePem).serialNumber);
    expect(one.passphrase.reveal()).not.toBe(two.passphrase.reveal());
    expect(JSON.stringify(one)).not.toContain('PRIVATE KEY');
  });
});
