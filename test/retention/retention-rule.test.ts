import { array, assert, boolean, constantFrom, integer, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordingEntry } from '../../src/archive/catalogue-store.ts';
import type { RecordingId, StreamName } from '../../src/ops/names.ts';
import {
  judgeRetention,
  oldestToGo,
  rulesFor,
  type RetentionRules,
} from '../../src/retention/retention-rule.ts';

const hour = 3_600_000;
const now = Date.UTC(2026, 10, 22);
const none: RetentionRules = { maxAge: null, maxTotalSize: null, maxStreamSize: null, streams: {} };

/** `age` in hours since its start; it lasted one. */
function entry(name: string, age: number, bytes: number, more: Partial<RecordingEntry> = {}): RecordingEntry {
  return {
    id: name as RecordingId,
    stream: 'live/a' as StreamName,
    keyId: undefined,
    state: 'complete',
    startedAt: now - age * hour,
    endedAt: now - (age - 1) * hour,
    durationMs: hour,
    bytes,
    sha256: undefined,
    path: name,
    event: name as RecordingId,
    segment: 1,
    gaps: [],
    locked: false,
    origin: undefined,
    codecs: [],
    ...more,
  };
}

const judge = (entries: RecordingEntry[], rules: Partial<RetentionRules>) =>
  judgeRetention(entries, { ...none, ...rules }, now).map(({ entry: { id }, reason }) => `${id} ${reason}`);

describe('retention', () => {
  it('without rules keeps everything', () => {
    expect(judge([entry('a', 99_999, 2 ** 50)], {})).toEqual([]);
  });

  it('counts age from the end of a recording', () => {
    const entries = [entry('a', 26, 1), entry('b', 25, 1), entry('c', 24, 1)];
    expect(judge(entries, { maxAge: 24 * hour })).toEqual(['a max-age']);
    const cut = { endedAt: undefined, durationMs: undefined };
    expect(judge([entry('d', 25, 1, cut)], { maxAge: 24 * hour })).toEqual(['d max-age']);
  });

  it('takes the oldest of what is too much, of a stream and of all', () => {
    const other = { stream: 'live/b' as StreamName };
    const entries = [
      entry('new', 1, 40),
      entry('b', 9, 100, other),
      entry('old', 8, 40),
      entry('mid', 5, 40),
    ];
    expect(judge(entries, { maxStreamSize: 100 })).toEqual(['old max-stream-size']);
    expect(judge(entries, { maxTotalSize: 100 })).toEqual(['b max-total-size', 'old max-total-size']);
    expect(judge(entries, { maxStreamSize: 100, maxTotalSize: 180 })).toEqual(['old max-stream-size']);
    expect(judge(entries, { maxTotalSize: 220 })).toEqual([]);
  });

  it('never takes what is locked or in the making, though it counts', () => {
    const entries = [
      entry('locked', 90, 50, { locked: true }),
      entry('live', 80, 50, { state: 'recording', endedAt: undefined, durationMs: undefined }),
      entry('a', 70, 10, { state: 'recovered' }),
      entry('b', 1, 10),
    ];
    expect(judge(entries, { maxAge: hour, maxTotalSize: 1 })).toEqual(['a max-age', 'b max-total-size']);
    expect(oldestToGo(entries)?.id).toBe('a');
    expect(oldestToGo(entries.slice(0, 2))).toBeUndefined();
  });

  it('heeds the word of a stream before that of its app, and that before the word for all', () => {
    const rules: RetentionRules = {
      ...none,
      maxAge: 100,
      maxStreamSize: 1000,
      streams: { 'live/*': { maxAge: 50 }, 'live/a': { maxStreamSize: 5, maxAge: null } },
    };
    expect(rulesFor('live/a', rules)).toEqual({ maxAge: null, maxStreamSize: 5 });
    expect(rulesFor('live/b', rules)).toEqual({ maxAge: 50, maxStreamSize: 1000 });
    expect(rulesFor('test/a', rules)).toEqual({ maxAge: 100, maxStreamSize: 1000 });
    expect(rulesFor('constructor/prototype', rules)).toEqual({ maxAge: 100, maxStreamSize: 1000 });
  });

  it('never keeps more than it must let go, nor lets go more than it must', () => {
    const some = array(
      record({
        age: integer({ min: 1, max: 100 }),
        bytes: integer({ min: 0, max: 100 }),
        locked: boolean(),
        state: constantFrom('complete' as const, 'recovered' as const, 'recording' as const),
      }),
      { maxLength: 20 },
    );
    assert(
      property(some, integer({ min: 0, max: 500 }), (facts, most) => {
        const entries = facts.map(({ age, bytes, ...more }, at) =>
          entry(`${at}`.padStart(3, '0'), age, bytes, more),
        );
        const gone = judgeRetention(entries, { ...none, maxTotalSize: most }, now).map((one) => one.entry);
        expect(gone.some(({ locked, state }) => locked || state === 'recording')).toBe(false);
        const kept = entries.filter((one) => !gone.includes(one));
        const total = kept.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
        expect(total <= most || oldestToGo(kept) === undefined).toBe(true);
        expect(total + (gone.at(-1)?.bytes ?? Infinity)).toBeGreaterThan(most);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
