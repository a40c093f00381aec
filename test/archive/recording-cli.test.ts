import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  deleteRecording,
  getRecording,
  listRecordings,
  repairArchive,
  repairFile,
  showRecording,
} from '../../src/archive/recording-cli.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { beginRecording, openTestArchive, someTags, testKey, testStream } from '../support/archive.ts';
import { readTags } from '../support/media-tags.ts';
import { testOrigin } from '../support/test-origin.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const now = Date.UTC(2026, 10, 22, 14);
const writeOut = async () => {};

async function setUp() {
  const { archive, folder } = await openTestArchive();
  const { recording, writer } = await beginRecording(archive, someTags());
  await writer.end('unpublished');
  const live = await beginRecording(archive, someTags(10), Date.UTC(2026, 10, 22, 13, 30));
  return { archive, folder, done: recording.id, live: live.recording };
}

describe('penstock recording', () => {
  it('list: has the shape that scripts rely on', async () => {
    const { archive, folder, done, live } = await setUp();
    const { json, text } = await listRecordings(archive, {}, now);
    const path = join(folder, `live/camera-1/2026-11-22T13-05-09Z_${done}.flv`);
    expect(json).toEqual([
      {
        id: done,
        stream: 'live/camera-1',
        state: 'complete',
        startedAt: '2026-11-22T13:05:09.000Z',
        durationMs: 2405,
        bytes: statSync(path).size,
        sha256: null,
        path,
        keyId: '7h2kq9d4',
        event: done,
        segment: 1,
        gaps: [],
        locked: false,
      },
      expect.objectContaining({ id: live.id, state: 'recording', bytes: live.bytes }),
    ]);
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toContain('2026-11-22 13:05:09Z');
  });

  it('list: filters by stream and time', async () => {
    const { archive, done, live } = await setUp();
    const ids = async (...[given]: [Parameters<typeof listRecordings>[1]]) =>
      ((await listRecordings(archive, given, now)).json as { id: string }[]).map(({ id }) => id);
    expect(await ids({ stream: 'live/camera-1' })).toEqual([done, live.id]);
    expect(await ids({ stream: 'live/other' })).toEqual([]);
    expect(await ids({ since: '35m' })).toEqual([live.id]);
    expect(await ids({ since: '2026-11-22' })).toEqual([done, live.id]);
    for (const wrong of [{ stream: '../x' }, { since: 'yesterday' }]) {
      await expect(ids(wrong)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    }
  });

  it('show: says what there is to say, or that there is nothing', async () => {
    const { archive, done } = await setUp();
    const { json, text } = await showRecording(archive, done);
    expect(json).toMatchObject({ id: done, state: 'complete' });
    expect(text).toContain(done);
    for (const id of ['0000000000000000', '../../etc/passwd']) {
      await expect(showRecording(archive, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('get: copies to a new private file, never over another', async () => {
    const { archive, folder, done } = await setUp();
    const original = readFileSync(join(folder, `live/camera-1/2026-11-22T13-05-09Z_${done}.flv`));
    const output = join(temporaryFolder(), 'copy.flv');
    const { json } = await getRecording(archive, { id: done, output, writeOut });
    expect(json).toEqual({ id: done, output, bytes: original.length });
    expect([readFileSync(output), statSync(output).mode & 0o777]).toEqual([original, 0o600]);
    writeFileSync(output, 'mine');
    await expect(getRecording(archive, { id: done, output, writeOut })).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
    expect(readFileSync(output, 'utf8')).toBe('mine');
  });

  it('get: writes to standard output, also a recording in the making', async () => {
    const { archive, live } = await setUp();
    const pieces: Uint8Array[] = [];
    const report = await getRecording(archive, {
      id: live.id,
      output: '-',
      writeOut: async (bytes) => void pieces.push(bytes),
    });
    expect(report.text).toBe('');
    expect(Buffer.concat(pieces).length).toBe(live.bytes);
  });

  it('get --event: all segments in one file, with an index over all of it', async () => {
    const { archive, done } = await setUp();
    const second = await archive.create({
      stream: testStream,
      keyId: testKey,
      startedAt: Date.UTC(2026, 10, 22, 13, 7),
      origin: testOrigin,
      continues: done,
    });
    for await (const piece of archive.read(done)) await second.append(piece);
    await second.seal({ durationMs: 2405, gaps: [] });
    const output = join(temporaryFolder(), 'event.flv');
    const report = await getRecording(archive, { id: second.id, output, event: true, writeOut });
    const file = readFileSync(output);
    expect(report.json).toEqual({ id: done, output, bytes: file.length });
    expect(report.text).toContain('2 segments');
    const { tags, reader } = readTags(file);
    expect(reader.wholeBytes).toBe(file.length);
    const head = metadataOf(tags[0]!.body);
    expect([head?.get('filesize'), head?.get('duration')]).toEqual([file.length, 4.805]);
  });

  it('get: leaves no half copy', async () => {
    const { archive, folder, done } = await setUp();
    const output = join(temporaryFolder(), 'copy.flv');
    archive.read = async function* () {
      yield Buffer.from('half');
      throw new Error('disk');
    };
    await expect(getRecording(archive, { id: done, output, writeOut })).rejects.toMatchObject({
      code: 'RECORDING_WRITE_FAILED',
    });
    expect([existsSync(output), existsSync(folder)]).toEqual([false, true]);
  });

  it('delete: removes it', async () => {
    const { archive, done, live } = await setUp();
    await deleteRecording(archive, done);
    expect(await archive.find(done)).toBeUndefined();
    await expect(deleteRecording(archive, live.id)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
  });

  it('repair FILE: writes a new file beside it and says what was cut', async () => {
    const { archive, folder, done } = await setUp();
    const original = readFileSync(join(folder, `live/camera-1/2026-11-22T13-05-09Z_${done}.flv`));
    const file = join(temporaryFolder(), 'film.flv');
    writeFileSync(file, Buffer.concat([original, Buffer.alloc(500)]));
    const { json, text } = await repairFile(file);
    const output = file.replace('.flv', '.repaired.flv');
    expect(json).toMatchObject({
      input: file,
      output,
      bytes: original.length,
      cutBytes: 500,
      durationMs: 2405,
    });
    expect(text).toContain(`cut: bytes ${original.length} to ${original.length + 500}`);
    expect(readFileSync(output)).toEqual(original);
    expect((await archive.find(done))?.state).toBe('complete');
  });

  it('repair: finishes what a killed server left', async () => {
    const dead = await openTestArchive();
    const { recording } = await beginRecording(dead.archive, someTags());
    const { archive } = await openTestArchive({ dataFolder: dead.dataFolder });
    expect(await repairArchive(archive)).toMatchObject({
      json: [{ id: recording.id, outcome: 'recovered', durationMs: 2405, cutBytes: 0, reason: null }],
      failed: false,
    });
    expect((await repairArchive(archive)).text).toBe('Nothing to repair.');
  });
});
