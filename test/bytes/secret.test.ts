import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';

describe('Secret', () => {
  const secret = new Secret('hunter2');

  it('shows itself to reveal() only', () => {
    expect(secret.reveal()).toBe('hunter2');
    const shown = [
      String(secret),
      ['', secret].join(''),
      JSON.stringify({ secret }),
      inspect({ deep: [secret] }, { showHidden: true, depth: 9 }),
      JSON.stringify(Object.entries(secret)),
      JSON.stringify(structuredClone(secret)),
      String(new Error('refused', { cause: secret }).cause),
    ];
    for (const text of shown) expect(text).not.toContain('hunter2');
    expect(String(secret)).toBe('[secret]');
  });
});
