// One fuzz loop for all parsers: damages what they know, tries it, and tells of the first input that came to anything
// but an answer or a ProtocolError, in a way that can be tried again.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProtocolError } from '../../src/errors.ts';
import { cutsOf, damaged, Dice } from './fuzz-dice.ts';
import { slicesAt } from './slices.ts';
import { fromHex, toHex } from './vectors.ts';

export interface FuzzTarget {
  readonly name: string;
  /** What damage begins with. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something to the parser. */
  readonly words: readonly Uint8Array[];
  /** Mends what nobody gets past by chance, such as a checksum; about half of all inputs. */
  readonly mend?: (bytes: Uint8Array, dice: Dice) => Uint8Array;
  /**
   * Tries one input, checks what can be checked of any, and answers what came of it in a word. It may throw
   * ProtocolError, whose code is the answer then. The dice depend on the input alone.
   */
  readonly run: (bytes: Uint8Array, dice: Dice) => string;
  /** Answers that damage has to come to. */
  readonly reaches: readonly string[];
}

/** Milliseconds that no input may take; the machine may be loaded. */
const longestInput = 1000;

export interface FuzzOptions {
  readonly seed: string;
  readonly runs: number;
}

/** How often each answer came. Throws an Error that holds seed, run and input of the first failure. */
export function fuzz(target: FuzzTarget, { seed, runs }: FuzzOptions): ReadonlyMap<string, number> {
  const answers = new Map<string, number>();
  for (let run = 0; run < runs; run += 1) {
    const dice = new Dice(`${target.name} ${seed} ${run}`);
    let bytes = damaged(dice, target);
    if (target.mend !== undefined && dice.roll(2) === 0) bytes = target.mend(bytes, dice);
    let answer: string;
    try {
      answer = tryInput(target, bytes);
    } catch (error) {
      const hex = toHex(bytes);
      throw new Error(
        `${target.name}, seed ${seed}, run ${run}: ${String(error)}\n` +
          `try again: scripts/fuzz --parser ${target.name} --input ${hex === '' ? '""' : hex}`,
        { cause: error },
      );
    }
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  return answers;
}

/** What comes of one input: a word of the target's, or the code of a ProtocolError. */
export function tryInput(target: FuzzTarget, bytes: Uint8Array): string {
  const kept = bytes.slice();
  const began = performance.now();
  let answer: string;
  try {
    answer = target.run(bytes, new Dice(bytes));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    answer = error.code;
  }
  const took = performance.now() - began;
  if (took > longestInput) throw new Error(`took ${took.toFixed(0)} ms`);
  if (Buffer.compare(kept, bytes) !== 0) throw new Error('the input was written to: it was only borrowed');
  return answer;
}

/** Pieces in buffers of their own, cut by the dice; each is spoilt when the next one is asked for. */
export function* borrowedSlices(bytes: Uint8Array, dice: Dice): Generator<Uint8Array> {
  for (const slice of slicesAt(bytes, cutsOf(dice, bytes))) {
    yield slice;
    slice.fill(0xee);
  }
}

/** The whole in one piece, lent as slices are. */
export function* borrowedWhole(bytes: Uint8Array): Generator<Uint8Array> {
  const copy = bytes.slice();
  yield copy;
  copy.fill(0xee);
}

/** Throws when two ways that must come to the same did not. */
export function same(what: string, one: unknown, other: unknown): void {
  const [left, right] = [JSON.stringify(one), JSON.stringify(other)];
  if (left !== right) throw new Error(`${what}: ${shortened(left)} is not ${shortened(right)}`);
}

export function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** test/hostile/corpus/seeds: lines of hex, or of JSON strings whose characters are bytes; # begins a comment. */
export function seedsOf(name: string): Uint8Array[] {
  const file = join(import.meta.dirname, '..', 'hostile', 'corpus', 'seeds', `${name}.seeds`);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => (line.startsWith('"') ? text(JSON.parse(line) as string) : fromHex(line)));
}

export function text(characters: string): Uint8Array {
  return new Uint8Array(Buffer.from(characters, 'latin1'));
}

function shortened(json: string | undefined): string {
  return json === undefined || json.length <= 400 ? String(json) : `${json.slice(0, 400)}…`;
}
