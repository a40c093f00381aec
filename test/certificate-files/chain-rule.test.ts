import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { doubtsAbout } from '../../src/certificate-files/chain-rule.ts';
import { makeIssuer, makeLeaf } from '../support/certificate-files.ts';

const now = Date.UTC(2026, 10, 22);
const day = 86_400_000;
const root = makeIssuer('Root', now);
const intermediate = makeIssuer('Intermediate', now, root);
const leaf = makeLeaf(intermediate, ['a.example'], { notBefore: now - day, notAfter: now + day });

const doubts = (pems: readonly string[], uncovered: readonly string[] = [], at = now) => {
  const [first, ...rest] = pems.map((pem) => new X509Certificate(pem));
  const pair = { chain: [first!, ...rest] as const, keyPem: new Secret(''), file: '/certs/a.pem' };
  return doubtsAbout(pair, uncovered, at).map(({ kind, message }) => `${kind}: ${message}`);
};

describe('a chain', () => {
  it('that is whole and valid raises no doubt', () => {
    expect(doubts([leaf.pem, intermediate.pem, root.pem])).toEqual([]);
  });

  it.each([
    ['its intermediate', [leaf.pem], 'Intermediate'],
    ['a private root', [leaf.pem, intermediate.pem], 'Root'],
  ])('without %s may not be trusted', (_, pems, issuer) => {
    expect(doubts(pems)).toEqual([
      `incomplete: the chain in /certs/a.pem ends with a certificate issued by "CN=${issuer}", which is neither in the file nor a public root`,
    ]);
  });

  it('may leave a public root out', () => {
    const publicRoot = new X509Certificate(rootCertificates[0]!);
    const name = /CN=(.*)$/m.exec(publicRoot.subject)?.[1] ?? '';
    // A name of several parts cannot be made here, so only the comparison is looked at: the root stands for itself.
    expect(name).not.toBe('');
    expect(doubts([rootCertificates[0]!], [], Date.parse(publicRoot.validFrom) + day)).toEqual([]);
  });

  it('says which certificate is out of date', () => {
    const pems = [leaf.pem, intermediate.pem, root.pem];
    expect(doubts(pems, [], now + day)).toEqual([
      'out-of-date: the certificate in /certs/a.pem expired at 2026-11-23T00:00:00.000Z',
    ]);
    expect(doubts(pems, [], now - 2 * day)[0]).toMatch(/^out-of-date: .* is not valid before/);
    expect(doubts(pems, [], now + 1001 * day)[1]).toMatch(
      /^incomplete: certificate 2 in .*, an issuer, expired/,
    );
  });

  it('says which names of the server are missing', () => {
    expect(doubts([leaf.pem, intermediate.pem, root.pem], ['b.example'])).toEqual([
      'uncovered: /certs/a.pem does not carry b.example, a name of this server (hosts)',
    ]);
  });
});
