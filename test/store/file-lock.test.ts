import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tryLock } from '../../src/store/file-lock.ts';
import { serverRuns } from '../../src/store/server-lock.ts';
import { RealProcess } from '../support/real-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('is held by one, and free again when that lets go, twice if it likes', () => {
  const path = join(temporaryFolder(), 'lock');
  const lock = tryLock(path);
  expect(lock).toBeDefined();
  expect(tryLock(path)).toBeUndefined();
  lock?.release();
  lock?.release();
  const next = tryLock(path);
  expect(next).toBeDefined();
  next?.release();
});

it('does not outlive a process that was killed', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'server.lock');
  expect(serverRuns(folder)).toBe(false);
  const module = new URL('../../src/store/file-lock.ts', import.meta.url).href;
  const script = `const { tryLock } = await import('${module}'); console.log(tryLock('${path}') !== undefined); setInterval(() => {}, 1000);`;
  const holder = new RealProcess(process.execPath, ['--input-type=module', '-e', script]);
  await holder.until('the lock', () => (holder.stdout.includes('true') ? true : undefined));
  expect(tryLock(path)).toBeUndefined();
  expect(serverRuns(folder)).toBe(true);
  await holder.discard();
  expect(serverRuns(folder)).toBe(false);
});

it('throws where no file can be', () => {
  expect(() => tryLock('/nowhere/at/all/lock')).toThrow(/unable to open/);
});
