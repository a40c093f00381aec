// Files as other programs write them, old and new.
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { readPkcs12 } from '../../src/certificate-files/pkcs12-reader.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const passphrase = 'sesame, öffne dich';

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore', cwd: folder });
}

const kinds = {
  rsa: ['-newkey', 'rsa:2048'],
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
} as const;

function make(kind: keyof typeof kinds, pass: string, ...options: string[]): Buffer {
  const name = `${kind}${options.join('')}`;
  openssl(
    'req',
    '-x509',
    ...kinds[kind],
    '-noenc',
    '-subj',
    '/CN=p12',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
  );
  const files = ['-inkey', `${name}.key`, '-in', `${name}.pem`, '-out', `${name}.p12`];
  openssl('pkcs12', '-export', ...files, '-passout', `pass:${pass}`, ...options);
  writeFileSync(join(folder, 'last.key'), readFileSync(join(folder, `${name}.key`)));
  return readFileSync(join(folder, `${name}.p12`));
}

const lastKey = () => createPrivateKey(readFileSync(join(folder, 'last.key')));

describe('a PKCS #12 file', () => {
  it.each([
    ['RSA, AES', 'rsa', []],
    ['EC, AES', 'ec', []],
    ['RSA, RC2 and 3DES', 'rsa', ['-legacy']],
    ['EC, RC2 and 3DES', 'ec', ['-legacy']],
    ['RSA, 3DES alone', 'rsa', ['-legacy', '-descert']],
  ] as const)('opens: %s', (_, kind, options) => {
    const file = make(kind, passphrase, ...options);
    const content = readPkcs12(file, new Secret(passphrase));
    if (typeof content === 'string') throw new Error(content);
    expect(content.keys[0]!.equals(lastKey())).toBe(true);
    expect(content.certificates[0]!.checkPrivateKey(content.keys[0]!)).toBe(true);
    expect(readPkcs12(file, new Secret('wrong'))).toBe('wrong-passphrase');
    expect(readPkcs12(file, undefined)).toBe('wrong-passphrase');
  });

  it('opens without a passphrase where it has none', () => {
    expect(readPkcs12(make('ec', ''), undefined)).toMatchObject({ keys: [expect.anything()] });
  });

  it('is read where Node.js gives up', () => {
    const file = make('rsa', 'x', '-legacy');
    expect(() => createSecureContext({ pfx: file, passphrase: 'x' })).toThrow(/unsupported/i);
    expect(readPkcs12(file, new Secret('x'))).toMatchObject({ keys: [expect.anything()] });
  });

  it('that is damaged is said to be so, and never throws', () => {
    const file = make('ec', 'x');
    expect(readPkcs12(Buffer.from('no such thing'), new Secret('x'))).toBe('damaged');
    expect(readPkcs12(file.subarray(0, 100), new Secret('x'))).toBe('damaged');
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(file);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        if (at < 4 || at > 40) readPkcs12(damaged, new Secret('x'));
      }),
      { seed: 12, numRuns: 60 },
    );
  });
});
