import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileWatcher } from '../../src/certificate-files/file-watcher.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let clock: FakeClock;
let folder: string;
let changes: number;

beforeEach(() => {
  clock = new FakeClock();
  folder = temporaryFolder();
  changes = 0;
});

async function watchFiles(...paths: string[]): Promise<FileWatcher> {
  const watcher = new FileWatcher({ paths, clock, onChange: () => (changes += 1) });
  onTestFinished(() => watcher.stop());
  await watcher.start();
  return watcher;
}

/** The watcher has looked, and begun to wait for quiet. */
const noticed = (timers: number) => vi.waitFor(() => expect(clock.timers).toBe(timers));

describe('files that are watched', () => {
  it('are told of once they have been left alone, however often they changed', async () => {
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    writeFileSync(a, '1');
    await watchFiles(a, b);
    writeFileSync(a, '22');
    await noticed(2);
    clock.advance(499);
    expect(changes).toBe(0);
    clock.advance(1);
    expect(changes).toBe(1);
    writeFileSync(`${b}.new`, '1');
    renameSync(`${b}.new`, b);
    await noticed(2);
    clock.advance(500);
    expect(changes).toBe(2);
  });

  it('are looked at every ten seconds as well: a folder may come later, and give no notice', async () => {
    const late = join(folder, 'not-yet', 'a');
    await watchFiles(late);
    const path = join(folder, 'not-yet');
    mkdirSync(path);
    writeFileSync(late, '1');
    clock.advance(10_000);
    await noticed(2);
    clock.advance(500);
    expect(changes).toBe(1);
  });

  it('are left alone after the stop', async () => {
    const a = join(folder, 'a');
    const watcher = await watchFiles(a);
    await watcher.stop();
    await watcher.stop();
    writeFileSync(a, '1');
    clock.advance(60_000);
    expect(changes).toBe(0);
    expect(clock.timers).toBe(0);
  });
});
