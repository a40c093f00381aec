// The repair of a killed server's files is tested through the archive (archive.test.ts); here is what only an
// interrupted or repeated recovery shows.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Recovery } from '../../src/archive/recovery.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';

async function killed() {
  const dead = await openTestArchive();
  const { recording } = await beginRecording(dead.archive, someTags());
  const { archive, log } = await openTestArchive({ dataFolder: dead.dataFolder });
  const { catalogue } = archive;
  const finished: string[] = [];
  const recovery = new Recovery({
    vault: archive.vault,
    catalogue,
    log,
    isOpen: () => false,
    finished: (id) => finished.push(id),
  });
  const part = archive.pathOf((await archive.find(recording.id))!);
  return { recovery, catalogue, log, id: recording.id, part, finished };
}

describe('recovery', () => {
  it('leaves everything as it was when it is interrupted, and says nothing of a failure', async () => {
    const { recovery, catalogue, log, id, part, finished } = await killed();
    writeFileSync(part, Buffer.concat([readFileSync(part), Buffer.alloc(1000)]));
    const before = readFileSync(part);
    const [lost] = await recovery.findLost();
    const outcome = await recovery.recover(lost!, { signal: AbortSignal.abort() });
    expect(outcome).toMatchObject({ id, outcome: 'interrupted' });
    expect([readFileSync(part), log.lines, finished]).toEqual([before, [], []]);
    expect((await catalogue.find(id))?.state).toBe('recording');

    expect(await recovery.recover(lost!)).toMatchObject({
      outcome: 'recovered',
      repaired: { cutBytes: 1000 },
    });
    expect([await recovery.findLost(), finished]).toEqual([[], [id]]);
  });
});
