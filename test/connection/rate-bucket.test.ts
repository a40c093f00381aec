import { describe, expect, it } from 'vitest';
import { RateBucket } from '../../src/connection/rate-bucket.ts';

/** How many of `wanted` are to be had at this time. */
function takeAll(bucket: RateBucket, now: number, wanted = 1000): number {
  let taken = 0;
  while (taken < wanted && bucket.take(now)) taken += 1;
  return taken;
}

describe('a bucket of 50 per second', () => {
  it('is full at first, whatever the time is, and fills evenly', () => {
    const bucket = new RateBucket(50);
    expect(takeAll(bucket, 1_000_000)).toBe(50);
    expect(takeAll(bucket, 1_000_010)).toBe(0);
    expect(takeAll(bucket, 1_000_020)).toBe(1);
    expect(takeAll(bucket, 1_000_520)).toBe(25);
  });

  it('gathers for one second at most', () => {
    const bucket = new RateBucket(50);
    takeAll(bucket, 0);
    expect(takeAll(bucket, 3_600_000)).toBe(50);
  });

  it('never runs dry at its own pace, and lets nobody go faster for long', () => {
    const steady = new RateBucket(50);
    for (let now = 0; now < 60_000; now += 20) expect(steady.take(now)).toBe(true);
    const greedy = new RateBucket(50);
    let taken = 0;
    for (let now = 0; now < 60_000; now += 1) taken += takeAll(greedy, now);
    expect(taken).toBeLessThanOrEqual(50 + 60 * 50);
    expect(taken).toBeGreaterThanOrEqual(60 * 50);
  });
});
