import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { decodeAmf3 } from '../../src/amf/amf3-decoder.ts';
import { encodeAmf3 } from '../../src/amf/amf3-encoder.ts';
import { type AmfNotation, fromNotation, toNotation } from '../support/amf-notation.ts';
import { readVectors, toHex } from '../support/vectors.ts';

const vectors = readVectors('amf3').filter(
  ({ expect, fields }) => Array.isArray(expect) && fields.get('direction') !== 'read',
);

describe('vectors', () => {
  it.each(vectors)('$name', ({ bytes, expect: values }) => {
    expect(toHex(encodeAmf3(...(values as AmfNotation[]).map(fromNotation)))).toBe(toHex(bytes));
  });
});

describe('round trip', () => {
  const key = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('__proto__', 'a', 'b', ''));
  const values = fc.letrec<{ value: AmfValue; object: AmfObject; array: AmfValue[] }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom<AmfValue>(null, undefined, true, false, Number.NaN, Number.NEGATIVE_INFINITY, -0),
      fc.integer(),
      fc.integer({ min: -(2 ** 28) - 2, max: 2 ** 28 + 2 }),
      fc.double(),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ minLength: 60, maxLength: 70 }),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array({ maxLength: 20 }),
      tie('object'),
      tie('array'),
    ),
    array: fc.array(tie('value'), { maxLength: 6 }),
    object: fc
      .tuple(
        fc.uniqueArray(fc.tuple(key, tie('value')), { maxLength: 6, selector: ([name]) => name }),
        fc.constantFrom('object' as const, 'ecma-array' as const, 'typed-object' as const),
        fc.string({ minLength: 1, maxLength: 8 }),
      )
      .map(([properties, kind, name]) => {
        // AMF3 3.11: an array with names has at least one, and none of them is empty.
        const array =
          kind === 'ecma-array' && properties.length > 0 && properties.every(([each]) => each !== '');
        if (kind === 'ecma-array' && !array) return new AmfObject(properties);
        return new AmfObject(properties, kind, kind === 'typed-object' ? name : '');
      }),
  })).value;

  it('reads back what was written', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (written) => {
        expect(decodeAmf3(encodeAmf3(...written)).map(toNotation)).toEqual(written.map(toNotation));
      }),
      { seed: 3, numRuns: 1500 },
    );
  });

  it('writes what AMF3 has no array for as an object', () => {
    const written = encodeAmf3(new AmfObject([], 'ecma-array'), new AmfObject([['', 1]], 'ecma-array'));
    expect(decodeAmf3(written).map(toNotation)).toEqual([{ object: [] }, { object: [['', 1]] }]);
  });
});
