// The benchmark's smoke run: both servers start, take the same streams, and every recorded byte is the sent one.
// It says nothing about speed, and is asked nothing about it.
import { describe, expect, it } from 'vitest';
import { RealProcess } from '../support/real-process.ts';

describe('the benchmark', () => {
  it('runs beside nginx-rtmp, and both record every byte', async () => {
    const bench = new RealProcess(process.execPath, ['scripts/bench.ts', '--quick']);
    const { code, stdout, stderr } = await bench.finish(90_000);
    const said = stdout + stderr;
    expect(code, said).toBe(0);
    for (const server of ['penstock', 'nginx']) {
      expect(said.match(new RegExp(`${server}: .*every byte recorded`, 'g'))?.length).toBeGreaterThanOrEqual(
        3,
      );
    }
    expect(said).not.toContain('INVALID');
  });
});
