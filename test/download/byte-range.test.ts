import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ifRangeHolds, parseByteRange } from '../../src/download/byte-range.ts';

describe('the range a request asks for', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-499', { start: 0, end: 499 }],
    ['bytes=999-', { start: 999, end: 999 }],
    ['bytes=500-5000', { start: 500, end: 999 }],
    ['bytes=-1', { start: 999, end: 999 }],
    ['bytes=-1000', { start: 0, end: 999 }],
    ['bytes=-99999', { start: 0, end: 999 }],
    ['BYTES=1-2', { start: 1, end: 2 }],
    ['bytes= 1-2 ,', { start: 1, end: 2 }],
    ['bytes=,,1-2', { start: 1, end: 2 }],
    ['bytes=0-99999999999999999999999999', { start: 0, end: 999 }],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=1000-2000', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=99999999999999999999999999-', 'unsatisfiable'],
    ['bytes=2-1', 'ignore'],
    ['bytes=0-1,4-5', 'ignore'],
    ['bytes=-', 'ignore'],
    ['bytes=', 'ignore'],
    ['bytes', 'ignore'],
    ['bytes=a-b', 'ignore'],
    ['bytes=+1-2', 'ignore'],
    ['bytes=1.5-2', 'ignore'],
    ['bytes=1--2', 'ignore'],
    ['bytes=0x1-2', 'ignore'],
    ['items=0-1', 'ignore'],
    ['', 'ignore'],
    [undefined, 'ignore'],
  ])('%j of 1000 bytes', (header, expected) => {
    expect(parseByteRange(header, 1000)).toEqual(expected);
  });

  it.each(['bytes=0-', 'bytes=0-0', 'bytes=-1'])('cannot be met by an empty file: %s', (header) => {
    expect(parseByteRange(header, 0)).toBe('unsatisfiable');
  });

  it('always lies within the file', () => {
    const part = fc.oneof(fc.nat(3000).map(String), fc.constant(''), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(fc.nat(2000), part, part, (size, first, last) => {
        const range = parseByteRange(`bytes=${first}-${last}`, size);
        if (typeof range === 'string') return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.start).toBeLessThanOrEqual(range.end);
        expect(range.end).toBeLessThan(size);
      }),
      { seed: 14, numRuns: 500 },
    );
  });
});

describe('If-Range', () => {
  const lastModified = Date.UTC(2026, 10, 22, 13, 5, 9);
  const finished = { etag: '"abc"', lastModified };
  const now = lastModified + 5000;

  it.each([
    [undefined, true],
    ['"abc"', true],
    ['W/"abc"', false],
    ['"abd"', false],
    ['abc', false],
    ['"abc", "abd"', false],
    ['Sun, 22 Nov 2026 13:05:09 GMT', true],
    ['Sun, 22 Nov 2026 13:05:10 GMT', false], // exact, not "since"
    ['2026-11-22T13:05:09Z', false],
    ['*', false],
    ['', false],
  ])('%j → %s', (header, holds) => {
    expect(ifRangeHolds(header, finished, now)).toBe(holds);
  });

  it('takes no date of the current second, and nothing while the file grows', () => {
    expect(ifRangeHolds('Sun, 22 Nov 2026 13:05:09 GMT', finished, lastModified + 999)).toBe(false);
    expect(ifRangeHolds('Sun, 22 Nov 2026 13:05:09 GMT', { etag: undefined, lastModified }, now)).toBe(false);
    expect(ifRangeHolds(undefined, { etag: undefined, lastModified }, now)).toBe(true);
  });
});
