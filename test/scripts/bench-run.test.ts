import { describe, expect, it } from 'vitest';
import type { Load } from '../../scripts/bench-loads.ts';
import { steadyCost } from '../../scripts/bench-run.ts';

const load: Load = {
  name: 'paced',
  streams: 10,
  door: 'rtmp',
  chunkSize: 4096,
  pace: { seconds: 10 },
  target: undefined,
};
const samplesOf = (...pairs: [seconds: number, cpuSeconds: number][]) =>
  pairs.map(([seconds, cpuSeconds]) => ({ seconds, cpuSeconds, memoryBytes: 0 }));

describe('steadyCost', () => {
  it('leaves out the beginning and the end', () => {
    const samples = samplesOf([1, 50], [4, 60], [7, 63], [9, 65], [11, 90]);
    expect(steadyCost(load, samples, 2e9)).toBe(5); // 5 s of CPU for 5 s at 0.2 GB/s
  });

  it('is unknown at full speed, and when there is no such time', () => {
    const samples = samplesOf([4, 60], [6, 61]);
    expect(steadyCost(load, samples, 2e9)).toBeUndefined();
    expect(steadyCost(load, [], 2e9)).toBeUndefined();
    expect(steadyCost({ ...load, pace: { bytes: 1 } }, samplesOf([4, 60], [9, 61]), 2e9)).toBeUndefined();
  });
});
