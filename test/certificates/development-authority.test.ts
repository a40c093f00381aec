import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  authorityIsUsable,
  createDevelopmentAuthority,
  createDevelopmentKey,
  issueLeaf,
  leafIsCurrent,
  leafNames,
} from '../../src/certificates/development-authority.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { tamperWith } from '../support/certificate-files.ts';

const now = Date.UTC(2026, 10, 22, 13, 5, 9);
const day = 86_400_000;
const moment = { now, random: systemRandom };
const authority = createDevelopmentAuthority(moment);
const leafKey = createDevelopmentKey();
const names = leafNames('studio', ['ingest.example.com', '*.example.org', '192.0.2.7', '2001:db8::7']);
const leafPem = issueLeaf(authority, leafKey, names, moment);

describe('the development authority', () => {
  it('is a CA that signs itself and may issue leaves only', () => {
    const certificate = new X509Certificate(authority.certificatePem);
    expect(certificate.ca).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkIssued(certificate)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(authority.keyPem.reveal()))).toBe(true);
    expect(certificate.subject).toMatch(/^CN=Penstock development CA [0-9a-f]{8}$/);
    expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).toBe(3650 * day);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(now);
  });

  it('issues a leaf with these names, for servers, for 397 days', () => {
    const leaf = new X509Certificate(leafPem);
    const issuer = new X509Certificate(authority.certificatePem);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)).toBe(true);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    const hosts = ['localhost', 'studio', 'ingest.example.com', 'any.example.org'];
    expect(hosts.filter((host) => leaf.checkHost(host) === undefined)).toEqual([]);
    const addresses = ['127.0.0.1', '::1', '192.0.2.7', '2001:db8::7'];
    expect(addresses.filter((address) => leaf.checkIP(address) === undefined)).toEqual([]);
    expect(leaf.checkHost('example.com')).toBeUndefined();
    expect(Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)).toBe(397 * day);
  });

  it('passes openssl verify -x509_strict, with the extensions RFC 5280 asks for', () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'ca.pem'), authority.certificatePem);
    writeFileSync(join(folder, 'leaf.pem'), leafPem);
    const openssl = (...args: string[]): string =>
      execFileSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    const at = String(Math.floor(now / 1000));
    const verify = ['verify', '-x509_strict', '-attime', at, '-purpose', 'sslserver', '-CAfile', 'ca.pem'];
    expect(openssl(...verify, '-verify_hostname', 'ingest.example.com', 'leaf.pem')).toContain('OK');
    expect(openssl(...verify, '-verify_ip', '2001:db8::7', 'leaf.pem')).toContain('OK');
    const ca = openssl('x509', '-in', 'ca.pem', '-noout', '-text');
    expect(ca).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(ca).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
    const leaf = openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
    expect(leaf).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(leaf).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    const identifier = /Subject Key Identifier:\s+([0-9A-F:]{59})/;
    const authorityIdentifier = /Authority Key Identifier:\s+(?:keyid:)?([0-9A-F:]{59})/;
    expect(authorityIdentifier.exec(leaf)?.[1]).toBe(identifier.exec(ca)?.[1]);
    expect(identifier.exec(leaf)?.[1]).not.toBe(identifier.exec(ca)?.[1]);
  });

  it.each([
    ['all ones', 0xff],
    ['all zeros', 0x00],
    ['bit 7 alone', 0x80],
  ])('makes a positive 16-byte serial from %s', (_, byte) => {
    const random = { bytes: (length: number) => new Uint8Array(length).fill(byte) };
    const serial = new X509Certificate(issueLeaf(authority, leafKey, names, { now, random })).serialNumber;
    expect(serial).toHaveLength(32);
    expect(Number.parseInt(serial.slice(0, 2), 16)).toBeLessThan(0x80);
  });

  it('writes dates from 2050 on as well, and no leaf outlives its authority', () => {
    const late = { now: Date.UTC(2045, 0, 1), random: systemRandom };
    const old = createDevelopmentAuthority(late);
    expect(new X509Certificate(old.certificatePem).validTo).toContain('2054');
    const leaf = issueLeaf(old, leafKey, names, { ...late, now: Date.UTC(2054, 6, 1) });
    expect(new X509Certificate(leaf).validTo).toBe(new X509Certificate(old.certificatePem).validTo);
  });
});

describe('what can still be used', () => {
  it('an authority: not without its own key, not as a leaf, not near its end', () => {
    expect(authorityIsUsable(authority, now)).toBe(true);
    expect(authorityIsUsable({ ...authority, keyPem: leafKey }, now)).toBe(false);
    expect(authorityIsUsable({ certificatePem: leafPem, keyPem: leafKey }, now)).toBe(false);
    expect(authorityIsUsable({ ...authority, certificatePem: 'nonsense' }, now)).toBe(false);
    expect(authorityIsUsable(authority, now + 3625 * day)).toBe(false);
  });

  it('a leaf: until 30 days before its end, for exactly its names, key and authority', () => {
    const current = (
      overrides: Partial<{ key: typeof leafKey; issuer: typeof authority; names: typeof names; at: number }>,
    ) =>
      leafIsCurrent(
        leafPem,
        overrides.key ?? leafKey,
        overrides.issuer ?? authority,
        overrides.names ?? names,
        overrides.at ?? now,
      );
    expect(current({})).toBe(true);
    expect(current({ at: now + 366 * day })).toBe(true);
    expect(current({ at: now + 368 * day })).toBe(false);
    expect(current({ at: now - 10_000 * day })).toBe(true); // a machine without a clock battery
    expect(current({ names: names.slice(1) })).toBe(false);
    expect(
      current({
        names: leafNames('studio', ['new.example.com', '*.example.org', '192.0.2.7', '2001:db8::7']),
      }),
    ).toBe(false);
    expect(current({ key: createDevelopmentKey() })).toBe(false);
    expect(leafIsCurrent(tamperWith(leafPem), leafKey, authority, names, now)).toBe(false);
    // Same issuer name, other key: a forgery.
    const twin = createDevelopmentAuthority({
      now,
      random: {
        bytes: () => Buffer.from(new X509Certificate(authority.certificatePem).subject.slice(-8), 'hex'),
      },
    });
    expect(current({ issuer: twin })).toBe(false);
  });

  it('leaves a machine name out that no certificate can carry', () => {
    expect(leafNames('Ön a space', []).map(({ name }) => name)).toEqual(['localhost', '127.0.0.1', '::1']);
  });
});
