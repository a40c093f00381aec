// What is common to all pairs is looked at in test/certificates/file-source.test.ts; here: passphrases and PKCS #12.
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pathsOf, readPair } from '../../src/certificate-files/pair-reader.ts';
import { makeIssuer, makeKey, makeLeaf, writePair } from '../support/certificate-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const now = Date.UTC(2026, 10, 22);
const root = makeIssuer('Test root', now);
const intermediate = makeIssuer('Test intermediate', now, root);
const leaf = makeLeaf(intermediate, ['a.example'], { notBefore: now, notAfter: now + 86_400_000 });
const folder = temporaryFolder(afterAll);
const passphraseFile = join(folder, 'passphrase');
const wrongFile = join(folder, 'wrong');
writeFileSync(passphraseFile, 'sesame\r\nand a second line\n');
writeFileSync(wrongFile, 'mustard\n');

const encrypted = execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:sesame'], {
  input: leaf.keyPem,
});
const pem = writePair(folder, 'pem', leaf.pem, encrypted.toString());

function pkcs12(name: string, chain: string, keyPem = leaf.keyPem): string {
  const { cert, key } = writePair(folder, name, chain, keyPem);
  const path = join(folder, `${name}.p12`);
  // Without the leaf, whose place OpenSSL checks, there is just a bag of certificates.
  const content = keyPem === leaf.keyPem ? ['-inkey', key, '-in', cert] : ['-nokeys', '-in', cert];
  execFileSync('openssl', ['pkcs12', '-export', ...content, '-out', path, '-passout', 'pass:sesame']);
  return path;
}

describe('a pair with a passphrase', () => {
  it('opens with the first line of its file', async () => {
    const { keyPem, chain } = await readPair({ ...pem, passphraseFile });
    expect(createPrivateKey(keyPem.reveal()).equals(createPrivateKey(leaf.keyPem))).toBe(true);
    expect(chain.map(String)).toEqual([leaf.pem]);
  });

  it.each([
    ['no passphrase', { ...pem }, /pem\.key is protected by a passphrase/],
    ['a wrong one', { ...pem, passphraseFile: wrongFile }, /pem\.key does not open with the passphrase/],
    ['a missing file', { ...pem, passphraseFile: join(folder, 'absent') }, /absent cannot be read/],
  ])('is refused with %s', async (_, files, message) => {
    await expect(readPair(files)).rejects.toMatchObject({
      code: 'SECRET_FILE_UNUSABLE',
      message: expect.stringMatching(message),
      hint: expect.anything(),
    });
  });
});

describe('a PKCS #12 file', () => {
  it('gives key and chain, put in order', async () => {
    const pfx = pkcs12('mixed', leaf.pem + root.pem + intermediate.pem);
    const { chain, keyPem } = await readPair({ pfx, passphraseFile });
    expect(chain.map(String)).toEqual([leaf.pem, intermediate.pem, root.pem]);
    expect(createPrivateKey(keyPem.reveal()).equals(createPrivateKey(leaf.keyPem))).toBe(true);
  });

  it('is refused with a wrong passphrase, without a key, or as something else', async () => {
    const pfx = pkcs12('guarded', leaf.pem);
    const refusal = (files: Parameters<typeof readPair>[0]) =>
      readPair(files).then(
        () => 'taken',
        (error: Error) => error.message,
      );
    expect(await refusal({ pfx, passphraseFile: wrongFile })).toMatch(/does not open with the passphrase/);
    expect(await refusal({ pfx })).toMatch(/does not open with the passphrase/);
    const keyless = pkcs12('keyless', leaf.pem, makeKey());
    expect(await refusal({ pfx: keyless, passphraseFile })).toMatch(
      /holds no private key with a certificate/,
    );
    expect(await refusal({ pfx: pem.cert })).toMatch(/is no PKCS #12 file/);
  });
});

it('every file of a pair is watched', () => {
  expect(pathsOf({ cert: 'c', key: 'k', passphraseFile: 'p' })).toEqual(['c', 'k', 'p']);
  expect(pathsOf({ pfx: 'x' })).toEqual(['x']);
});
