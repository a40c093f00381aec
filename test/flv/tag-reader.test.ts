import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePreviousTagSize, parseTagHeader, TagReader } from '../../src/flv/tag-reader.ts';
import { fileHeader, fileHeaderLength, tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import { aacTag, avcTag, readTags } from '../support/media-tags.ts';
import { slicesAt, slicesOf } from '../support/slices.ts';

const sent: readonly Tag[] = [
  avcTag('header', 0),
  aacTag('header', 0),
  avcTag('key', 0, 900),
  aacTag('frame', 0),
  avcTag('inter', 0x1000000 + 40, 0),
  { type: TagType.Audio, timestamp: 0xfffffffe, body: new Uint8Array(0), role: 'audio' },
];

function fileOf(tags: readonly Tag[]): Uint8Array {
  const size = tags.reduce((sum, { body }) => sum + tagSize(body.length), fileHeaderLength);
  const bytes = new Uint8Array(size);
  bytes.set(fileHeader(true, true));
  let offset = fileHeaderLength;
  for (const { type, timestamp, body } of tags) offset = writeTag(bytes, offset, type, timestamp, body);
  return bytes;
}

const file = fileOf(sent);
const ends = sent.reduce<number[]>(
  (list, { body }) => [...list, (list.at(-1) ?? 0) + tagSize(body.length)],
  [fileHeaderLength],
);

function feed(slices: Iterable<Uint8Array>) {
  const tags: Tag[] = [];
  const reader = new TagReader((tag) => tags.push({ ...tag, body: Uint8Array.from(tag.body) }));
  for (const slice of slices) reader.push(slice);
  return { tags, reader };
}

describe('TagReader', () => {
  it('reads what the writer wrote, with positions', () => {
    const { tags, reader } = readTags(file);
    expect(tags).toEqual(sent.map((tag) => expect.objectContaining(tag)));
    expect(tags[0]?.position).toBe(fileHeaderLength);
    expect(tags[1]?.position).toBe(fileHeaderLength + tagSize(sent[0]!.body.length));
    expect([reader.status, reader.wholeBytes]).toEqual(['reading', file.length]);
  });

  it('split: gives the same tags however the bytes are sliced', () => {
    expect(feed(slicesOf(file, 1)).tags).toEqual(sent);
    fc.assert(
      fc.property(fc.array(fc.nat(file.length), { maxLength: 12 }), (cuts) => {
        expect(feed(slicesAt(file, cuts)).tags).toEqual(sent);
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it('trailing: knows where the last whole tag ends, wherever the file is cut', () => {
    const cumulative = [fileHeaderLength];
    for (const { body } of sent) cumulative.push((cumulative.at(-1) ?? 0) + tagSize(body.length));
    for (let length = 0; length <= file.length; length += 1) {
      const { reader } = feed([file.subarray(0, length)]);
      const whole = cumulative.findLast((end) => end <= length) ?? 0;
      expect([reader.status, reader.wholeBytes]).toEqual(['reading', whole]);
    }
    expect(cumulative.at(-1)).toBe(file.length);
  });

  it('stops at zeros, at a wrong PreviousTagSize and at a stream ID', () => {
    const whole = file.length;
    const zeros = Buffer.concat([file, Buffer.alloc(64)]);
    expect(feed([zeros]).reader).toMatchObject({ status: 'damaged', wholeBytes: whole });

    // a tag whose end never reached the disk: the header is there, body and PreviousTagSize are zeros
    const hollow = fileOf([...sent, avcTag('inter', 80, 500)]);
    hollow.fill(0, whole + 11);
    expect(feed([hollow]).reader).toMatchObject({ status: 'damaged', wholeBytes: whole });

    const stranger = Uint8Array.from(file);
    stranger[fileHeaderLength + 10] = 1;
    expect(feed([stranger]).reader).toMatchObject({ status: 'damaged', wholeBytes: fileHeaderLength });
    expect(feed([stranger, file]).tags).toEqual([]);
  });

  it('garbage: is no FLV, and nothing is thrown or piled up', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 13, maxLength: 200 }), (bytes) => {
        expect(feed(slicesOf(bytes, 7)).reader.status).toBe('not-flv');
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it('begins at a position in the middle of a file', () => {
    const start = ends[1]!;
    const { tags } = readTags(file, start);
    expect(tags[0]).toMatchObject({ position: start, role: 'sequence-start', type: TagType.Audio });
  });
});

describe('the pieces of a tag', () => {
  it('are read on their own', () => {
    const bytes = fileOf([avcTag('key', 0x2000001, 7)]).subarray(fileHeaderLength);
    expect(parseTagHeader(bytes)).toEqual({ type: TagType.Video, bodyLength: 12, timestamp: 0x2000001 });
    expect(parsePreviousTagSize(bytes.subarray(-4))).toBe(23);
    expect(parseTagHeader(bytes.subarray(0, 10))).toBeUndefined();
    expect(parseTagHeader(bytes.subarray(1))).toBeUndefined();
  });
});
