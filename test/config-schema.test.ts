// The schema accepts its own defaults, and the manual shows exactly those.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configDefaults, configKeysAt, configSchema } from '../src/config-schema.ts';

describe('configSchema', () => {
  it('knows every default and nothing else', () => {
    expect(configSchema.safeParse(configDefaults).error).toBeUndefined();
    expect(Object.keys(configDefaults)).toEqual(Object.keys(configSchema.shape));
  });

  it('is what docs/configuration.md shows as the defaults', () => {
    const manual = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
    expect(parse(/```yaml\n(.*?)```/s.exec(manual)?.[1] ?? '')).toEqual(configDefaults);
  });

  it('names the keys of blocks, of list items and of alternatives', () => {
    expect(configKeysAt([])).toContain('dataDir');
    expect(configKeysAt(['recorder', 'segment'])).toEqual(['maxDuration', 'maxSize']);
    expect(configKeysAt(['listeners', 0])).toEqual(['address', 'accept']);
    expect(configKeysAt(['tls', 'certificate'])).toEqual(['cert', 'key', 'passphraseFile', 'pfx']);
    expect([configKeysAt(['store']), configKeysAt(['nothing']), configKeysAt(['listeners'])]).toEqual([
      [],
      [],
      [],
    ]);
  });
});
