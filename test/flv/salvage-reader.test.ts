import { describe, expect, it } from 'vitest';
import { SalvageReader } from '../../src/flv/salvage-reader.ts';
import { tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { someTags } from '../support/archive.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { slicesOf } from '../support/slices.ts';

const tags = someTags(12);
const parts = tags.map(({ type, timestamp, body }) => {
  const bytes = new Uint8Array(tagSize(body.length));
  writeTag(bytes, 0, type, timestamp, body);
  return bytes;
});
const file = Buffer.concat(parts);
const starts = parts.map((_, index) => parts.slice(0, index).reduce((sum, { length }) => sum + length, 0));

function read(pieces: Iterable<Uint8Array>) {
  const found: string[] = [];
  const reader = new SalvageReader(({ type, timestamp, body }, at) => {
    found.push(`${type} ${timestamp} ${at} ${Buffer.from(body).toString('hex')}`);
  }, 0);
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return { found, holes: reader.holes };
}

const whole = read([file]);

describe('salvage', () => {
  it('of a file that is well takes every tag', () => {
    expect([whole.found.length, whole.holes]).toEqual([tags.length, []]);
  });

  it('goes on behind every damage, and says what it passed over', () => {
    const [from, to] = [starts[5]! + 3, starts[7]! + 20];
    const hollow = Buffer.from(file).fill(0, from, to);
    const { found, holes } = read([hollow]);
    expect(found).toEqual([...whole.found.slice(0, 5), ...whole.found.slice(8)]);
    expect(holes).toEqual([{ from: starts[5], to: starts[8] }]);
    // a length that is wrong reaches over good tags, which must not be lost with it
    const long = Buffer.from(file);
    long[starts[3]! + 1] = 0x7f;
    expect(read([long]).found).toEqual([...whole.found.slice(0, 3), ...whole.found.slice(4)]);
    expect(read([file.subarray(7)]).found.length).toBe(tags.length - 1);
    expect(read([file.subarray(0, -2)]).holes).toEqual([{ from: starts.at(-1), to: file.length - 2 }]);
  });

  it('finds the same however the bytes come', () => {
    const damaged = Buffer.from(file).fill(9, starts[2]! + 8, starts[4]! + 15);
    const once = read([damaged]);
    for (const size of [1, 7, 100, 1000]) expect(read(slicesOf(damaged, size))).toEqual(once);
  });

  it('finds nothing in garbage, and takes no memory by a length it claims', () => {
    const random = seededRandom('salvage');
    for (let count = 0; count < 20; count += 1) {
      const { found, holes } = read([random(3000)]);
      expect([found, holes.length]).toEqual([[], 1]);
    }
  });
});
