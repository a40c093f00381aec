import { describe, expect, it } from 'vitest';
import { giveAssembly, takeAssembly } from '../../src/chunk/assembly-pool.ts';
import { chunkLimits } from '../../src/chunk/chunk-limits.ts';

describe('assembly pool', () => {
  it('gives a buffer that is large enough, and not twice as large', () => {
    for (const bytes of [1, 1024, 1025, 4096, 100_000, 262_144, 262_145, 8_000_000]) {
      const { length } = takeAssembly(bytes);
      expect(length).toBeGreaterThanOrEqual(bytes);
      expect(length).toBeLessThan(Math.max(1025, bytes * 2));
    }
  });

  it('gives a buffer again, to one taker only', () => {
    const buffer = takeAssembly(5000);
    giveAssembly(buffer);
    expect(takeAssembly(8000)).toBe(buffer);
    expect(takeAssembly(8000)).not.toBe(buffer);
  });

  it('keeps no very large ones, and not too many', () => {
    const large = takeAssembly(1_000_000);
    giveAssembly(large);
    expect(takeAssembly(1_000_000)).not.toBe(large);

    const size = 256 * 1024;
    const many = Array.from({ length: chunkLimits.pooledAssemblyBytes / size + 10 }, () =>
      takeAssembly(size),
    );
    for (const buffer of many) giveAssembly(buffer);
    const again = Array.from({ length: many.length }, () => takeAssembly(size));
    expect(again.filter((buffer) => many.includes(buffer)).length).toBeLessThanOrEqual(
      chunkLimits.pooledAssemblyBytes / size,
    );
  });
});
