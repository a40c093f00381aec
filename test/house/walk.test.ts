// The walk (src/README.md) leads past every door, and no link of the manuals leads nowhere.
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trouble, exists, projectFiles, roomOf, rooms, sourceFiles, textOf } from '../support/tree.ts';

const manuals = projectFiles().filter((file) => file.endsWith('.md'));

/** As GitHub makes an anchor of a heading. */
function anchorsOf(file: string): string[] {
  return [...textOf(file).matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function deadLinks(file: string): string[] {
  const prose = textOf(file).replace(/^```[^]*?^```/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path, anchor] = link.split('#');
      const target = path ? posix.join(posix.dirname(file), path) : file;
      if (!exists(target)) return true;
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(anchor);
    })
    .map((link) => `${file}: ${link}`);
}

describe('the walk', () => {
  it('names every room', () => {
    const walk = textOf('src/README.md');
    const missed = rooms().filter((room) => !new RegExp(`\\b${room}/|\\b${room}\\b`).test(walk));
    expect(trouble(missed, 'tell in src/README.md what the room is for')).toBe('');
  });

  it('names every file of the roof', () => {
    const walk = textOf('src/README.md');
    const missed = sourceFiles().filter(
      (file) => roomOf(file) === '' && !walk.includes(file.slice('src/'.length)),
    );
    expect(trouble(missed, 'tell in src/README.md what the file does')).toBe('');
  });

  it('every citation of practice leads to its section', () => {
    const headings =
      textOf('docs/practice.md')
        .match(/^### .+$/gm)
        ?.join('\n') ?? '';
    const missed = sourceFiles().flatMap((file) =>
      [...textOf(file).matchAll(/\b(WIRE|RTMPE|SECURITY|PERFORMANCE) (\d)(\.\d)?/g)]
        .filter(([, page, section, part]) => {
          const exact = new RegExp(`^### ${page} (\\d and )?${section}${part ?? ''}\\b`, 'm');
          const list = page === 'PERFORMANCE' && new RegExp(`^### ${page} ${section}\\b`, 'm').test(headings);
          return !exact.test(headings) && !list;
        })
        .map(([citation]) => `${file}: ${citation}`),
    );
    expect(trouble(missed, 'tell in docs/practice.md what is cited, or cite what is there')).toBe('');
  });

  it('and the manuals have no dead links', () => {
    expect(trouble(manuals.flatMap(deadLinks), 'mend or remove these links')).toBe('');
  });
});
