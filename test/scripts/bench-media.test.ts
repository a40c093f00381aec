import { describe, expect, it } from 'vitest';
import {
  groupDuration,
  messageAt,
  messagesPerGroup,
  messagesPerPeriod,
  stampOffset,
  StreamMedia,
  videoSequenceHeader,
  writeStamp,
} from '../../scripts/bench-media.ts';
import { TagType } from '../../src/flv/tag.ts';

const bodyOf = (stream: number, index: number) => Buffer.from(new StreamMedia(stream).bodyOf(index));

describe('the media of the benchmark', () => {
  it('is 3 Mbps in 73 messages a second', () => {
    let bytes = 0;
    for (let index = 0; index < messagesPerPeriod; index++) bytes += bodyOf(0, index).length;
    const seconds = messageAt(messagesPerPeriod).timestamp / 1000;
    expect(messagesPerPeriod / seconds).toBe(73);
    expect((bytes * 8) / seconds / 1e6).toBeCloseTo(3, 1);
  });

  it('has a key frame at the beginning of each group, and time that never steps back', () => {
    const kinds = Array.from({ length: messagesPerGroup * 2 }, (_, index) => bodyOf(0, index)[0]);
    expect(kinds.flatMap((kind, index) => (kind === 0x17 ? [index] : []))).toEqual([0, messagesPerGroup]);
    for (let index = 1; index <= messagesPerGroup; index++) {
      expect(messageAt(index).timestamp).toBeGreaterThanOrEqual(messageAt(index - 1).timestamp);
    }
    expect(messageAt(messagesPerGroup)).toEqual({ type: TagType.Video, timestamp: groupDuration });
  });

  it('declares in each frame the length of the NAL unit that follows', () => {
    const frame = bodyOf(3, 2 * messagesPerGroup);
    expect(frame.readUInt32BE(5)).toBe(frame.length - 9);
    expect(Buffer.from(videoSequenceHeader).readUInt16BE(11)).toBe(25); // the SPS is whole
    expect(videoSequenceHeader.length).toBe(13 + 25 + 3 + 5);
  });

  it('is never the same twice', () => {
    const seen = new Set<string>();
    for (const stream of [0, 1, 199]) {
      for (const index of [1, 2, 1 + messagesPerGroup, 1 + messagesPerPeriod]) {
        seen.add(bodyOf(stream, index).toString('hex'));
      }
    }
    expect(seen.size).toBe(12);
  });

  it('is a period later the same but for the stamp', () => {
    for (const index of [0, 1, 2, messagesPerPeriod - 1]) {
      const body = bodyOf(0, index);
      writeStamp(body, stampOffset(index), 0, index + 7 * messagesPerPeriod);
      expect(body.equals(bodyOf(0, index + 7 * messagesPerPeriod))).toBe(true);
    }
  });
});
