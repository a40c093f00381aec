// So many lines a minute of each kind, and nothing is left out in silence.
import { expect, it } from 'vitest';
import { LineBudget } from '../../src/ops/line-budget.ts';
import { FakeClock } from '../support/fake-clock.ts';

it('says the first ones of each minute, and then how many it left out', () => {
  const clock = new FakeClock();
  const budget = new LineBudget<'garbled' | 'late'>(clock, 2);
  const take = (count: number) => Array.from({ length: count }, () => budget.take('garbled'));
  expect(take(5)).toEqual([{}, {}, undefined, undefined, undefined]);
  clock.advance(59_999);
  expect([budget.take('garbled'), budget.take('late')]).toEqual([undefined, {}]);
  clock.advance(1);
  expect(take(3)).toEqual([{ leftOut: 4 }, {}, undefined]);
  clock.advance(600_000);
  expect(take(3)).toEqual([{ leftOut: 1 }, {}, undefined]);
});
