import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import type { RecordingEntry } from '../../src/archive/catalogue-store.ts';
import { EventReader } from '../../src/archive/event-reader.ts';
import { finalHead, headLength } from '../../src/flv/file-head.ts';
import { FileSummary } from '../../src/flv/file-summary.ts';
import { gapMarkOf, gapScript, metadataOf } from '../../src/flv/script-data.ts';
import { tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { aacTag, avcTag, readTags, streamTags, tagOf } from '../support/media-tags.ts';

const client = new AmfObject([['width', 640]], 'ecma-array');

/** A finished segment, as the recorder makes one. */
function segment(tags: readonly Tag[]): { bytes: Uint8Array; durationMs: number } {
  const summary = new FileSummary();
  const parts = tags.map(({ type, role, timestamp, body }) => {
    const bytes = new Uint8Array(tagSize(body.length));
    writeTag(bytes, 0, type, timestamp, body);
    summary.add(type, role, timestamp, headLength, body);
    return bytes;
  });
  const size = headLength + parts.reduce((sum, { length }) => sum + length, 0);
  return {
    bytes: Buffer.concat([finalHead(client, summary, size), ...parts]),
    durationMs: summary.durationMs,
  };
}

const frames = (count: number, filling = 0) =>
  Array.from({ length: count }, (_, at) => [
    avcTag(at % 10 === 0 ? 'key' : 'inter', at * 40, 60, at + filling),
    aacTag('frame', at * 40 + 7),
  ]).flat();
const headers = (filling = 0) => [avcTag('header', 0, 30, filling), aacTag('header', 0)];

async function read(segments: readonly Tag[][], pieceSize = 4096) {
  const made = segments.map(segment);
  const entries = made.map(
    ({ durationMs }, index) => ({ id: `${index}`, durationMs }) as unknown as RecordingEntry,
  );
  const source = {
    async *read(id: RecordingId) {
      const { bytes } = made[Number(id)]!;
      for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
    },
  };
  const reader = new EventReader(source, entries);
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.pieces()) pieces.push(Uint8Array.from(piece));
  const file = Buffer.concat(pieces);
  return { file, tags: streamTags(file), reader };
}

const shown = (tags: readonly Tag[]) =>
  tags.map(({ type, timestamp, body }) => `${type} ${timestamp} ${Buffer.from(body).toString('hex')}`);

describe('an event as one file', () => {
  it('goes on in time where the segment before ended, with its headers once', async () => {
    const { tags, file } = await read([
      [...headers(), ...frames(25)],
      [...headers(), ...frames(25, 99)],
      [...headers(), ...frames(5, 7)],
    ]);
    const expected = [
      ...headers(),
      ...frames(25),
      ...frames(25, 99).map((tag) => ({ ...tag, timestamp: tag.timestamp + 1000 })),
      ...frames(5, 7).map((tag) => ({ ...tag, timestamp: tag.timestamp + 2000 })),
    ];
    expect(shown(tags)).toEqual(shown(expected));
    expect(readTags(file).reader.wholeBytes).toBe(file.length);
    expect(metadataOf(readTags(file).tags[0]!.body)?.get('duration')).toBe(2.221);
  });

  it('is the same however the segments come in pieces', async () => {
    const segments = [
      [...headers(), ...frames(12)],
      [...headers(), ...frames(12)],
    ];
    const { file } = await read(segments);
    for (const size of [1000, 32_768, 1_000_000]) expect((await read(segments, size)).file).toEqual(file);
  });

  it('keeps headers that differ, come back, or changed on the way', async () => {
    const roles = async (...segments: Tag[][]) =>
      (await read(segments)).tags
        .filter(({ role }) => role === 'sequence-start')
        .map(({ type, timestamp, body }) => `${type} ${timestamp} ${body[6]}`);
    const [a, b] = [headers(0), headers(50)];
    const video = (tags: Tag[]) => tags[0]!.body[6]!;
    expect(await roles([...a, ...frames(5)], [...b, ...frames(5)], [...a, ...frames(5)])).toEqual(
      [a, b, a].flatMap((tags, index) => [
        `9 ${index * 200} ${video(tags)}`,
        `8 ${index === 0 ? 0 : index * 200} ${tags[1]!.body[6]}`,
      ]),
    );
    // changed in the middle of the first: the next one's headers are needed, though they equal the first one's
    const changed = await roles([...a, ...frames(5), { ...b[0]!, timestamp: 160 }], [...a, ...frames(5)]);
    expect(changed).toHaveLength(5);
  });

  it('keeps data where it stands, and never steps back in a track', async () => {
    const mark = tagOf(TagType.ScriptData, 30, encodeAmf0('onCuePoint', new AmfObject([['at', 30]])));
    const longSound = [...headers(), ...frames(5), aacTag('frame', 190), aacTag('frame', 213)];
    const { tags } = await read([longSound, [...headers(), mark, ...frames(5)]]);
    expect(shown(tags)).toContain(shown([{ ...mark, timestamp: 230 }])[0]);
    for (const type of [TagType.Audio, TagType.Video]) {
      const times = tags.filter((tag) => tag.type === type).map(({ timestamp }) => timestamp);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
    }
    // pictures go on at their own pace: what sounded longer is moved
    expect(tags.filter(({ role }) => role === 'key-frame').map(({ timestamp }) => timestamp)).toEqual([
      0, 200,
    ]);
  });

  it('says of a gap where it is now, in a script that players take for no track of text', async () => {
    const gap = (at: number) =>
      tagOf(TagType.ScriptData, 0, gapScript({ at, missing: 700, reason: 'disk', dropped: 3 }));
    const again = tagOf(TagType.ScriptData, 0, encodeAmf0('onMetaData', client));
    const { tags } = await read([
      [...headers(), gap(0), ...frames(5)],
      [...headers(), gap(0), ...frames(4), gap(120), again, avcTag('inter', 160)],
    ]);
    const scripts = tags.filter(({ type }) => type === TagType.ScriptData);
    expect(scripts.map(({ timestamp }) => timestamp)).toEqual([0, 0, 0, 0]);
    expect(scripts.map(({ body }) => gapMarkOf(body)?.at)).toEqual([0, 200, 320, undefined]);
    expect(gapMarkOf(scripts[2]!.body)).toEqual({ at: 320, missing: 700, reason: 'disk', dropped: 3 });
  });

  it('has a final head with everything that a file of its own would have', async () => {
    const tags = [...headers(), ...frames(25)];
    const { file, reader } = await read([tags, tags]);
    const head = metadataOf(readTags(reader.finalHead()).tags[0]!.body);
    expect([head?.get('filesize'), head?.get('duration'), head?.get('width')]).toEqual([
      file.length,
      2.007,
      640,
    ]);
    const keyframes = head?.get('keyframes');
    const positions = keyframes instanceof AmfObject && keyframes.get('filepositions');
    const keys = streamTags(file).filter(({ role }) => role === 'key-frame');
    expect(positions).toEqual(keys.map(({ position }) => position));
    expect(reader.finalHead()).toHaveLength(headLength);
  });

  it('of one segment is that segment', async () => {
    const tags = [...headers(), ...frames(25)];
    const { file, reader } = await read([tags]);
    const { bytes } = segment(tags);
    expect(file.subarray(headLength)).toEqual(bytes.subarray(headLength));
    expect(metadataOf(readTags(reader.finalHead()).tags[0]!.body)?.get('filesize')).toBe(bytes.length);
  });
});
