import { describe, expect, it } from 'vitest';
import { slabSize, SlabPool } from '../../src/recorder/slab-pool.ts';

describe('the slab pool', () => {
  it('gives a slab out again', () => {
    const pool = new SlabPool();
    const slab = pool.take();
    expect(slab).toHaveLength(slabSize);
    pool.give(slab);
    expect(pool.take()).toBe(slab);
    expect([pool.inUse, pool.idle]).toEqual([1, 0]);
  });

  it('keeps as many as are in use, so that many streams do not allocate, and lets a burst go', () => {
    const pool = new SlabPool();
    const slabs = Array.from({ length: 100 }, () => pool.take());
    for (const slab of slabs.splice(50)) pool.give(slab);
    expect([pool.inUse, pool.idle]).toEqual([50, 50]);
    for (const slab of slabs) pool.give(slab);
    expect(pool.inUse).toBe(0);
    expect(pool.idle).toBe(16);
  });
});
