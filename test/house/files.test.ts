// One file, one job: it says at the top what it is, it stays short, and its name says what is inside.
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trouble, isExecutable, projectFiles, roomOf, rooms, sourceFiles, textOf } from '../support/tree.ts';

const longestFile = 400;
const longestHeader = 6;
/** Nine is the aim. */
const mostFiles = 12;
/** Drawers: everything fits into them, so nobody finds anything in them. */
const drawers = /^(?:index|utils?|common|core|managers?|services?|helpers?|misc|lib|types|shared)$/;

function headerLines(text: string): number {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return end === -1 ? lines.length : end;
}

describe('source files', () => {
  it('open with a comment of one to six lines: what it is, which clause, what it leaves out', () => {
    const wrong = sourceFiles().filter((file) => {
      const lines = headerLines(textOf(file));
      return lines < 1 || lines > longestHeader;
    });
    expect(trouble(wrong, 'begin with 1 to 6 lines of //, then the imports')).toBe('');
  });

  it(`have at most ${longestFile} lines`, () => {
    const long = sourceFiles().filter((file) => textOf(file).split('\n').length > longestFile + 1);
    expect(trouble(long, 'a file this long has two jobs: find them and give each a file')).toBe('');
  });

  it('are named in kebab-case after what they export, never after a drawer', () => {
    const names = sourceFiles().map((file) => ({ file, name: basename(file, '.ts') }));
    expect(
      trouble(
        names.filter(({ name }) => !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)).map(({ file }) => file),
        'name the file like-this',
      ),
    ).toBe('');
    expect(
      trouble(
        names.filter(({ name }) => drawers.test(name)).map(({ file }) => file),
        'name it after what it exports',
      ),
    ).toBe('');
    expect(
      trouble(
        rooms().filter((room) => drawers.test(room)),
        'name the room after its subject',
      ),
    ).toBe('');
  });
});

describe('a room', () => {
  it(`has at most ${mostFiles} files`, () => {
    const crowded = rooms()
      .map((room) => ({ room, files: sourceFiles().filter((file) => roomOf(file) === room).length }))
      .filter(({ files }) => files > mostFiles)
      .map(({ room, files }) => `${room}: ${files}`);
    expect(trouble(crowded, 'a crowded room is two rooms, or two of its files are one')).toBe('');
  });
});

describe('scripts', () => {
  const scripts = projectFiles().filter((file) => /^scripts\/[^.]+$/.test(file) || file === '.ci/run');

  it('can be run, and say at the top what they do', () => {
    expect(
      trouble(
        scripts.filter((file) => !isExecutable(file)),
        'chmod +x',
      ),
    ).toBe('');
    expect(
      trouble(
        scripts.filter((file) => !/^#!.*\n# /.test(textOf(file))),
        'begin with #! and a comment',
      ),
    ).toBe('');
  });

  it('know --help', () => {
    const silent = scripts.filter((file) => file.startsWith('scripts/') && !textOf(file).includes('--help'));
    expect(trouble(silent, 'answer --help with the usage')).toBe('');
  });
});
