// Chance that is the same in every run, and damage that is done by it: bits flipped, lengths that lie, pieces cut
// out, doubled, put in or taken from elsewhere. What it makes depends on nothing but the dice and what it is given.
import { createHash } from 'node:crypto';

/** xorshift32. */
export class Dice {
  #state: number;

  /** The same seed throws the same numbers; any text or bytes will do, or a number other than 0 as it is. */
  constructor(seed: string | Uint8Array | number) {
    this.#state =
      typeof seed === 'number' ? seed : createHash('sha256').update(seed).digest().readInt32BE() | 1;
  }

  /** 0 to sides - 1. */
  roll(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % Math.max(1, sides);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.roll(list.length)] as T;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.roll(256));
  }
}

/** Numbers at which parsers change their mind. */
const interesting: readonly Uint8Array[] = [
  [0, 0],
  [0, 1],
  [0x7f, 0xff],
  [0x80, 0],
  [0xff, 0xff],
  [0, 0, 0],
  [0xff, 0xff, 0xff],
  [0xff, 0xff, 0xfe],
  [0, 0, 0, 0],
  [0, 0, 0, 1],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0, 0, 0],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xfe],
  [0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  [0xff, 0xf0, 0, 0, 0, 0, 0, 0],
].map((bytes) => Uint8Array.from(bytes));

export interface DamageOptions {
  /** What damage begins with, and what pieces come from. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something to the parser. */
  readonly words: readonly Uint8Array[];
}

type Damage = (bytes: Uint8Array, dice: Dice, options: DamageOptions) => Uint8Array;

const damages: readonly Damage[] = [
  (bytes, dice) => put(bytes, place(dice, bytes), [dice.roll(256)]),
  (bytes, dice) => {
    const at = place(dice, bytes);
    return put(bytes, at, [(bytes[at] ?? 0) ^ (1 << dice.roll(8))]);
  },
  (bytes, dice) => {
    const at = place(dice, bytes);
    return put(bytes, at, [(bytes[at] ?? 0) + dice.pick([-1, 1, -2, 2, 16, -16])]);
  },
  (bytes, dice) => put(bytes, place(dice, bytes), dice.pick(interesting)),
  (bytes, dice) => {
    const at = place(dice, bytes);
    return splice(bytes, at, at, dice.pick(interesting));
  },
  (bytes, dice) => bytes.slice(0, place(dice, bytes)),
  (bytes, dice) => {
    const at = place(dice, bytes);
    return splice(bytes, at, at + 1 + dice.roll(1 + dice.pick([1, 4, 64])), new Uint8Array(0));
  },
  (bytes, dice) => {
    const [at, from] = [place(dice, bytes), place(dice, bytes)];
    const piece = bytes.slice(from, from + 1 + dice.roll(dice.pick([4, 40, 2000])));
    const times = dice.roll(8) === 0 ? 1 + dice.roll(40) : 1;
    return splice(bytes, at, at, Buffer.concat(Array.from({ length: times }, () => piece)));
  },
  (bytes, dice) => {
    const at = place(dice, bytes);
    return splice(bytes, at, at, dice.bytes(1 + dice.roll(40)));
  },
  (bytes, dice, { seeds }) => {
    const other = dice.pick(seeds);
    return splice(bytes, place(dice, bytes), bytes.length, other.slice(place(dice, other)));
  },
  withWord,
  withWord,
];

function withWord(bytes: Uint8Array, dice: Dice, { words }: DamageOptions): Uint8Array {
  if (words.length === 0) return bytes;
  const word = dice.pick(words);
  const at = place(dice, bytes);
  return dice.roll(2) === 0 ? put(bytes, at, word) : splice(bytes, at, at, word);
}

/** One of the seeds, damaged in one to five ways; now and then as it is, or all at random. */
export function damaged(dice: Dice, options: DamageOptions): Uint8Array {
  let bytes = dice.pick(options.seeds);
  const kind = dice.roll(64);
  if (kind === 0) return bytes;
  if (kind === 1) return dice.bytes(dice.roll(200));
  for (let count = 1 + dice.roll(5); count > 0; count -= 1) bytes = dice.pick(damages)(bytes, dice, options);
  return bytes;
}

/** Where to cut: nowhere twice, a few times, or everywhere. */
export function cutsOf(dice: Dice, bytes: Uint8Array): number[] {
  const cuts = Array.from({ length: dice.roll(8) }, () => place(dice, bytes));
  const size = 1 + dice.roll(24);
  const from = place(dice, bytes);
  for (let at = from; at < Math.min(bytes.length, from + 300); at += size) cuts.push(at);
  return cuts;
}

/** Half of all hits go to the first bytes, where headers are. */
function place(dice: Dice, bytes: Uint8Array): number {
  return dice.roll(dice.roll(2) === 0 ? Math.min(bytes.length, 32) : bytes.length);
}

function put(bytes: Uint8Array, at: number, values: ArrayLike<number>): Uint8Array {
  const copy = bytes.slice();
  for (let index = 0; index < values.length && at + index < copy.length; index += 1)
    copy[at + index] = values[index] ?? 0;
  return copy;
}

function splice(bytes: Uint8Array, from: number, to: number, inserted: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(to)]));
}
