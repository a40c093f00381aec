// The tree as text, for the rules of the house: which files there are, and what a source file says apart from
// its comments.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a checkout holds besides the project: see .gitignore. */
const outside = new Set(['node_modules', '.git', 'data', 'coverage', 'bench-results', '.vitest']);

/** Every file of the project, as `src/door/transport.ts`, sorted. */
export function projectFiles(): string[] {
  return filesBelow('').sort();
}

/** Every TypeScript file of src/. */
export function sourceFiles(): string[] {
  return filesBelow('src/')
    .filter((file) => file.endsWith('.ts'))
    .sort();
}

export function exists(file: string): boolean {
  return existsSync(join(root, file));
}

export function isExecutable(file: string): boolean {
  return (statSync(join(root, file)).mode & 0o111) !== 0;
}

export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** `door` of `src/door/transport.ts`; empty for the roof (`src/config.ts`). */
export function roomOf(file: string): string {
  return file.split('/').length > 2 ? (file.split('/')[1] ?? '') : '';
}

/** The rooms that have a file. */
export function rooms(): string[] {
  return [...new Set(sourceFiles().map(roomOf))].filter((room) => room !== '');
}

/** The text without its comments; line numbers stay. */
export function codeOf(file: string): string {
  return textOf(file).replace(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[^]*?\*\/|(?<=^|\s)\/\/[^\n]*/g,
    (match, quoted: string | undefined) => quoted ?? match.replace(/[^\n]/g, ''),
  );
}

/** What a file imports, types and dynamic imports too, in its own words. */
export function importsOf(file: string): string[] {
  const pattern = /(?:^(?:import|export)\b[^'"]*?\bfrom\s*|^import\s+|\bimport\s*\(\s*)['"]([^'"]+)['"]/gm;
  return [...codeOf(file).matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Line number, from 1, of a place in a text. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Empty when nothing was found; else the advice what to do, and each finding on a line of its own. */
export function trouble(found: readonly string[], advice: string): string {
  return found.length === 0 ? '' : [`${advice}:`, ...found].join('\n  ');
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder + entry.name;
    if (
      outside.has(path) ||
      path.endsWith('.log') ||
      (path.startsWith('certs/') && path !== 'certs/README.md')
    )
      return [];
    if (entry.isDirectory()) return filesBelow(`${path}/`);
    return entry.isFile() ? [path] : [];
  });
}
