import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadDataKey, parseDataKey } from '../../src/encryption/data-key.ts';
import { keyIdOf } from '../../src/encryption/sealed-format.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const hex = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const base64 = Buffer.from(hex, 'hex').toString('base64');

function fileWith(content: string, mode = 0o600): string {
  const path = join(temporaryFolder(onTestFinished), 'key');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

describe('the key of the recordings', () => {
  it('is the same, however it is written and wherever it comes from', async () => {
    const ids = [
      keyIdOf(parseDataKey(`  ${hex.toUpperCase()}\n`)!),
      keyIdOf(await loadDataKey({ keyFile: fileWith(`${base64}\n`) })),
      keyIdOf(await loadDataKey({ keyCommand: ['printf', '%s', base64] })),
    ];
    expect(new Set(ids).size).toBe(1);
  });

  it.each([
    ['too short', (): string => fileWith(hex.slice(2)), /holds no key/],
    ['no file', (): string => '/nonexistent/key', /ENOENT/],
    ['for others to read', (): string => fileWith(hex, 0o640), /mode 640/],
    ['a whole book', (): string => fileWith('a'.repeat(5000)), /too long/],
  ] as const)('in a file is refused in words when it is %s', async (_why, file, words) => {
    await expect(loadDataKey({ keyFile: file() })).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_UNUSABLE',
      message: expect.stringMatching(words) as string,
    });
  });

  it.each([
    [['false'], /false failed: 1/],
    [['/nonexistent/program'], /ENOENT/],
    [['yes', 'no key'], /yes failed/],
  ] as const)('from %j is refused in words, and what was read is not told', async (command, words) => {
    await expect(loadDataKey({ keyCommand: command })).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_UNUSABLE',
      message: expect.stringMatching(words) as string,
    });
  });
});
