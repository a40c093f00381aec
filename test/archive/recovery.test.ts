// The repair of a killed server's files is tested through the archive (archive.test.ts); here is what only an
// interrupted or repeated recovery shows.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Recovery } from '../../src/archive/recovery.ts';
import { gapScript } from '../../src/flv/script-data.ts';
import { TagType } from '../../src/flv/tag.ts';
import { beginRecording, openTestArchive, someTags, testStream } from '../support/archive.ts';
import { tagOf } from '../support/media-tags.ts';

async function killed() {
  const dead = await openTestArchive();
  const { recording } = await beginRecording(dead.archive, someTags());
  const { archive, log, clock } = await openTestArchive({ dataFolder: dead.dataFolder });
  const { catalogue } = archive;
  const finished: string[] = [];
  const recovery = new Recovery({
    vault: archive.vault,
    catalogue,
    clock,
    log,
    isOpen: () => false,
    finished: (id) => finished.push(id),
  });
  const part = archive.pathOf((await archive.find(recording.id))!);
  return { recovery, catalogue, clock, log, id: recording.id, part, finished };
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

  it('tries a file again that resisted, less and less often, and says so once', async () => {
    const { recovery, catalogue, clock, log, id, part, finished } = await killed();
    const name = part.slice(0, -'.part'.length);
    writeFileSync(name, 'in the way'); // as a volume that takes nothing: the repair fails at its end
    await recovery.recover((await recovery.findLost())[0]!, { endedAt: 12_345 });
    const attempts = vi.spyOn(catalogue, 'finish');
    for (let minute = 0; minute < 60; minute += 1) {
      clock.advance(60_000);
      await recovery.retry();
    }
    expect([log.of('recovery.failed').length, attempts.mock.calls.length, finished]).toEqual([1, 0, []]);
    rmSync(name);
    await recovery.retry(AbortSignal.abort());
    clock.advance(5 * 60_000);
    await recovery.retry();
    expect(await catalogue.find(id)).toMatchObject({ state: 'recovered', endedAt: 12_345 });
    expect(finished).toEqual([id]);
    clock.advance(5 * 60_000);
    await recovery.retry();
    expect(attempts).toHaveBeenCalledTimes(1);
  });

  it('gives a file its row back that was away with its volume, with all that was known of it', async () => {
    const { recovery, catalogue, clock, log, id, part } = await killed();
    const away = `${dirname(part)} away`;
    await catalogue.update(id, { locked: true });
    const before = await catalogue.find(id);
    const [lost] = await recovery.findLost();
    renameSync(dirname(part), away);
    expect(await recovery.recover(lost!)).toMatchObject({ outcome: 'removed' });
    expect(await catalogue.find(id)).toBeUndefined();
    for (let again = 0; again < 3; again += 1) {
      clock.advance(60_000);
      await recovery.retry();
    }
    expect(log.of('recording.removed')).toHaveLength(1);
    renameSync(away, dirname(part));
    recovery.hurry(testStream);
    await recovery.retry();
    expect(await catalogue.find(id)).toMatchObject({
      ...before,
      state: 'recovered',
      durationMs: 2405,
      endedAt: expect.any(Number),
      bytes: expect.any(Number),
    });
  });

  it('counts what is marked as missing to the time in which it was made', async () => {
    const { archive, dataFolder } = await openTestArchive();
    const gaps = [
      { at: 1000, missing: 7000, reason: 'reconnect' },
      { at: 2000, missing: -60_000, reason: 'timestamps' },
    ];
    const tags = [...someTags(), ...gaps.map((gap) => tagOf(TagType.ScriptData, 0, gapScript(gap)))];
    const { recording } = await beginRecording(archive, tags);
    const next = await openTestArchive({ dataFolder });
    await next.archive.recover();
    const entry = await next.archive.find(recording.id);
    expect(entry).toMatchObject({ gaps, endedAt: recording.startedAt + 2405 + 7000 });
  });

  it('takes in a finished file whose row went with the power, but no stranger, and no list that was lost', async () => {
    const { archive, clock, dataFolder, db, folder } = await openTestArchive();
    const day = 24 * 3600_000;
    const made = [];
    for (const startedAt of [clock.now() - 2 * day, clock.now(), clock.now() + 1000]) {
      const { recording, writer } = await beginRecording(archive, someTags(), startedAt);
      await writer.end('unpublished');
      made.push((await archive.find(recording.id))!);
    }
    const [old, kept, fresh] = made;
    const forget = (id: string) => db.deleteFrom('recordings').where('id', '=', id).execute();
    await forget(old!.id);
    await forget(fresh!.id);
    writeFileSync(join(folder, dirname(kept!.path), 'holiday.flv'), 'a stranger');
    const next = await openTestArchive({ dataFolder });
    expect(await next.archive.recover()).toMatchObject([{ id: fresh!.id, outcome: 'recovered' }]);
    const { durationMs, bytes, path } = fresh!;
    expect(await next.archive.find(fresh!.id)).toMatchObject({ state: 'recovered', durationMs, bytes, path });
    expect(await next.archive.recover()).toEqual([]);
    await Promise.all(made.map(({ id }) => forget(id)));
    expect(await next.archive.recover()).toEqual([]);
  });
});
