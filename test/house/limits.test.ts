// docs/limits.md names every limit and its reason: `room.member` for the `<room>Limits` of src/*/*-limits.ts,
// `limits.member` for those of the configuration.
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configDefaults } from '../../src/config-schema.ts';
import { trouble, roomOf, sourceFiles, textOf } from '../support/tree.ts';

const files = sourceFiles().filter((file) => file.endsWith('-limits.ts'));

interface Limit {
  readonly name: string;
  readonly value: unknown;
  readonly place: string;
}

async function limitsOf(file: string): Promise<Limit[]> {
  const room = roomOf(file);
  const exports = (await import(`../../${file}`)) as Record<string, unknown>;
  const limits = exports[`${room}Limits`];
  if (typeof limits !== 'object' || limits === null) throw new TypeError(`${file} must export ${room}Limits`);
  return Object.entries(limits).map(([member, value]) => ({ name: `${room}.${member}`, value, place: file }));
}

const roomLimits = (await Promise.all(files.map(limitsOf))).flat();
const configLimits = Object.entries(configDefaults.limits).map(([member, value]) => ({
  name: `limits.${member}`,
  value,
  place: 'src/config-schema.ts',
}));

describe('limits', () => {
  it('of a room are in one file, <room>-limits.ts', () => {
    expect(
      trouble(
        files.filter((file) => basename(file) !== `${roomOf(file)}-limits.ts`),
        'put these into <room>-limits.ts',
      ),
    ).toBe('');
  });

  it('are numbers with a comment that gives unit and meaning', () => {
    const odd = [...roomLimits, ...configLimits].filter(({ name, place }) => {
      const member = name.split('.')[1] ?? '';
      return !new RegExp(`\\*/\\s*${member}:`).test(textOf(place));
    });
    expect(
      trouble(
        odd.map(({ name, place }) => `${place}: ${name}`),
        'write /** … */ above it',
      ),
    ).toBe('');
    expect(
      trouble(
        roomLimits.filter(({ value }) => typeof value !== 'number').map(({ name }) => name),
        'a limit is a number; protocol constants live elsewhere',
      ),
    ).toBe('');
  });

  it('are the rows of docs/limits.md', () => {
    const rows = [...textOf('docs/limits.md').matchAll(/^\| `([a-z]+\.[A-Za-z0-9]+)`/gm)].map(
      (match) => match[1] ?? '',
    );
    const names = [...roomLimits, ...configLimits].map(({ name }) => name);
    expect(
      trouble(
        names.filter((name) => !rows.includes(name)),
        'add a row to docs/limits.md: limit, value, reason',
      ),
    ).toBe('');
    expect(
      trouble(
        rows.filter((row) => !names.includes(row)),
        'the code knows no such limit',
      ),
    ).toBe('');
  });
});
