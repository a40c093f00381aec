import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCertificateName } from '../../src/certificates/certificate-name.ts';
import { writeCertificate, type CertificateContent } from '../../src/certificates/x509-writer.ts';
import { makeKey } from '../support/certificate-files.ts';

const key = createPrivateKey(makeKey());
const content: CertificateContent = {
  serial: Uint8Array.of(0x7f, 0x00, 0xff),
  issuer: 'Issuer',
  subject: 'Subject',
  notBefore: Date.UTC(2026, 0, 1),
  notAfter: Date.UTC(2027, 0, 1),
  key,
  role: { authority: false, names: [] },
};
const write = (changes: Partial<CertificateContent>) =>
  new X509Certificate(writeCertificate({ ...content, ...changes }, key));

describe('a written certificate', () => {
  it('reads as it was meant', () => {
    const certificate = write({});
    expect(certificate.serialNumber).toBe('7F00FF');
    expect(certificate.issuer).toBe('CN=Issuer');
    expect(certificate.subject).toBe('CN=Subject');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  it.each([
    ['the last second of 2049 (UTCTime)', Date.UTC(2049, 11, 31, 23, 59, 59)],
    ['the first of 2050 (GeneralizedTime)', Date.UTC(2050, 0, 1)],
    ['a time between two seconds', Date.UTC(2027, 5, 1) + 999],
  ])('ends at %s', (_, notAfter) => {
    expect(Date.parse(write({ notAfter }).validTo)).toBe(Math.floor(notAfter / 1000) * 1000);
  });

  it('carries names of both kinds, and text beyond ASCII', () => {
    const names = ['a.example', '*.a.example', '192.0.2.1', '2001:db8::1'].map((name) =>
      parseCertificateName(name)!,
    );
    const certificate = write({ subject: 'Küche', role: { authority: false, names } });
    expect(certificate.subjectAltName).toBe(
      'DNS:a.example, DNS:*.a.example, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1',
    );
    expect(certificate.subject).toBe('CN=Küche');
  });

  it('names a client by URI, for TLS clients only', () => {
    const certificate = write({ role: { authority: false, clientUri: 'penstock:key:7h2kq9d4' } });
    expect(certificate.subjectAltName).toBe('URI:penstock:key:7h2kq9d4');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
  });

  it('is PEM in lines of 64, whatever its length', () => {
    for (let length = 1; length < 60; length += 1) {
      const pem = writeCertificate({ ...content, subject: 'x'.repeat(length) }, key);
      expect(pem).toMatch(
        /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n-----END/,
      );
      expect(new X509Certificate(pem).subject).toHaveLength(length + 3);
    }
  });
});
