import { describe, expect, it } from 'vitest';
import { bearerOf } from '../../src/download/bearer.ts';

const tokenOf = (authorization?: string): string | undefined =>
  bearerOf({ headers: authorization === undefined ? {} : { authorization } })?.reveal();

describe('the bearer token', () => {
  it.each([
    ['Bearer ptk_abc_123', 'ptk_abc_123'],
    ['bearer   ptk_abc_123 ', 'ptk_abc_123'],
    ['Bearer a.b~c+d/e-f==', 'a.b~c+d/e-f=='],
  ])('is taken from %j', (header, token) => {
    expect(tokenOf(header)).toBe(token);
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearerptk_x',
    'Basic ptk_x',
    'Bearer a b',
    'Bearer a,b',
    'Bearer =',
    `Bearer ${'a'.repeat(513)}`,
  ])('is not found in %j', (header) => {
    expect(tokenOf(header)).toBeUndefined();
  });

  it('does not show itself', () => {
    expect(JSON.stringify({ token: bearerOf({ headers: { authorization: 'Bearer ptk_x' } }) })).toBe(
      '{"token":"[secret]"}',
    );
  });
});
