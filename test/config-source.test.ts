// Layers and places, apart from what the values mean.
import { describe, expect, it } from 'vitest';
import { readConfigSource } from '../src/config-source.ts';

const keys: Readonly<Record<string, readonly string[]>> = { '': ['one', 'list', 'block'], block: ['inner'] };

function read(text: string | undefined, env: Record<string, string> = {}) {
  return readConfigSource({
    defaults: { one: 1, list: [1, 2], block: { inner: 'x' } },
    file: text === undefined ? undefined : { name: 'f.yaml', text },
    env,
    flags: [],
    keysAt: (path) => keys[path.join('.')] ?? [],
  });
}

describe('readConfigSource', () => {
  it('merges blocks and replaces lists', () => {
    expect(read('list: [3]\nblock: { other: y }').values).toEqual({
      one: 1,
      list: [3],
      block: { inner: 'x', other: 'y' },
    });
  });

  it('points at keys, at values, at list items and through aliases', () => {
    const source = read('one: &a\n  - p\n  - q\nblock:\n  inner: z\nlist: *a\n');
    expect(source.where(['one', 1])).toBe('f.yaml:3:5');
    expect(source.where(['block', 'inner'])).toBe('f.yaml:5:10');
    expect(source.where(['block', 'inner'], 'key')).toBe('f.yaml:5:3');
    expect(source.where(['list', 1])).toBe('f.yaml:3:5');
    expect(source.where(['block', 'missing'])).toBe('f.yaml:5:3');
    expect(read(undefined).where(['one'])).toBe('the defaults');
  });

  it('remembers the variable for the value and for what is inside it', () => {
    const source = read('one: 2', { PENSTOCK_BLOCK: '{inner: 5}', PENSTOCK_LIST__2: 'c' });
    expect(source.values).toEqual({ one: 2, list: [1, 2, 'c'], block: { inner: 5 } });
    expect(source.where(['block', 'inner'])).toBe('PENSTOCK_BLOCK');
    expect([source.isOverridden(['block', 'inner']), source.isOverridden(['one'])]).toEqual([true, false]);
  });

  it('keeps __proto__ an ordinary key and refuses aliases that unfold without end', () => {
    const { values } = read('__proto__: { polluted: true }');
    expect(Object.hasOwn(values as object, '__proto__')).toBe(true);
    expect((values as Record<string, unknown>)['polluted']).toBeUndefined();
    const layers = Array.from(
      'bcdefghi',
      (name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9)}]`,
    );
    expect(read(`a: &a [1,1,1,1]\n${layers.join('\n')}`).problems).toEqual([
      expect.stringContaining('aliases'),
    ]);
  });
});
