// The check decides what counts, so it must notice every way in which a recording can be wrong.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findFault, RecordingCheck } from '../../scripts/bench-check.ts';
import {
  audioSequenceHeader,
  messageAt,
  messagesPerGroup,
  metadata,
  StreamMedia,
  videoSequenceHeader,
} from '../../scripts/bench-media.ts';
import { fileHeader, tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { TagType } from '../../src/flv/tag.ts';
import { slicesOf } from '../support/slices.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Piece {
  readonly type: TagType;
  readonly timestamp: number;
  readonly body: Uint8Array;
}

const messages = messagesPerGroup;
const headers: Piece[] = [
  { type: TagType.ScriptData, timestamp: 0, body: metadata },
  { type: TagType.Video, timestamp: 0, body: videoSequenceHeader },
  { type: TagType.Audio, timestamp: 0, body: audioSequenceHeader },
];

function sent(stream = 5, count = messages): Piece[] {
  const media = new StreamMedia(stream);
  return Array.from({ length: count }, (_, index) => ({
    ...messageAt(index),
    body: Uint8Array.from(media.bodyOf(index)),
  }));
}

function file(...pieces: Piece[]): Buffer {
  const tags = pieces.map(({ type, timestamp, body }) => {
    const tag = Buffer.alloc(tagSize(body.length));
    writeTag(tag, 0, type, timestamp, body);
    return tag;
  });
  return Buffer.concat([fileHeader(true, true), ...tags]);
}

function faultOf(bytes: Uint8Array): string | undefined {
  const check = new RecordingCheck(5, messages);
  check.push(bytes);
  return check.finish();
}

describe('the check of a recording', () => {
  const good = sent();

  it('finds nothing wrong with what was sent, however it is cut, wherever its time begins', () => {
    const whole = file(...headers, ...good);
    expect(faultOf(whole)).toBeUndefined();
    const check = new RecordingCheck(5, messages);
    for (const piece of slicesOf(whole, 4093)) check.push(piece);
    expect(check.finish()).toBeUndefined();
    const later = good.map((piece) => ({ ...piece, timestamp: piece.timestamp + 40 }));
    expect(faultOf(file(...headers, ...later))).toBeUndefined();
    expect(faultOf(file(...headers, ...headers.slice(1), ...good))).toBeUndefined();
  });

  it('reads files', () => {
    const path = join(temporaryFolder(), 'bench-5.flv');
    writeFileSync(path, file(...headers, ...good));
    expect(findFault(path, 5, messages)).toBeUndefined();
    expect(findFault(path, 6, messages)).toBe('message 0 differs');
  });

  const wrong: [string, () => Uint8Array, string][] = [
    ['an empty file', () => new Uint8Array(0), `holds 0 of ${messages} messages`],
    ['something else', () => Buffer.alloc(100, 'x'), 'not-flv at byte 0'],
    ['a lost message', () => file(...headers, ...good.toSpliced(70, 1)), 'message 70 differs'],
    [
      'a lost end',
      () => file(...headers, ...good.slice(0, -1)),
      `holds ${messages - 1} of ${messages} messages`,
    ],
    ['a doubled message', () => file(...headers, ...good.toSpliced(9, 0, good[9]!)), 'message 10 differs'],
    [
      'a message too many',
      () => file(...headers, ...sent(5, messages + 1)),
      `holds more than ${messages} messages`,
    ],
    ['another stream', () => file(...headers, ...sent(6)), 'message 0 differs'],
    ['a foreign message', () => file(...headers, ...good.toSpliced(7, 1, sent(6)[7]!)), 'message 7 differs'],
    [
      'a message of a group later',
      () => file(...headers, ...sent(5, 2 * messages).slice(messages)),
      'message 0 differs',
    ],
    [
      'a torn end',
      () => file(...headers, ...good).subarray(0, -1),
      `holds ${messages - 1} of ${messages} messages`,
    ],
    [
      'garbage behind the end',
      () => Buffer.concat([file(...headers, ...good), Buffer.alloc(5, 9)]),
      'torn at byte',
    ],
    [
      'another sequence header',
      () => file({ ...headers[1]!, body: Uint8Array.of(0x17, 0, 0, 0, 0) }),
      'a sequence header differs',
    ],
    [
      'a wrong time',
      () => file(...headers, ...good.with(30, { ...good[30]!, timestamp: 1 })),
      `message 30 is at 1 ms instead of ${messageAt(30).timestamp} ms`,
    ],
    [
      'one wrong bit',
      () => {
        const bytes = file(...headers, ...good);
        bytes[bytes.length - 5]! ^= 1;
        return bytes;
      },
      `message ${messages - 1} differs`,
    ],
  ];

  it.each(wrong)('notices %s', (_, bytes, fault) => {
    expect(faultOf(bytes())).toContain(fault);
  });
});
