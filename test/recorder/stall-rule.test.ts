import { describe, expect, it } from 'vitest';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { slabSize } from '../../src/recorder/slab-pool.ts';
import { StallRule } from '../../src/recorder/stall-rule.ts';

const { heldTime, stallTime, bufferedBytes, bufferedBytesInAll, waitingBytes } = recorderLimits;
const two = 2 * slabSize;

function stalled(): StallRule {
  const rule = new StallRule();
  rule.look(0, two, true, 0, two);
  return rule;
}

describe('a disk that is behind', () => {
  it('holds the publisher, and no longer once one of two slabs is written', () => {
    const rule = new StallRule();
    expect(rule.look(0, slabSize, false, 0, 0)).toBe('clear');
    expect(rule.look(1000, two, true, 0, 0)).toBe('held');
    expect([rule.holds, rule.look(1000 + heldTime - 1, two, true, 0, 0)]).toEqual([true, 'held']);
    expect([rule.look(1000 + heldTime, slabSize, false, 1, 0), rule.holds]).toEqual(['clear', false]);
  });

  it('lets it go on into memory when that lasts, as far as there is memory', () => {
    const rule = stalled();
    expect([rule.look(heldTime, two, true, 0, two), rule.holds]).toEqual(['buffering', false]);
    expect(rule.look(600, bufferedBytes - 1, true, 0, 0)).toBe('buffering');
    expect([rule.look(700, bufferedBytes, true, 0, 0), rule.holds]).toEqual(['full', true]);
    expect(rule.look(800, bufferedBytes - slabSize, true, 1, 0)).toBe('full'); // no fluttering
    expect(rule.look(900, bufferedBytes - 2 * slabSize - 1, true, 2, 0)).toBe('buffering');
    expect(rule.look(900, slabSize, false, 60, 0)).toBe('clear');
  });

  it('holds everybody longer where all of them together have too much', () => {
    const rule = stalled();
    expect(rule.look(heldTime, two, true, 0, bufferedBytesInAll)).toBe('held');
    expect(rule.look(heldTime, two, true, 0, bufferedBytesInAll - 1)).toBe('buffering');
    expect(rule.look(heldTime, two, true, 0, bufferedBytesInAll)).toBe('full');
  });

  it('drops only when memory is full and nothing at all was written for long', () => {
    const rule = stalled();
    rule.look(heldTime, two, true, 0, 0);
    expect(rule.look(60_000, two, true, 0, 0)).toBe('buffering');
    expect(rule.look(60_000, bufferedBytes, true, 1, 0)).toBe('full'); // slow, and yet alive
    expect(rule.look(60_000 + stallTime - 1, bufferedBytes, true, 1, 0)).toBe('full');
    expect([rule.look(60_000 + stallTime, bufferedBytes, true, 1, 0), rule.holds]).toEqual([
      'dropping',
      false,
    ]);
    expect(rule.look(99_000, 0, false, 9, 0)).toBe('dropping'); // until a tag that can be begun with
    expect([rule.mayRejoin(bufferedBytes), rule.mayRejoin(bufferedBytes / 2)]).toEqual([false, true]);
    rule.rejoin(true);
    expect(rule.state).toBe('buffering');
    rule.look(99_001, 0, false, 9, 0);
    expect(rule.state).toBe('clear');
  });

  it('drops whatever comes beyond all bounds', () => {
    expect(new StallRule().look(0, waitingBytes + 1, true, 0, 0)).toBe('dropping');
  });
});
