import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  findPublicKey,
  isSignedBy,
  openEvidenceKey,
  readPublicKey,
} from '../../src/evidence/evidence-key.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('the key of the evidence', () => {
  it('is made once, private to us, with a public part for everybody', () => {
    const folder = temporaryFolder();
    expect(findPublicKey(folder)).toBeUndefined();
    const key = openEvidenceKey(folder, systemRandom);
    const pem = readFileSync(join(folder, 'evidence-key.pem'));
    expect(statSync(join(folder, 'evidence-key.pem')).mode & 0o777).toBe(0o600);
    const again = openEvidenceKey(folder, systemRandom);
    expect([again.publicKey.id, readFileSync(join(folder, 'evidence-key.pem'))]).toEqual([
      key.publicKey.id,
      pem,
    ]);
    expect(findPublicKey(folder)?.id).toBe(key.publicKey.id);
    const signature = key.sign(Buffer.from('text'));
    const found = readPublicKey(join(folder, 'evidence-key.pub.pem'));
    expect(isSignedBy(found, Buffer.from('text'), signature)).toBe(true);
    expect(isSignedBy(found, Buffer.from('texT'), signature)).toBe(false);
    expect(isSignedBy(found, Buffer.from('text'), signature.subarray(1))).toBe(false);
    const other = openEvidenceKey(temporaryFolder(), systemRandom);
    expect(isSignedBy(other.publicKey, Buffer.from('text'), signature)).toBe(false);
  });

  it('makes signatures that openssl checks', () => {
    const folder = temporaryFolder();
    const key = openEvidenceKey(folder, systemRandom);
    writeFileSync(join(folder, 'text'), 'what was recorded\n');
    writeFileSync(join(folder, 'sig'), key.sign(readFileSync(join(folder, 'text'))));
    const check = () =>
      execFileSync(
        'openssl',
        'pkeyutl -verify -rawin -pubin -inkey evidence-key.pub.pem -in text -sigfile sig'.split(' '),
        { cwd: folder, stdio: 'pipe' },
      ).toString();
    expect(check()).toContain('Verified Successfully');
    writeFileSync(join(folder, 'text'), 'what was recorded!\n');
    expect(check).toThrow(/pkeyutl/);
  });

  it('is never replaced when it is damaged, and a wrong public key is told from a right one', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'evidence-key.pem'), Buffer.alloc(119, 'x'), { mode: 0o600 });
    expect(() => openEvidenceKey(folder, systemRandom)).toThrowError(/cannot be used/);
    writeFileSync(join(folder, 'rsa.pem'), 'no key');
    for (const name of ['rsa.pem', 'nothing.pem']) {
      expect(() => readPublicKey(join(folder, name))).toThrowError(/holds no public key/);
    }
  });
});
