// Wire vectors: files that say what bytes mean. `name: value` lines, a blank line, hex.
//
//   expect: JSON, or the code of the ProtocolError as a JSON string
//   source: where the bytes come from
//   clause: what they are about
//
// `expect`, `source` and `clause` are always there, more lines are the room's own affair. A line that begins
// with a space continues the one before; in the hex, `#` begins a comment.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Vector {
  /** File name without `.vector`. */
  readonly name: string;
  readonly expect: unknown;
  readonly fields: ReadonlyMap<string, string>;
  readonly bytes: Uint8Array;
}

const folder = join(import.meta.dirname, '..', 'vectors');

/** All vectors of a room, by name. Throws on a file that is not in the format, and if there is none. */
export function readVectors(room: string): Vector[] {
  const files = readdirSync(join(folder, room)).filter((file) => file.endsWith('.vector'));
  if (files.length === 0) throw new Error(`no vectors in ${room}`);
  return files.sort().map((file) => readVector(join(folder, room, file)));
}

/** Bytes from hex with any white space. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/gu, '');
  if (!/^(?:[0-9a-fA-F]{2})*$/u.test(digits)) throw new Error(`not hex: ${digits.slice(0, 40)}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function readVector(path: string): Vector {
  const text = readFileSync(path, 'utf8');
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw new Error(`${path}: no blank line`);
  const fields = new Map<string, string>();
  for (const line of text
    .slice(0, blank)
    .replaceAll(/\n[ \t]+/gu, ' ')
    .split('\n')) {
    const colon = line.indexOf(': ');
    if (colon < 1) throw new Error(`${path}: not a field: ${line}`);
    fields.set(line.slice(0, colon), line.slice(colon + 2).trim());
  }
  for (const name of ['expect', 'source', 'clause']) {
    if (!fields.has(name)) throw new Error(`${path}: no ${name}`);
  }
  return {
    name: basename(path, '.vector'),
    expect: JSON.parse(fields.get('expect') ?? ''),
    fields,
    bytes: fromHex(text.slice(blank).replaceAll(/#.*$/gmu, '')),
  };
}
