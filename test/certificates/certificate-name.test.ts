import { describe, expect, it } from 'vitest';
import {
  chooseByName,
  namesOfCertificate,
  parseCertificateName,
} from '../../src/certificates/certificate-name.ts';

describe('the names a certificate can carry', () => {
  it.each([
    ['Ingest.Example.com', 'ingest.example.com'],
    ['ingest.example.com.', 'ingest.example.com'],
    ['*.example.com', '*.example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['my_box', 'my_box'],
    ['10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
  ])('spells %s canonically', (text, name) => {
    expect(parseCertificateName(text)?.name).toBe(name);
  });

  it.each([
    '',
    '.',
    'a..b',
    '-a.example',
    'a b',
    'a/b',
    'a\nb',
    'https://x.example',
    'x.example:443',
    '*.com',
    '*',
    'a.*.example.com',
    '1.2.3',
    '999.1.1.1',
    'fe80::1%eth0',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}example`,
    'evil\0.example',
  ])('refuses %j', (text) => {
    expect(parseCertificateName(text)).toBeUndefined();
  });

  it.each([
    ['10.0.0.255', [10, 0, 0, 255]],
    ['::', Array.from({ length: 16 }, () => 0)],
    ['::1', [...Array.from({ length: 15 }, () => 0), 1]],
    ['2001:db8::ff00:42:8329', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0x42, 0x83, 0x29]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ['::ffff:1.2.3.4', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]],
  ])('knows the bytes of %s', (text, bytes) => {
    const name = parseCertificateName(text);
    expect(name?.kind === 'ip' && [...name.bytes]).toEqual(bytes);
  });

  it("reads Node's text of a subjectAltName and leaves other kinds out", () => {
    const text =
      'DNS:A.example, IP Address:0:0:0:0:0:0:0:1, URI:"https://x, DNS:trap.example", email:a@b.example';
    expect(namesOfCertificate(text).slice(0, 2)).toEqual(['a.example', '::1']);
    expect(namesOfCertificate(undefined)).toEqual([]);
  });
});

describe('which certificate answers', () => {
  const certificates = [
    ['default.example', '10.0.0.1'],
    ['*.example.com'],
    ['live.example.com', '*.example.net'],
  ];

  it.each([
    [undefined, 0],
    ['default.example', 0],
    ['live.example.com', 2], // exact beats an earlier wildcard
    ['LIVE.example.com.', 2],
    ['other.example.com', 1],
    ['a.b.example.com', 0], // a wildcard is one label
    ['example.com', 0],
    ['x.example.net', 2],
    ['10.0.0.1', 0],
    ['10.0.0.2', 0],
    ['not a name', 0],
    ['', 0],
  ])('%s → %i', (serverName, index) => {
    expect(chooseByName(certificates, serverName)).toBe(index);
  });
});
