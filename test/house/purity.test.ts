// The wire is pure: bytes in, events and bytes out. No input or output, no clock, no randomness, no environment;
// whoever needs one of them gets it as an argument. This is what lets every parser be tested without waiting.
import { describe, expect, it } from 'vitest';
import { trouble, codeOf, importsOf, lineAt, roomOf, sourceFiles } from '../support/tree.ts';

const pure = ['bytes', 'tunnel', 'handshake', 'chunk', 'amf', 'command', 'flv', 'connection'];

/** Hashes and the Diffie-Hellman exchange are computation; random bytes are not, and come as an argument. */
const allowed: Readonly<Record<string, readonly string[]>> = { handshake: ['node:crypto'] };

const impure =
  /\b(?:Date\.now|new Date\(\s*\)|new Date\b(?!\()|performance\.|Math\.random|random(?:Bytes|FillSync|Int|UUID)|getRandomValues|process\.|setTimeout|setInterval|setImmediate|queueMicrotask|console\.|fetch\()/g;

const pureFiles = sourceFiles().filter((file) => pure.includes(roomOf(file)));

describe('pure rooms', () => {
  it('import nothing from outside', () => {
    const wrong = pureFiles.flatMap((file) =>
      importsOf(file)
        .filter((name) => !name.startsWith('.') && !allowed[roomOf(file)]?.includes(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(trouble(wrong, 'a pure room computes; take what you need as an argument')).toBe('');
  });

  it('have no clock, no chance and no surroundings', () => {
    const wrong = pureFiles.flatMap((file) => {
      const code = codeOf(file);
      return [...code.matchAll(impure)].map((match) => `${file}:${lineAt(code, match.index)}: ${match[0]}`);
    });
    expect(trouble(wrong, 'take a time as a number and random bytes as (length) => Uint8Array')).toBe('');
  });
});
