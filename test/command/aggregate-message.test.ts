import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/chunk/message.ts';
import { readAggregate } from '../../src/command/aggregate-message.ts';
import { aggregatePayload } from '../support/aggregate.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { fromHex, toHex } from '../support/vectors.ts';

function read(payload: Uint8Array, timestamp = 0) {
  const parts: (Omit<Message, 'payload'> & { payload: string })[] = [];
  readAggregate({ type: 22, timestamp, streamId: 5, payload }, (part) =>
    parts.push({ ...part, payload: toHex(part.payload) }),
  );
  return parts;
}

const frame = (type: number, timestamp: number, hex: string, streamId = 0) => ({
  type,
  timestamp,
  payload: fromHex(hex),
  streamId,
});

describe('an aggregate', () => {
  it('is its parts, on its own message stream, moved to its own time', () => {
    // Byte for byte as RTMP 7.1.6 draws it: header, data, back pointer; the stream IDs inside do not count.
    const payload = fromHex(
      '09 000002 0003e8 00 000009 2701 0000000d   08 000001 0003fc 00 000000 af 0000000c',
    );
    expect(payload).toEqual(aggregatePayload(frame(9, 1000, '2701', 9), frame(8, 1020, 'af')));
    expect(read(payload, 90_000)).toEqual([
      { type: 9, timestamp: 90_000, streamId: 5, payload: '2701' },
      { type: 8, timestamp: 90_020, streamId: 5, payload: 'af' },
    ]);
  });

  it.each<[string, number, number[], number[]]>([
    ['the same time', 500, [500, 520], [500, 520]],
    ['parts that begin at 0', 500, [0, 20], [500, 520]],
    ['parts out of order', 500, [100, 80, 120], [500, 480, 520]],
    ['32 bits of the timestamp', 0x1200_0000, [0x1200_0000, 0x1200_0028], [0x1200_0000, 0x1200_0028]],
    ['parts that wrap', 10, [0xffff_fff0, 8], [10, 34]],
    ['an aggregate that wraps', 0xffff_fff0, [0, 20], [0xffff_fff0, 4]],
    ['parts far ahead of it', 0, [0xffff_ffff, 0], [0, 1]],
  ])('with %s', (_, timestamp, sent, expected) => {
    const parts = sent.map((each) => frame(9, each, '2701'));
    expect(read(aggregatePayload(...parts), timestamp).map((part) => part.timestamp)).toEqual(expected);
  });

  it('may be empty, and so may its parts', () => {
    expect(read(new Uint8Array(0))).toEqual([]);
    expect(read(aggregatePayload(frame(8, 0, '')))).toMatchObject([{ type: 8, payload: '' }]);
  });

  it('holds media and data; commands, controls and aggregates in it are passed over', () => {
    const parts = [1, 3, 4, 8, 9, 15, 16, 17, 18, 19, 20, 22, 99].map((type) => frame(type, 0, 'ff'));
    expect(read(aggregatePayload(...parts)).map(({ type }) => type)).toEqual([8, 9, 15, 18]);
  });

  it('cut short anywhere but between two parts is AGGREGATE_INVALID', () => {
    const first = aggregatePayload(frame(9, 0, '270100')).length;
    const whole = aggregatePayload(frame(9, 0, '270100'), frame(8, 0, 'af'));
    for (let length = 0; length <= whole.length; length += 1) {
      const between = length === 0 || length === first || length === whole.length;
      expect(refusalOf(() => read(whole.subarray(0, length)))).toBe(
        between ? undefined : 'AGGREGATE_INVALID',
      );
    }
  });

  it('of garbage gives parts from inside it, or AGGREGATE_INVALID', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (payload) => {
        let bytes = 0;
        const code = refusalOf(() =>
          readAggregate({ type: 22, timestamp: 0, streamId: 1, payload }, (part) => {
            bytes += 15 + part.payload.length;
          }),
        );
        expect(bytes).toBeLessThanOrEqual(payload.length);
        expect(code ?? 'AGGREGATE_INVALID').toBe('AGGREGATE_INVALID');
      }),
      { seed: 22, numRuns: 1000 },
    );
  });
});
