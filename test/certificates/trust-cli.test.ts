import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { explainTrust, type TrustContext } from '../../src/certificates/trust-cli.ts';
import { makeIssuer } from '../support/certificate-files.ts';

const authority = makeIssuer('Penstock development CA 01', Date.UTC(2026, 10, 22));
const context: TrustContext = {
  authorityPem: authority.pem,
  authorityFile: "/srv/pen'stock/ca.pem",
  served: true,
  rtmpsUrl: 'rtmps://ingest.example.com',
  httpsUrl: 'https://ingest.example.com',
};

describe('cert trust', () => {
  it('shows the fingerprint, and a line for every system and program', () => {
    const { text, json } = explainTrust(context);
    const { fingerprint256 } = new X509Certificate(authority.pem);
    expect(text).toContain(fingerprint256);
    expect(json).toMatchObject({ sha256: fingerprint256, name: 'Penstock development CA 01', served: true });
    for (const word of [
      'update-ca-certificates',
      'update-ca-trust',
      'security add-trusted-cert',
      'certutil -addstore',
      'OBS',
      '-tls_verify 1 -ca_file',
      'curl --cacert',
    ])
      expect(text).toContain(word);
    expect(text).not.toContain('PRIVATE KEY');
  });

  it('quotes the path for a shell', () => {
    expect(explainTrust(context).text).toContain(
      String.raw`curl --cacert '/srv/pen'\''stock/ca.pem' https://`,
    );
  });

  it('says when nobody needs it to reach the server', () => {
    const { text } = explainTrust({ ...context, served: false });
    expect(text).toContain('only signs client certificates');
    expect(text).not.toContain('update-ca-certificates');
  });
});
