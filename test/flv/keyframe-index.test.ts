import { describe, expect, it } from 'vitest';
import { KeyframeIndex } from '../../src/flv/keyframe-index.ts';

describe('KeyframeIndex', () => {
  it('thins itself out: bounded, evenly spread, and the first entry stays', () => {
    const index = new KeyframeIndex(64);
    for (let count = 0; count < 10_000; count += 1) {
      index.add(count * 1000, 500 + count * 7);
      expect(index.length).toBeLessThanOrEqual(64);
    }
    const times = index.timestamps();
    expect(times.length).toBeGreaterThanOrEqual(32);
    expect(times[0]).toBe(0);
    const steps = new Set(times.slice(1).map((time, at) => time - times[at]!));
    expect([...steps]).toEqual([256_000]);
    expect(index.positions()).toEqual(times.map((time) => 500 + (time / 1000) * 7));
    expect(10_000_000 - times.at(-1)!).toBeLessThanOrEqual(256_000);
  });

  it('keeps every key frame while there is room, and begins again when cleared', () => {
    const index = new KeyframeIndex();
    for (let count = 0; count < 1024; count += 1) index.add(count, count * 10);
    expect(index.timestamps()).toEqual(Array.from({ length: 1024 }, (_, at) => at));
    index.add(1024, 10_240);
    expect(index.length).toBe(513);
    index.clear();
    index.add(7, 70);
    index.add(8, 80);
    expect([index.timestamps(), index.positions()]).toEqual([
      [7, 8],
      [70, 80],
    ]);
  });
});
