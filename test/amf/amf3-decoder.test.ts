import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amfLimits } from '../../src/amf/amf-limits.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { decodeAmf0 } from '../../src/amf/amf0-decoder.ts';
import { decodeAmf3 } from '../../src/amf/amf3-decoder.ts';
import { encodeAmf3 } from '../../src/amf/amf3-encoder.ts';
import { toNotation } from '../support/amf-notation.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { fromHex, readVectors } from '../support/vectors.ts';

const vectors = readVectors('amf3');
const good = vectors.filter(({ expect }) => Array.isArray(expect));
const refused = vectors.filter(({ expect }) => typeof expect === 'string');

const refusal = (bytes: Uint8Array) => refusalOf(() => decodeAmf3(bytes));
const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const repeated = (count: number, ...parts: readonly Uint8Array[]) =>
  joined(...Array.from({ length: count }, () => joined(...parts)));

/** AMF3 1.3.1, always in four bytes. */
const uint29 = (value: number) =>
  Uint8Array.of(0x80 | (value >> 22), 0x80 | (value >> 15), 0x80 | (value >> 8), value);

describe('vectors', () => {
  it.each(good)('$name', ({ bytes, expect: values }) => {
    expect(decodeAmf3(bytes).map(toNotation)).toEqual(values);
  });

  it.each(refused)('$name: $expect', ({ bytes, expect: code }) => {
    expect(refusal(bytes)).toBe(code);
  });

  it('cut short anywhere give fewer values or AMF_TRUNCATED', () => {
    for (const { bytes, expect: values } of good) {
      for (let length = 0; length < bytes.length; length += 1) {
        const cut = bytes.subarray(0, length);
        const outcome = refusal(cut) ?? decodeAmf3(cut).length;
        expect(outcome === 'AMF_TRUNCATED' || Number(outcome) < (values as unknown[]).length).toBe(true);
      }
    }
  });
});

describe('garbage', () => {
  const markers = fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);

  it('ends in a ProtocolError or in values', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(markers, fc.nat(255)), { maxLength: 200 }), (bytes) => {
        expect(refusal(Uint8Array.from(bytes)) ?? 'AMF_').toMatch(/^AMF_/u);
      }),
      { seed: 3, numRuns: 5000 },
    );
  });

  it('ends in a ProtocolError or in values when good bytes are damaged', () => {
    fc.assert(
      fc.property(fc.constantFrom(...good), fc.nat(), fc.nat(255), ({ bytes }, at, byte) => {
        const bad = bytes.slice();
        bad[at % bad.length] = byte;
        expect(refusal(bad) ?? 'AMF_').toMatch(/^AMF_/u);
      }),
      { seed: 3, numRuns: 5000 },
    );
  });

  it('keeps nothing of the bytes', () => {
    const bytes = encodeAmf3('abc', Uint8Array.of(1, 2), new AmfObject([['key', 'value']]));
    const values = decodeAmf3(bytes);
    const before = values.map(toNotation);
    bytes.fill(0);
    expect(values.map(toNotation)).toEqual(before);
  });
});

describe('limits', () => {
  const nested = (depth: number): AmfValue => (depth === 0 ? 1 : [nested(depth - 1)]);

  it.each([
    ['arrays', '09 03 01'],
    ['dynamic objects', '0a 0b 01 03 61'],
    ['sealed objects', '0a 13 01 03 61'],
    ['vectors', '10 03 00 01'],
    ['dictionaries', '11 03 00 01'],
  ])('refuses %s 100,000 deep and does not run out of stack', (_, hex) => {
    expect(refusal(repeated(100_000, fromHex(hex)))).toBe('AMF_TOO_DEEP');
  });

  it('goes 16 deep and not 17, also where AMF0 is around it and where a reference leads', () => {
    expect(refusal(encodeAmf3(nested(16)))).toBeUndefined();
    expect(refusal(encodeAmf3(nested(17)))).toBe('AMF_TOO_DEEP');
    const inside = (depth: number) =>
      joined(repeated(4, fromHex('0a 00000001')), fromHex('11'), encodeAmf3(nested(depth)));
    expect(refusalOf(() => decodeAmf0(inside(12)))).toBeUndefined();
    expect(refusalOf(() => decodeAmf0(inside(13)))).toBe('AMF_TOO_DEEP');
    // An array 10 deep, then the same inside 6 and inside 7 others.
    const behind = (depth: number) =>
      joined(encodeAmf3(nested(10)), repeated(depth, fromHex('09 03 01')), fromHex('09 00'));
    expect(refusal(behind(6))).toBeUndefined();
    expect(refusal(behind(7))).toBe('AMF_TOO_DEEP');
    // A dictionary holds pairs, which are arrays.
    const dictionary = (depth: number) =>
      joined(repeated(depth, fromHex('09 03 01')), fromHex('11 03 00 04 01 04 02'));
    expect(refusal(dictionary(14))).toBeUndefined();
    expect(refusal(dictionary(15))).toBe('AMF_TOO_DEEP');
  });

  it('counts 4096 values, those of vectors, dictionaries and references included', () => {
    expect(refusal(repeated(4096, fromHex('01')))).toBeUndefined();
    expect(refusal(repeated(4097, fromHex('01')))).toBe('AMF_TOO_LARGE');
    const vector = (count: number) =>
      joined(fromHex('0d'), uint29((count << 1) | 1), new Uint8Array(1 + 4 * count));
    expect(refusal(vector(4095))).toBeUndefined();
    expect(refusal(vector(4096))).toBe('AMF_TOO_LARGE');
    // Each array holds the one before twice: 30 of them would be 2^30 values.
    const doubling = (count: number) =>
      joined(
        fromHex('09 01 01'),
        ...Array.from({ length: count }, (_, index) => {
          const reference = joined(fromHex('09'), uint29(index << 1));
          return joined(fromHex('09 05 01'), reference, reference);
        }),
      );
    expect(refusal(doubling(8))).toBeUndefined();
    expect(refusal(doubling(12))).toBe('AMF_TOO_LARGE');
  });

  it('counts the text that references stand for', () => {
    const string = joined(fromHex('06'), uint29((60_000 << 1) | 1), new Uint8Array(60_000).fill(0x61));
    const again = fromHex('06 00');
    expect(refusal(joined(string, repeated(7, again)))).toBeUndefined();
    expect(refusal(joined(string, repeated(8, again)))).toBe('AMF_TOO_LARGE');
    // The same through an object, and as the name of a property that many objects have in common.
    const array = joined(fromHex('09 03 01'), string);
    expect(refusal(joined(array, repeated(7, fromHex('09 00'))))).toBeUndefined();
    expect(refusal(joined(array, repeated(8, fromHex('09 00'))))).toBe('AMF_TOO_LARGE');
    const named = joined(fromHex('0a 13 01'), string.subarray(1), fromHex('01'));
    expect(refusal(joined(named, repeated(6, fromHex('0a 01 01'))))).toBeUndefined();
    expect(refusal(joined(named, repeated(7, fromHex('0a 01 01'))))).toBe('AMF_TOO_LARGE');
    const bytes = joined(fromHex('0c'), uint29((60_000 << 1) | 1), new Uint8Array(60_000));
    expect(refusal(joined(bytes, repeated(8, fromHex('0c 00'))))).toBe('AMF_TOO_LARGE');
  });

  it('takes 1024 keys and not one more, whether sealed, dynamic or of an array', () => {
    const names = (count: number) =>
      joined(
        ...Array.from({ length: count }, (_, index) =>
          fromHex(`09 ${Buffer.from(String(1000 + index)).toString('hex')}`),
        ),
      );
    const sealed = (count: number) =>
      joined(
        fromHex('0a'),
        uint29((count << 4) | 3),
        fromHex('01'),
        names(count),
        repeated(count, fromHex('01')),
      );
    expect(refusal(sealed(1024))).toBeUndefined();
    expect(refusal(sealed(1025))).toBe('AMF_TOO_LARGE');
    const pairs = (count: number) => repeated(count, fromHex('03 61 01'));
    expect(refusal(joined(fromHex('0a 0b 01'), pairs(1024), fromHex('01')))).toBeUndefined();
    expect(refusal(joined(fromHex('0a 0b 01'), pairs(1025), fromHex('01')))).toBe('AMF_TOO_LARGE');
    const mixed = (count: number) =>
      joined(
        fromHex('09'),
        uint29((count << 1) | 1),
        pairs(1),
        fromHex('01'),
        repeated(count, fromHex('01')),
      );
    expect(refusal(mixed(1023))).toBeUndefined();
    expect(refusal(mixed(1024))).toBe('AMF_TOO_LARGE');
  });

  it('are an argument', () => {
    const limits = { ...amfLimits, depth: 1 };
    expect(decodeAmf3(encodeAmf3(nested(1)), limits)).toHaveLength(1);
    expect(refusalOf(() => decodeAmf3(encodeAmf3(nested(2)), limits))).toBe('AMF_TOO_DEEP');
  });
});
