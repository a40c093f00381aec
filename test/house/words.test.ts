// The tree belongs to nobody's machine: no folder of a home or a workplace, no private package registry.
import { describe, expect, it } from 'vitest';
import { trouble, lineAt, projectFiles, textOf } from '../support/tree.ts';

const homes = /(?<![\w.:/$-])\/(?:home|root|Users|mnt|work|workspace|media)\/\w/g;
const registry = /^\s*(?:@[\w-]+:)?registry\s*=|"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/gm;

const text = (file: string) => !/\.(?:png|jpg|ico|flv|bin|gz|der|p12|woff2)$/.test(file);

function find(pattern: RegExp, files: readonly string[]): string[] {
  return files.flatMap((file) => {
    const content = textOf(file);
    return [...content.matchAll(pattern)].map(
      (match) => `${file}:${lineAt(content, match.index)}: ${match[0].trim()}`,
    );
  });
}

describe('the tree', () => {
  it("names no folder of somebody's machine", () => {
    expect(trouble(find(homes, projectFiles().filter(text)), 'use a path that everybody has')).toBe('');
  });

  it('names no private registry', () => {
    expect(
      trouble(find(registry, ['.npmrc', 'package-lock.json']), 'packages come from the public registry'),
    ).toBe('');
  });
});
