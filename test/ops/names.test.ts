import { describe, expect, it } from 'vitest';
import { parseStreamName } from '../../src/ops/names.ts';

describe('stream name', () => {
  it.each(['live/camera-1', 'a/b', 'Studio.2/x_y', `${'a'.repeat(64)}/${'b'.repeat(64)}`])('%s', (text) => {
    expect(parseStreamName(text)).toBe(text);
  });

  it.each([
    '',
    'live',
    'live/',
    '/camera',
    'live/a/b',
    '../etc/passwd',
    'live/..',
    'live/a..b',
    './a',
    'live/.hidden',
    'live/-x',
    'live/a b',
    'live/a\u0000',
    'live/a\n',
    'live/ä',
    `live/${'a'.repeat(65)}`,
    'live\\a',
    'live/%2e',
  ])('not %j', (text) => {
    expect(parseStreamName(text)).toBeUndefined();
  });
});
