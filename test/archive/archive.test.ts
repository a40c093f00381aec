import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import type { KeyId, RecordingId, StreamName } from '../../src/ops/names.ts';
import { beginRecording, openTestArchive, someTags, testKey, testStream } from '../support/archive.ts';
import { readTags, streamTags } from '../support/media-tags.ts';
import { settled } from '../support/settled.ts';
import { testOrigin } from '../support/test-origin.ts';

const start = Date.UTC(2026, 10, 22, 13, 5, 9);

async function readAll(
  archive: Archive,
  id: RecordingId,
  range?: { start: number; end: number },
): Promise<Buffer> {
  const pieces = [];
  for await (const piece of archive.read(id, range)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('the archive', () => {
  it('takes a recording from open to complete', async () => {
    const { archive, clock, folder } = await openTestArchive();
    const { recording, writer } = await beginRecording(archive, someTags());
    const live = (await archive.find(recording.id))!;
    expect(live).toMatchObject({
      stream: testStream,
      keyId: testKey,
      state: 'recording',
      startedAt: start,
      durationMs: 2405,
      bytes: recording.bytes,
      sha256: undefined,
      path: `live/camera-1/2026-11-22T13-05-09Z_${recording.id}.flv`,
    });
    expect(archive.pathOf(live)).toBe(join(folder, `${live.path}.part`));
    expect(streamTags(await readAll(archive, recording.id))).toHaveLength(122);

    clock.advance(9000);
    await writer.end('unpublished');
    const done = (await archive.find(recording.id))!;
    expect(done).toMatchObject({ state: 'complete', endedAt: start + 9000, durationMs: 2405 });
    const file = readFileSync(archive.pathOf(done));
    expect([done.bytes, archive.pathOf(done)]).toEqual([file.length, join(folder, done.path)]);
    expect(await readAll(archive, recording.id)).toEqual(file);
    expect(await readAll(archive, recording.id, { start: 5, end: 20 })).toEqual(file.subarray(5, 20));
    expect(await archive.list()).toEqual([done]);
    expect(await archive.list({ stream: 'live/other' as StreamName })).toEqual([]);
  });

  it('shows another process as much of a live recording as is whole', async () => {
    const server = await openTestArchive();
    const { recording } = await beginRecording(server.archive, someTags());
    const command = await openTestArchive({ dataFolder: server.dataFolder });
    const entry = (await command.archive.find(recording.id))!;
    expect(entry).toMatchObject({ state: 'recording', bytes: recording.bytes, durationMs: 59 * 40 + 5 });
    appendFileSync(command.archive.pathOf(entry), Buffer.from([9, 0, 0, 200, 1])); // a write half done
    expect((await readAll(command.archive, recording.id)).length).toBe(recording.bytes);
  });

  it('removes a finished recording, but none in the making', async () => {
    const { archive } = await openTestArchive();
    const { recording, writer } = await beginRecording(archive, someTags());
    await expect(archive.remove(recording.id)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    await writer.end('unpublished');
    const path = archive.pathOf((await archive.find(recording.id))!);
    expect(await archive.remove(recording.id)).toBe(true);
    expect([existsSync(path), await archive.find(recording.id), await archive.remove(recording.id)]).toEqual([
      false,
      undefined,
      false,
    ]);
    expect(await archive.openForRead(recording.id)).toBeUndefined();
    expect(await readAll(archive, recording.id)).toHaveLength(0);
  });

  it('says so when a file is gone', async () => {
    const { archive } = await openTestArchive();
    const { recording, writer } = await beginRecording(archive, someTags());
    await writer.end('unpublished');
    rmSync(archive.pathOf((await archive.find(recording.id))!));
    await expect(archive.openForRead(recording.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await archive.remove(recording.id)).toBe(true);
  });

  it('opens nothing below the floor of free space, and leaves nothing behind', async () => {
    const { archive, folder } = await openTestArchive({ minFreeSpace: 2 ** 60 });
    await expect(
      archive.create({ stream: testStream, keyId: testKey, startedAt: start, origin: testOrigin }),
    ).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await archive.list()).toEqual([]);
    expect(readdirSync(join(folder, testStream))).toEqual([]);
  });

  it('repairs at once what the disk did not let be finished', async () => {
    const { archive, clock, log } = await openTestArchive();
    const { recording } = await beginRecording(archive, someTags());
    clock.advance(60_000);
    await recording.abandon();
    expect(await archive.find(recording.id)).toMatchObject({
      state: 'recovered',
      durationMs: 2405,
      endedAt: start + 60_000,
      keyId: testKey,
    });
    expect(log.events).toEqual(['recording.recovered']);
  });
});

describe('what could not be repaired', () => {
  it('is tried again beside the server, and as soon as its stream is recorded again', async () => {
    const { archive, clock } = await openTestArchive();
    const { timers } = clock;
    await archive.watchSpace();
    const { recording } = await beginRecording(archive, someTags());
    const path = archive.pathOf((await archive.find(recording.id))!).slice(0, -'.part'.length);
    writeFileSync(path, 'in the way');
    await recording.abandon();
    const state = async () => (await archive.find(recording.id))?.state;
    for (let second = 0; second < 600; second += 5) {
      clock.advance(5000);
      await settled();
    }
    expect(await state()).toBe('recording');
    rmSync(path);
    await beginRecording(archive, someTags());
    clock.advance(5000);
    await expect.poll(state).toBe('recovered');
    await archive.stop();
    expect(clock.timers).toBe(timers);
  });
});

describe('recovering', () => {
  /** A server that was killed while it recorded, and the archive of the next start. */
  async function restarted(tamper: (path: string, id: RecordingId) => void = () => {}) {
    const dead = await openTestArchive();
    const { recording } = await beginRecording(dead.archive, someTags());
    const path = join(dead.folder, (await dead.archive.find(recording.id))!.path);
    tamper(path, recording.id);
    const next = await openTestArchive({ dataFolder: dead.dataFolder, seed: 'next' });
    await next.archive.recover();
    return { ...next, id: recording.id, path };
  }

  it('finishes what a killed server left, and has nothing to do the second time', async () => {
    const { archive, id, path, log } = await restarted((path) =>
      appendFileSync(`${path}.part`, Buffer.alloc(777)),
    );
    const { reader, tags } = readTags(readFileSync(path));
    expect([reader.status, tags.length]).toEqual(['reading', 124]);
    expect(await archive.find(id)).toMatchObject({
      state: 'recovered',
      durationMs: 2405,
      endedAt: start + 2405,
      keyId: testKey,
      bytes: reader.wholeBytes,
    });
    expect(log.of('recording.recovered')).toEqual([
      { recording: id, stream: testStream, durationMs: 2405, bytes: reader.wholeBytes, cutBytes: 777 },
    ]);
    await archive.recover();
    expect(log.lines).toHaveLength(1);
  });

  it('notes a file that was renamed but not noted', async () => {
    const { archive, id } = await restarted((path) => renameSync(`${path}.part`, path));
    expect(await archive.find(id)).toMatchObject({ state: 'recovered', durationMs: 2405 });
  });

  it('forgets empty recordings and missing files, and says so', async () => {
    const empty = await restarted((path) => writeFileSync(`${path}.part`, ''));
    expect([await empty.archive.list(), existsSync(`${empty.path}.part`)]).toEqual([[], false]);
    expect(empty.log.of('recording.removed')).toMatchObject([{ reason: 'empty' }]);
    const missing = await restarted((path) => rmSync(`${path}.part`));
    expect(await missing.archive.list()).toEqual([]);
    expect(missing.log.of('recording.removed')).toMatchObject([{ reason: 'file missing' }]);
  });

  it('takes in files whose row was lost, and leaves strangers alone', async () => {
    const dead = await openTestArchive();
    const { recording } = await beginRecording(dead.archive, someTags());
    const part = readFileSync(dead.archive.pathOf((await dead.archive.find(recording.id))!));
    const { archive, folder } = await openTestArchive();
    const path = join(folder, `live/b/2026-11-22T13-05-09Z_${recording.id}.flv`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.part`, part);
    writeFileSync(join(folder, 'live/b/film.flv.part'), part);
    await archive.recover();
    expect(await archive.list()).toMatchObject([
      { id: recording.id, stream: 'live/b', state: 'recovered', keyId: undefined, startedAt: start },
    ]);
    expect(existsSync(join(folder, 'live/b/film.flv.part'))).toBe(true);
  });

  it('goes on behind a file that resists, and tries it again at the next start', async () => {
    const dead = await openTestArchive();
    const bad = await beginRecording(dead.archive, someTags(), start);
    const good = await beginRecording(dead.archive, someTags(), start + 1000);
    const path = join(dead.folder, (await dead.archive.find(bad.recording.id))!.path);
    writeFileSync(path, 'in the way');
    const { archive, log } = await openTestArchive({ dataFolder: dead.dataFolder });
    await archive.recover();
    expect(log.of('recovery.failed')[0]).toMatchObject({
      recording: bad.recording.id,
      code: 'RECORDING_WRITE_FAILED',
    });
    expect((await archive.find(good.recording.id))?.state).toBe('recovered');
    rmSync(path);
    await archive.recover();
    expect((await archive.find(bad.recording.id))?.state).toBe('recovered');
  });

  it('does not touch what this process is recording', async () => {
    const { archive } = await openTestArchive();
    const { recording, writer } = await beginRecording(archive, someTags());
    await archive.recover();
    expect((await archive.find(recording.id))?.state).toBe('recording');
    await writer.end('unpublished');
    expect((await archive.find(recording.id))?.state).toBe('complete');
  });
});

describe('what an earlier server was recording', () => {
  async function killed() {
    const dead = await openTestArchive();
    const { recording } = await beginRecording(dead.archive, someTags()); // for 2405 ms from `start`
    const next = await openTestArchive({ dataFolder: dead.dataFolder, seed: 'next' });
    const found = (since = start, key = testKey) => next.archive.findInterrupted(testStream, key, since);
    return { ...next, id: recording.id, found };
  }

  it('is found by its stream and key, if it ended lately, until another event begins', async () => {
    const { archive, id, found } = await killed();
    expect(await found()).toBeUndefined(); // nobody looked yet
    await archive.beginRecovery(2000);
    const endedAt = start + 2405;
    expect(await found()).toEqual({ id, endedAt });
    expect(await found(endedAt)).toEqual({ id, endedAt });
    expect(await found(endedAt + 1)).toBeUndefined();
    expect(await found(start, 'other000' as KeyId)).toBeUndefined();
    expect(await archive.findInterrupted('live/other' as StreamName, testKey, start)).toBeUndefined();
    const begin = (continues?: RecordingId) =>
      archive.create({ stream: testStream, keyId: testKey, startedAt: start, origin: testOrigin, continues });
    await (await begin(id)).discard(); // an encoder that came back and went before its first frame
    expect(await found()).toEqual({ id, endedAt });
    const another = await begin();
    expect(await found()).toBeUndefined();
    await another.abandon(); // recovered as well, but by the server that recorded it
    expect(await found()).toBeUndefined();
  });

  it('is found no more once something that continues it is finished', async () => {
    const { archive, id, found } = await killed();
    await archive.beginRecovery(2000);
    const next = await archive.create({
      stream: testStream,
      keyId: testKey,
      startedAt: start,
      origin: testOrigin,
      continues: id,
    });
    expect(await found()).toMatchObject({ id });
    await next.abandon();
    expect(await found()).toBeUndefined();
  });

  it('is found before its repair has come to it, by the time of the last write', async () => {
    const { archive, id, found } = await killed();
    const path = archive.pathOf((await archive.find(id))!);
    writeFileSync(path.slice(0, -'.part'.length), 'in the way');
    utimesSync(path, (start + 9000) / 1000, (start + 9000) / 1000);
    await archive.beginRecovery(2000);
    const { mtimeMs } = statSync(path); // the repair wrote its head before it was stopped
    expect(await found()).toEqual({ id, endedAt: mtimeMs });
  });
});

describe('segments', () => {
  const next = (archive: Archive, continues: RecordingId, startedAt = start + 60_000) =>
    archive.create({ stream: testStream, keyId: testKey, startedAt, origin: testOrigin, continues });

  it('continue an event under numbers of its own, each a file with its own start', async () => {
    const { archive, db } = await openTestArchive();
    const first = await beginRecording(archive, someTags());
    await first.writer.end('unpublished');
    const event = first.recording.id;
    const second = await next(archive, event);
    const third = await next(archive, second.id, start + 120_000);
    expect([second.id, third.id]).toEqual([`${event}-2`, `${event}-3`]);
    const entries = await archive.listEvent(third.id);
    expect(entries.map(({ id, segment, event: of }) => [id, segment, of])).toEqual([
      [event, 1, event],
      [second.id, 2, event],
      [third.id, 3, event],
    ]);
    expect(entries[2]).toMatchObject({
      path: `live/camera-1/2026-11-22T13-07-09Z_${event}-3.flv`,
      origin: testOrigin,
    });
    // Without a row the file itself keeps its number.
    const stray = await next(archive, event);
    await db.deleteFrom('recordings').where('id', '=', stray.id).execute();
    expect(stray.id).toBe(`${event}-4`);
    expect((await next(archive, event, start + 180_000)).id).toBe(`${event}-5`);
  });

  it('never take the number of a deleted one, and keep what is missing', async () => {
    const { archive } = await openTestArchive();
    const first = await beginRecording(archive, someTags());
    await first.writer.end('unpublished');
    const event = first.recording.id;
    const second = await next(archive, event);
    await second.append(Buffer.from('x'));
    const gaps = [{ at: 0, missing: 800, reason: 'reconnect', dropped: 3 }] as const;
    await second.seal({ durationMs: 7, gaps });
    expect(await archive.find(second.id)).toMatchObject({ gaps, state: 'complete' });
    await archive.remove(second.id);
    expect((await next(archive, event)).id).toBe(`${event}-3`);
  });

  it('are locked like the one before, and what is locked stays', async () => {
    const { archive } = await openTestArchive();
    const first = await beginRecording(archive, someTags());
    await first.writer.end('unpublished');
    const event = first.recording.id;
    await archive.catalogue.update(event, { locked: true });
    await expect(archive.remove(event)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    expect((await archive.find((await next(archive, event)).id))?.locked).toBe(true);
  });
});

describe('the archive of a server', () => {
  it('refuses to begin where the volume is full, and says how full it is', async () => {
    const { archive, log } = await openTestArchive({ minFreeSpace: 2 ** 60 });
    const told: string[] = [];
    archive.onSpace((state) => told.push(state));
    await archive.watchSpace();
    expect([archive.spaceState, told, log.events]).toEqual(['stop', ['stop'], ['space.exhausted']]);
    expect(archive.freeBytes).toBeGreaterThan(0);
    await expect(beginRecording(archive, [])).rejects.toMatchObject({ code: 'DISK_FULL' });
    await archive.stop();
  });

  it('tells what is finished, whichever way', async () => {
    const { archive } = await openTestArchive();
    const told: RecordingId[] = [];
    const stop = archive.onFinished((id) => told.push(id));
    const sealed = await beginRecording(archive, someTags(), start);
    await sealed.writer.end('unpublished');
    const broken = await beginRecording(archive, someTags(), start + 1000);
    await broken.recording.abandon();
    stop();
    await (await beginRecording(archive, someTags(), start + 2000)).writer.end('unpublished');
    expect(told).toEqual([sealed.recording.id, broken.recording.id]);
  });

  it('repairs beside the start what takes longer than its patience, and goes on at the next one', async () => {
    const dead = await openTestArchive();
    const ids: RecordingId[] = [];
    for (let count = 0; count < 5; count += 1) {
      ids.push((await beginRecording(dead.archive, someTags(), start + count * 1000)).recording.id);
    }
    const states = async (archive: Archive) => (await archive.list()).map(({ state }) => state);
    const { archive, clock } = await openTestArchive({ dataFolder: dead.dataFolder });
    const others = clock.timers;
    const begun = archive.beginRecovery(1000);
    while (clock.timers === others) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    await begun;
    await archive.stop(); // in the middle of it
    expect(await states(archive)).toContain('recording');

    const again = await openTestArchive({ dataFolder: dead.dataFolder });
    await again.archive.beginRecovery(60_000);
    expect(await states(again.archive)).toEqual(ids.map(() => 'recovered'));
    expect(again.clock.timers).toBe(others);
  });
});
