import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { measureRecording, repairRecording, salvageFile } from '../../src/archive/recording-repair.ts';
import { headLength } from '../../src/flv/file-head.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { TagType } from '../../src/flv/tag.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';
import { readTags, streamTags, tagOf, type ReadTag } from '../support/media-tags.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { RecordingVault } from '../../src/archive/recording-vault.ts';

const path = 'live/a/2026-11-22T13-05-09Z_0123456789abcdef.flv';
const client = tagOf(
  TagType.ScriptData,
  0,
  encodeAmf0('@setDataFrame', 'onMetaData', new AmfObject([['width', 640]], 'ecma-array')),
);

/** What a killed server leaves, and what it would have made of it. */
async function killed(count?: number): Promise<{ part: Uint8Array; sealed: Uint8Array }> {
  const { archive } = await openTestArchive();
  const { recording, writer } = await beginRecording(archive, [client, ...someTags(count)]);
  const part = readFileSync(archive.pathOf((await archive.find(recording.id))!));
  await writer.end('shutdown');
  return { part, sealed: readFileSync(archive.pathOf((await archive.find(recording.id))!)) };
}

/** Puts a `.part` file there, repairs it, answers what became of it. */
async function repair(part: Uint8Array, root = temporaryFolder()) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, `${path}.part`), part);
  const result = await repairRecording(new RecordingVault(root), path);
  expect(existsSync(join(root, `${path}.part`))).toBe(false);
  const file = existsSync(join(root, path)) ? readFileSync(join(root, path)) : undefined;
  return { root, result, file };
}

const plain = (tags: readonly ReadTag[]) =>
  tags.map(
    ({ type, timestamp, body, position }) =>
      `${type} ${timestamp} ${position} ${Buffer.from(body).toString('hex')}`,
  );

describe('the repair', () => {
  it('makes of a whole .part file exactly what sealing would have made', async () => {
    const { part, sealed } = await killed();
    const { result, file } = await repair(part);
    expect(file).toEqual(sealed);
    expect(result).toEqual({ durationMs: 60 * 40 + 5, bytes: sealed.length, cutBytes: 0, gaps: [] });
  });

  it('keeps every whole tag of a file that is cut anywhere, and nothing else', async () => {
    const { part } = await killed(5);
    const all = streamTags(part);
    const random = seededRandom('cuts');
    const ends = all.map(({ position, body }) => position + 11 + body.length + 4);
    const cuts = [
      ...ends.flatMap((end) => [end - 1, end, end + 11]),
      ...Array.from(
        { length: 15 },
        () => headLength + (Buffer.from(random(4)).readUInt32BE() % (part.length - headLength)),
      ),
    ].filter((cut) => cut >= ends[0]! && cut <= part.length); // cut before: "removes what holds no tag"
    for (const cut of cuts) {
      const { result, file } = await repair(part.subarray(0, cut));
      const whole = ends.filter((end) => end <= cut).length;
      expect(plain(streamTags(file!))).toEqual(plain(all.slice(0, whole)));
      expect(readTags(file!).reader.wholeBytes).toBe(file!.length);
      expect(result).toMatchObject({ bytes: ends[whole - 1], cutBytes: cut - ends[whole - 1]! });
      const head = metadataOf(readTags(file!).tags[0]!.body);
      expect([head?.get('width'), head?.get('filesize')]).toEqual([640, file!.length]);
    }
    expect(cuts.length).toBeGreaterThan(40);
  });

  it('cuts zeros, behind the last tag or in the middle of one', async () => {
    const { part } = await killed(8);
    const all = streamTags(part);
    const behind = await repair(Buffer.concat([part, Buffer.alloc(100_000)]));
    expect(plain(streamTags(behind.file!))).toEqual(plain(all));
    expect(behind.result!.cutBytes).toBe(100_000);

    const hollow = Uint8Array.from(part).fill(0, all[10]!.position + 20);
    const inside = await repair(hollow);
    expect(plain(streamTags(inside.file!))).toEqual(plain(all.slice(0, 10)));
  });

  it('does without the head when that never reached the disk', async () => {
    const { part } = await killed();
    const { file } = await repair(Uint8Array.from(part).fill(0, 0, headLength));
    expect(plain(streamTags(file!))).toEqual(plain(streamTags(part)));
    const head = metadataOf(readTags(file!).tags[0]!.body);
    expect([head?.get('duration'), head?.get('videocodecid'), head?.get('width')]).toEqual([
      2.405,
      7,
      undefined,
    ]);
  });

  it('may be killed after any step and comes to the same file', async () => {
    const { part, sealed } = await killed();
    const torn = Buffer.concat([part, Buffer.alloc(5000, 7)]);
    const once = await repair(torn);
    // cut, but the head not yet written; head half written; all but the rename
    const half = Buffer.concat([sealed.subarray(0, 300), part.subarray(300)]);
    for (const state of [part, half, sealed]) {
      const { file } = await repair(state);
      expect(plain(streamTags(file!))).toEqual(plain(streamTags(once.file!)));
      expect(metadataOf(readTags(file!).tags[0]!.body)?.get('duration')).toBe(2.405);
    }
    // and a repaired file that is repaired again
    renameSync(join(once.root, path), join(once.root, `${path}.part`));
    await repairRecording(new RecordingVault(once.root), path);
    expect(readFileSync(join(once.root, path))).toEqual(sealed);
  });

  it('removes what holds no tag', async () => {
    const { part } = await killed();
    for (const bytes of [
      new Uint8Array(0),
      part.subarray(0, 5000),
      part.subarray(0, headLength + 30),
      Buffer.alloc(90_000),
    ]) {
      expect(await repair(bytes)).toMatchObject({ result: undefined, file: undefined });
    }
  });

  it('never replaces a file, and leaves the .part file when it must give up', async () => {
    const { part } = await killed();
    const root = temporaryFolder();
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), 'precious');
    writeFileSync(join(root, `${path}.part`), part);
    await expect(repairRecording(new RecordingVault(root), path)).rejects.toMatchObject({
      code: 'RECORDING_WRITE_FAILED',
    });
    expect(readFileSync(join(root, path), 'utf8')).toBe('precious');
    expect(existsSync(join(root, `${path}.part`))).toBe(true);
  });
});

describe('measuring', () => {
  it('says of a finished file what the repair would', async () => {
    const { part } = await killed();
    const { root, result } = await repair(part);
    expect(await measureRecording(new RecordingVault(root), path)).toEqual(result);
  });
});

describe('the repair of any file', () => {
  async function salvaged(bytes: Uint8Array) {
    const folder = temporaryFolder();
    const [input, output] = [join(folder, 'film.flv'), join(folder, 'film.repaired.flv')];
    writeFileSync(input, bytes);
    const result = await salvageFile(input, output);
    expect(readFileSync(input)).toEqual(Buffer.from(bytes));
    const file = readFileSync(output);
    expect(readTags(file).reader.wholeBytes).toBe(file.length);
    return { result, file, tags: streamTags(file), head: metadataOf(readTags(file).tags[0]!.body) };
  }
  const untimed = (tags: readonly ReadTag[]) =>
    tags.map(({ type, timestamp, body }) => `${type} ${timestamp} ${Buffer.from(body).toString('hex')}`);

  it('of ours: comes to the same file, torn or not', async () => {
    const { part, sealed } = await killed();
    expect((await salvaged(part)).file).toEqual(sealed);
    const torn = await salvaged(part.subarray(0, part.length - 5));
    expect(torn.tags).toHaveLength(streamTags(part).length - 1);
    expect(torn.result.holes).toEqual([{ from: torn.file.length, to: part.length - 5 }]);
  });

  it('of ours, whose head never reached the disk', async () => {
    const { part } = await killed();
    const { tags, result } = await salvaged(Uint8Array.from(part).fill(0, 0, headLength));
    expect(untimed(tags)).toEqual(untimed(streamTags(part)));
    expect(result.holes).toEqual([{ from: 0, to: headLength }]);
  });

  it('of others: without metadata, with a long header, with a hole in the middle', async () => {
    const { part } = await killed();
    const all = streamTags(part);
    const raw = part.subarray(headLength);
    const foreign = Buffer.concat([Buffer.from('464c5601050000000d0000000000000000', 'hex'), raw]);
    const { tags, head, result } = await salvaged(foreign);
    expect(untimed(tags)).toEqual(untimed(all));
    expect([head?.get('duration'), head?.get('filesize'), head?.get('hasVideo')]).toEqual([
      2.405,
      result.bytes,
      true,
    ]);
    const hole = Buffer.from(foreign).fill(
      0,
      all[20]!.position - headLength + 30,
      all[40]!.position - headLength,
    );
    const rest = await salvaged(hole);
    expect(rest.result.holes).toHaveLength(1);
    expect(rest.tags.length).toBeGreaterThanOrEqual(all.length - 22);
    expect(untimed(rest.tags).at(-1)).toBe(untimed(all).at(-1));
  });

  it('refuses what is no FLV, writes over nothing, and leaves nothing half', async () => {
    const folder = temporaryFolder();
    const [input, output] = [join(folder, 'a.mp4'), join(folder, 'out.flv')];
    await expect(salvageFile(input, output)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const bytes of [Buffer.alloc(0), Buffer.from('FLV'), Buffer.alloc(50_000, 9)]) {
      writeFileSync(input, bytes);
      await expect(salvageFile(input, output)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
      expect(existsSync(output)).toBe(false);
    }
    writeFileSync(output, 'mine');
    await expect(salvageFile(input, output)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    expect(readFileSync(output, 'utf8')).toBe('mine');
  });
});
