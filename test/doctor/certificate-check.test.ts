import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { carriesName, judgeChain, judgeName } from '../../src/doctor/certificate-check.ts';
import { makeIssuer, makeLeaf } from '../support/certificate-files.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22);
const issuer = makeIssuer('Example CA', now);
const leafFor = (days: number, begins = -1) =>
  new X509Certificate(
    makeLeaf(issuer, ['ingest.example.com'], { notBefore: now + begins * day, notAfter: now + days * day })
      .pem,
  );
const shown = (leaf: X509Certificate, problem?: string, chainLength = 2) => ({ leaf, chainLength, problem });

describe('the chain', () => {
  it('is fine when nothing is said against it', () => {
    expect(judgeChain(shown(leafFor(90)), now, undefined)).toEqual({
      check: 'certificate',
      state: 'ok',
      says: 'issued by Example CA, until 2027-02-20T00:00:00.000Z',
    });
  });

  it('that ends within two weeks was not renewed as it should have been', () => {
    expect(judgeChain(shown(leafFor(13)), now, undefined).state).toBe('warning');
    expect(judgeChain(shown(leafFor(15)), now, undefined).state).toBe('ok');
  });

  it.each([
    ['expired', leafFor(-0.5), 'CERT_HAS_EXPIRED', 'expired at 2026-11-21T12:00:00.000Z'],
    ['not begun', leafFor(90, 1), 'CERT_NOT_YET_VALID', 'not valid before 2026-11-23'],
    ['own issuer', new X509Certificate(issuer.pem), 'DEPTH_ZERO_SELF_SIGNED_CERT', 'signed by itself'],
    ['private authority', leafFor(90), 'SELF_SIGNED_CERT_IN_CHAIN', 'does not trust (Example CA)'],
    ['private root', leafFor(90), 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'does not trust (Example CA)'],
    ['anything else', leafFor(90), 'CERT_REVOKED', 'not trusted (CERT_REVOKED)'],
  ])('fails: %s', (_, leaf, problem, says) => {
    const finding = judgeChain(shown(leaf, problem), now, undefined);
    expect(finding.state).toBe('failed');
    expect(finding.says).toContain(says);
    expect(finding.encoders?.obs).toContain('invalid SSL certificate');
  });

  it('without its middle part is told from an unknown authority by its length', () => {
    const alone = judgeChain(shown(leafFor(90), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 1), now, undefined);
    expect([alone.says, alone.hint].join()).toMatch(/its own certificate only.*Example CA.*fullchain\.pem/);
  });

  it('of our own development CA is a warning that names the file to trust, but not when it is over', () => {
    const development = { certificate: new X509Certificate(issuer.pem), file: 'certs/ca.pem' };
    const problem = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE';
    const finding = judgeChain(shown(leafFor(90), problem, 1), now, development);
    expect(finding.state).toBe('warning');
    expect([finding.says, finding.hint].join()).toMatch(/OBS will refuse this certificate.*certs\/ca\.pem/);
    const awaited = judgeChain(shown(leafFor(90), problem, 1), now, { ...development, awaited: true });
    expect(awaited.hint).toMatch(/stands in for the one from ACME/);
    expect(judgeChain(shown(leafFor(-0.5), problem, 1), now, development).state).toBe('failed');
    const other = { ...development, certificate: new X509Certificate(makeIssuer('Example CA', now).pem) };
    expect(judgeChain(shown(leafFor(90), problem, 1), now, other).state).toBe('failed');
  });
});

describe('the name', () => {
  it('is one that the certificate carries', () => {
    expect(judgeName(leafFor(90), 'ingest.example.com').state).toBe('ok');
    const wrong = judgeName(leafFor(90), 'ingest.example.org');
    expect(wrong.state).toBe('failed');
    expect(wrong.says).toBe('the certificate is not for ingest.example.org but for ingest.example.com');
  });

  it.each([
    [['a.example'], 'a.example', true],
    [['*.example.com'], 'x.example.com', true],
    [['*.example.com'], 'x.y.example.com', false],
    [['*.example.com'], 'example.com', false],
    [['127.0.0.1'], '127.0.0.1', true],
    [['::1'], '0:0:0:0:0:0:0:1', true],
    [[], 'a.example', false],
  ])('%j for %s: %s', (names, host, carried) => expect(carriesName(names, host)).toBe(carried));
});
