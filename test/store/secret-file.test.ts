// Secret files: made once, private, agreed on by everyone who starts, never quietly replaced.
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/ops/random.ts';
import { openSecretFile } from '../../src/store/secret-file.ts';
import { runInProcesses } from '../support/run-in-processes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const random = systemRandom;

describe('openSecretFile', () => {
  it('makes a private file and reads it back', () => {
    const folder = join(temporaryFolder(), 'data');
    const path = join(folder, 'pepper');
    const before = process.umask(0);
    const secret = openSecretFile({ path, length: 32, random });
    process.umask(before);
    expect(secret).toHaveLength(32);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(Buffer.from(openSecretFile({ path, length: 32, random }))).toEqual(Buffer.from(secret));
    expect(readdirSync(folder)).toEqual(['pepper']);
  });

  it.each([0, 31, 33])('refuses and keeps a file of %d bytes', (length) => {
    const path = join(temporaryFolder(), 'pepper');
    writeFileSync(path, new Uint8Array(length), { mode: 0o600 });
    expect(() => openSecretFile({ path, length: 32, random })).toThrow(
      expect.objectContaining({ code: 'SECRET_FILE_UNUSABLE', hint: expect.stringContaining('backup') }),
    );
    expect(readFileSync(path)).toHaveLength(length);
  });

  it.each([0o640, 0o604, 0o620, 0o777])('refuses a file that others may use (mode %o)', (mode) => {
    const path = join(temporaryFolder(), 'pepper');
    writeFileSync(path, new Uint8Array(32));
    chmodSync(path, mode);
    expect(() => openSecretFile({ path, length: 32, random })).toThrow(
      expect.objectContaining({ code: 'SECRET_FILE_UNUSABLE', hint: expect.stringContaining('chmod 600') }),
    );
  });

  it('says in words that the path is a folder', () => {
    const path = join(temporaryFolder(), 'pepper');
    mkdirSync(path, { mode: 0o700 });
    expect(() => openSecretFile({ path, length: 32, random })).toThrow(
      expect.objectContaining({ code: 'SECRET_FILE_UNUSABLE' }),
    );
  });

  it('takes the secret of the process that was first, even between looking and making', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'pepper');
    const winner = new Uint8Array(32).fill(7);
    const slow = {
      bytes: (length: number) => {
        writeFileSync(path, winner, { mode: 0o600 });
        return random.bytes(length);
      },
    };
    expect([...openSecretFile({ path, length: 32, random: slow })]).toEqual([...winner]);
    expect(readdirSync(folder)).toEqual(['pepper']);
  });

  it('agrees among processes that start at once', async () => {
    const path = join(temporaryFolder(), 'pepper');
    const answers = await runInProcesses(
      6,
      `import { openSecretFile } from './src/store/secret-file.ts';
       import { systemRandom as random } from './src/ops/random.ts';
       const secret = openSecretFile({ path: ${JSON.stringify(path)}, length: 32, random });
       process.stdout.write(Buffer.from(secret).toString('hex'));`,
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toBe(readFileSync(path).toString('hex'));
  });
});
