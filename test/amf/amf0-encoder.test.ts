import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import type { AmfValue } from '../../src/amf/amf-value.ts';
import { decodeAmf0 } from '../../src/amf/amf0-decoder.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { fromNotation, toNotation } from '../support/amf-notation.ts';
import type { AmfNotation } from '../support/amf-notation.ts';
import { readVectors, toHex } from '../support/vectors.ts';

const vectors = readVectors('amf').filter(
  ({ expect, fields }) => Array.isArray(expect) && fields.get('direction') !== 'read',
);

describe('vectors', () => {
  it.each(vectors)('$name', ({ bytes, expect: values }) => {
    expect(toHex(encodeAmf0(...(values as AmfNotation[]).map(fromNotation)))).toBe(toHex(bytes));
  });
});

describe('round trip', () => {
  const key = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('__proto__', 'constructor', ''),
  );
  const values = fc.letrec<{ value: AmfValue; object: AmfObject; array: AmfValue[] }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom<AmfValue>(null, undefined, true, false, Number.NaN, Number.POSITIVE_INFINITY, -0),
      fc.double(),
      fc.string({ unit: 'binary' }),
      fc.date({ noInvalidDate: false }),
      tie('object'),
      tie('array'),
    ),
    array: fc.array(tie('value'), { maxLength: 6 }),
    object: fc
      .tuple(
        fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }),
        fc.constantFrom('object' as const, 'ecma-array' as const, 'typed-object' as const),
        fc.string({ maxLength: 8 }),
      )
      .map(
        ([properties, kind, name]) => new AmfObject(properties, kind, kind === 'typed-object' ? name : ''),
      ),
  })).value;

  it('reads back what was written', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (written) => {
        expect(decodeAmf0(encodeAmf0(...written)).map(toNotation)).toEqual(written.map(toNotation));
      }),
      { seed: 3, numRuns: 1500 },
    );
  });

  it('takes the long form above 65,535 bytes of UTF-8', () => {
    expect(encodeAmf0('a'.repeat(65_535))[0]).toBe(0x02);
    const long = 'é'.repeat(32_768);
    expect(encodeAmf0(long)[0]).toBe(0x0c);
    expect(decodeAmf0(encodeAmf0(long))).toEqual([long]);
  });

  it('makes U+FFFD of half a surrogate pair', () => {
    expect(decodeAmf0(encodeAmf0('a\ud83d'))).toEqual(['a\ufffd']);
  });

  it('has no word for bytes', () => {
    expect(toHex(encodeAmf0(Uint8Array.of(1, 2)))).toBe('0d');
  });

  it('does not cut a key that is too long', () => {
    expect(() => encodeAmf0(new AmfObject([['k'.repeat(65_536), 1]]))).toThrow(/65536 bytes/u);
  });
});
