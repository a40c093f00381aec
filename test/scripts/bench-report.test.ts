import { describe, expect, it } from 'vitest';
import type { Load } from '../../scripts/bench-loads.ts';
import { median } from '../../scripts/bench-median.ts';
import { remarksOn, resultOf, tableOf } from '../../scripts/bench-report.ts';
import type { Run } from '../../scripts/bench-run.ts';

const load: Load = {
  name: 'paced-100-rtmps',
  streams: 100,
  door: 'rtmps',
  chunkSize: 4096,
  pace: { seconds: 10 },
  target: 0.6,
};

function run(server: Run['server'], cpuSeconds: number, faults: string[] = []): Run {
  return {
    server,
    faults,
    cpuSeconds,
    mediaBytes: 500_000_000,
    steadyCpuSecondsPerGB: cpuSeconds * 1.5,
    connectCpuSeconds: 0.4,
    idleBytes: 50_000_000,
    busyBytes: 90_000_000,
    sealSeconds: 0.1,
    checksumCpuSeconds: undefined,
    cipher: undefined,
    sent: undefined,
  };
}

describe('median', () => {
  it.each([
    [[], 0],
    [[3], 3],
    [[1, 2], 1.5],
    [[9, 1, 2], 2],
    [[10, 1, 2, 4], 3],
  ])('of %j is %d', (numbers, middle) => {
    expect(median(numbers)).toBe(middle);
  });
});

describe('a result', () => {
  it('is the ratio of the medians, in CPU seconds per GB', () => {
    const runs = [
      run('penstock', 1),
      run('nginx', 4),
      run('penstock', 9),
      run('nginx', 4),
      run('penstock', 2),
    ];
    const { penstock, nginx, ratio, steadyRatio } = resultOf(load, runs);
    expect(penstock).toEqual({
      cpuSecondsPerGB: 4,
      steadyCpuSecondsPerGB: 3,
      memoryMBPerStream: 0.4,
      cpuMsPerConnection: 4,
    });
    expect(nginx?.cpuSecondsPerGB).toBe(8);
    expect(ratio).toBe(0.5);
    expect(steadyRatio).toBe(0.5);
  });

  it('leaves out runs that lost something, and says so', () => {
    const result = resultOf(load, [
      run('penstock', 1),
      run('nginx', 4),
      run('nginx', 0.1, ['stream 7: no file']),
    ]);
    expect(result.nginx?.cpuSecondsPerGB).toBe(8);
    expect(remarksOn([result]).join('\n')).toContain(
      'INVALID paced-100-rtmps, a run of nginx: stream 7: no file',
    );
  });

  it('has no ratio without the other server', () => {
    const result = resultOf(load, [run('penstock', 1), run('nginx', 4, ['no file'])]);
    expect(result.ratio).toBeUndefined();
    expect(tableOf([result])).toMatch(/\| paced-100-rtmps +\| 2\.00 +\| – +\| – +\| ≤ 0\.60 \| – /);
  });

  it('says of each target whether it was met, and else by how much it was missed', () => {
    const result = resultOf(load, [run('penstock', 3), run('nginx', 4)]);
    expect(result.verdicts.map(({ subject, met }) => [subject, met])).toEqual([
      ['ratio', false],
      ['memory per stream', true],
      ['CPU per connection', false],
    ]);
    expect(remarksOn([result])).toEqual([
      'MISSED paced-100-rtmps: ratio 0.75, target 0.6 (missed by 25 %)',
      'MISSED paced-100-rtmps: CPU per connection 4.00, target 3.5 (missed by 15 %)',
    ]);
    expect(tableOf([result])).toContain('| missed by 25 % |');
    const exact = resultOf({ ...load, target: 0.75 }, [run('penstock', 3), run('nginx', 4)]);
    expect(exact.verdicts[0]?.met).toBe(true);
  });

  it('says nothing about memory from a few streams', () => {
    const result = resultOf({ ...load, streams: 1 }, [run('penstock', 1), run('nginx', 4)]);
    expect(result.verdicts.map(({ subject }) => subject)).toEqual(['ratio']);
  });
});
