import { expect, it } from 'vitest';
import { PollingInterval } from '../../src/tunnel/polling-interval.ts';

it('asks for patience step by step while there is nothing to say, and for eagerness when there is', () => {
  const interval = new PollingInterval();
  const empties = Array.from({ length: 80 }, () => interval.next(true));
  expect(empties.filter((value, index) => index === 0 || value !== empties[index - 1])).toEqual([
    1, 3, 5, 9, 17, 33,
  ]);
  expect(empties.indexOf(3)).toBe(10);
  expect(interval.next(false)).toBe(1);
  expect(interval.next(true)).toBe(1);
});
