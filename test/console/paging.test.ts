import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consoleLimits } from '../../src/console/console-limits.ts';
import { pageOf, readPageRequest } from '../../src/console/paging.ts';

const request = (query: Record<string, string>) => readPageRequest((name) => query[name]);
const keyOf = (item: string): string => item;

/** Follows the cursors to the end. */
function walk(list: readonly string[], limit: number): string[] {
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages <= list.length; pages += 1) {
    const page = pageOf(list, request({ limit: String(limit), ...(cursor && { cursor }) }), keyOf);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    seen.push(...page.items);
    if (page.nextCursor === null) return seen;
    cursor = page.nextCursor;
  }
  throw new Error('the pages do not end');
}

describe('lists in pages', () => {
  it('show every entry once, in order, whatever the limit', () => {
    const list = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 30 });
    fc.assert(
      fc.property(list, fc.integer({ min: 1, max: 40 }), (items, limit) => {
        expect(walk(items, limit)).toEqual(items);
      }),
      { seed: 9, numRuns: 200 },
    );
  });

  it('go on behind an entry that has gone', () => {
    const { nextCursor } = pageOf(['a', 'c', 'e'], request({ limit: '2' }), keyOf);
    const rest = request({ cursor: nextCursor ?? '' });
    expect(pageOf(['a', 'd', 'e'], rest, keyOf).items).toEqual(['d', 'e']);
    expect(pageOf(['a', 'b'], rest, keyOf)).toEqual({ items: [], nextCursor: null });
  });

  it.each([
    { limit: '0' },
    { limit: '-1' },
    { limit: '1e3' },
    { limit: String(consoleLimits.pageSize + 1) },
    { limit: '' },
    { cursor: '' },
    { cursor: '../x' },
    { cursor: 'a'.repeat(257) },
  ])('refuse %j', (query) => {
    expect(() => request(query)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
  });
});
