import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { writeCertificate } from '../../src/certificates/x509-writer.ts';
import { readIdentity } from '../../src/client-certificates/client-identity.ts';
import { makeKey } from '../support/certificate-files.ts';

const key = createPrivateKey(makeKey());
const make = (clientUri: string) =>
  writeCertificate(
    {
      serial: Uint8Array.of(0x4a, 0, 0xff),
      issuer: 'CA',
      subject: 'camera-1',
      notBefore: 0,
      notAfter: Date.UTC(2027, 0, 1),
      key,
      role: { authority: false, clientUri },
    },
    key,
  );

describe('the identity in a client certificate', () => {
  it('is its number, its fingerprint and the key it names', () => {
    const pem = make('penstock:key:7h2kq9d4');
    const { raw, fingerprint256 } = new X509Certificate(pem);
    for (const form of [pem, raw]) {
      expect(readIdentity(form)).toMatchObject({
        serial: '4a00ff',
        sha256: fingerprint256.replaceAll(':', '').toLowerCase(),
        keyId: '7h2kq9d4',
        notAfter: Date.UTC(2027, 0, 1),
        forClients: true,
      });
    }
  });

  // Node quotes a name that could be taken for two; the commas here must not make a second one.
  it.each([
    'https://example.com/',
    'penstock:key:',
    'penstock:key:7h2kq9d4x',
    'penstock:key:7H2KQ9D4',
    'penstock:key:../../..',
    'x, URI:penstock:key:7h2kq9d4',
    'PENSTOCK:KEY:7h2kq9d4',
  ])('names no key with %j', (uri) => {
    expect(readIdentity(make(uri))?.keyId).toBeUndefined();
  });

  it('is none where nothing can be read', () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0x30, 0x80), Buffer.from('no certificate')])
      expect(readIdentity(bytes)).toBeUndefined();
  });
});
