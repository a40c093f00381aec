import { describe, expect, it } from 'vitest';
import {
  eventOf,
  makeRecordingId,
  parseRecordingFileName,
  parseRecordingId,
  recordingPath,
  segmentId,
  segmentOf,
} from '../../src/archive/recording-name.ts';
import type { RecordingId, StreamName } from '../../src/ops/names.ts';
import { seededRandom } from '../support/seeded-random.ts';

describe('recording names', () => {
  it('hold 80 random bits in 16 characters', () => {
    const asked: number[] = [];
    const id = makeRecordingId((length) => {
      asked.push(length);
      return Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x1f);
    });
    expect([id, asked]).toEqual(['zzzzzzzz0000000z', [10]]);
    const random = seededRandom('ids');
    const ids = Array.from({ length: 1000 }, () => makeRecordingId(random));
    expect(new Set(ids).size).toBe(1000);
    for (const one of ids) expect(parseRecordingId(one)).toBe(one);
  });

  it('are made of stream, start in UTC and id, and read back', () => {
    const start = Date.UTC(2026, 10, 22, 13, 5, 9, 999);
    const path = recordingPath('live/camera-1' as StreamName, start, '0123456789abcdef' as RecordingId);
    expect(path).toBe('live/camera-1/2026-11-22T13-05-09Z_0123456789abcdef.flv');
    expect(parseRecordingFileName(path.split('/').at(-1)!)).toEqual({
      startedAt: start - 999,
      id: '0123456789abcdef',
    });
  });

  it('of segments name the event and count from 1', () => {
    const event = '0123456789abcdef' as RecordingId;
    for (const [segment, id] of [
      [1, event],
      [2, `${event}-2`],
      [10, `${event}-10`],
      [123_456, `${event}-123456`],
    ] as const) {
      const made = segmentId(event, segment);
      expect([made, parseRecordingId(made), eventOf(made), segmentOf(made)]).toEqual([
        id,
        id,
        event,
        segment,
      ]);
      const path = recordingPath('live/a' as StreamName, 0, made);
      expect(parseRecordingFileName(path.split('/').at(-1)!)).toEqual({ startedAt: 0, id });
    }
    for (const end of ['-', '-0', '-1', '-02', '-2-3', '-x', '-2/..', '-1234567890']) {
      expect(parseRecordingId(event + end)).toBeUndefined();
      expect(parseRecordingFileName(`2026-11-22T13-05-09Z_${event}${end}.flv`)).toBeUndefined();
    }
  });

  it('are told from anything else', () => {
    for (const text of [
      '',
      '..',
      'show.flv',
      '2026-11-22T13-05-09Z_0123456789abcdeF.flv',
      '2026-13-99T13-05-09Z_0123456789abcdef.flv',
    ]) {
      expect(parseRecordingFileName(text)).toBeUndefined();
    }
    for (const text of [
      '',
      '0123456789abcde',
      '0123456789abcdefg',
      '../23456789abcdef',
      'ilou456789abcdef',
    ]) {
      expect(parseRecordingId(text)).toBeUndefined();
    }
  });
});
