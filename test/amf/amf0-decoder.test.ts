import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amfLimits } from '../../src/amf/amf-limits.ts';
import { AmfObject } from '../../src/amf/amf-value.ts';
import type { AmfValue } from '../../src/amf/amf-value.ts';
import { Amf0Decoder, decodeAmf0 } from '../../src/amf/amf0-decoder.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { ProtocolError } from '../../src/errors.ts';
import { toNotation } from '../support/amf-notation.ts';
import { fromHex, readVectors } from '../support/vectors.ts';

const vectors = readVectors('amf');
const good = vectors.filter(({ expect }) => Array.isArray(expect));
const refused = vectors.filter(({ expect }) => typeof expect === 'string');

/** The code of the ProtocolError, or undefined; anything else that is thrown goes through. */
function refusal(bytes: Uint8Array): string | undefined {
  try {
    decodeAmf0(bytes);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return thrown.code;
    throw thrown;
  }
}

const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const uint32 = (value: number) =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);

describe('vectors', () => {
  it.each(good)('$name', ({ bytes, expect: values }) => {
    expect(decodeAmf0(bytes).map(toNotation)).toEqual(values);
  });

  it.each(refused)('$name: $expect', ({ bytes, expect: code }) => {
    expect(refusal(bytes)).toBe(code);
  });
});

describe('split', () => {
  // A decoder gets whole messages, so what a cut may do is show: a value less, or AMF_TRUNCATED.
  it.each(good)('$name cut short, anywhere', ({ bytes, expect: values }) => {
    for (let length = 0; length < bytes.length; length += 1) {
      const decoder = new Amf0Decoder(bytes.subarray(0, length));
      const read: unknown[] = [];
      let code: string | undefined;
      try {
        while (!decoder.done) read.push(toNotation(decoder.read()));
      } catch (thrown) {
        code = (thrown as ProtocolError).code;
      }
      expect(read).toEqual((values as unknown[]).slice(0, read.length));
      expect(code).toBe(code === undefined ? undefined : 'AMF_TRUNCATED');
      expect(read.length).toBeLessThan((values as unknown[]).length);
    }
  });
});

describe('trailing', () => {
  it('leaves the bytes behind a value alone', () => {
    const decoder = new Amf0Decoder(joined(encodeAmf0('publish', 5, null), fromHex('ff ff')));
    expect([decoder.read(), decoder.read(), decoder.read()]).toEqual(['publish', 5, null]);
    expect(decoder.done).toBe(false);
    expect(() => decoder.read()).toThrow(expect.objectContaining({ code: 'AMF_TYPE_UNKNOWN' }));
  });

  it('reads only its own part of a larger buffer, and has nothing to say at its end', () => {
    const larger = joined(fromHex('ee ee ee'), encodeAmf0('a'), encodeAmf0('b'));
    const decoder = new Amf0Decoder(larger.subarray(3, 7));
    expect(decoder.read()).toBe('a');
    expect(decoder.done).toBe(true);
    expect(() => decoder.read()).toThrow(expect.objectContaining({ code: 'AMF_TRUNCATED' }));
  });

  it('keeps nothing of the bytes', () => {
    const bytes = encodeAmf0('abc', new AmfObject([['key', 'value']]));
    const values = decodeAmf0(bytes);
    const before = values.map(toNotation);
    bytes.fill(0);
    expect(values.map(toNotation)).toEqual(before);
  });
});

describe('garbage', () => {
  it('ends in a ProtocolError or in values', () => {
    const markers = fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17);
    fc.assert(
      fc.property(fc.array(fc.oneof(markers, fc.nat(255)), { maxLength: 200 }), (bytes) => {
        expect(refusal(Uint8Array.from(bytes)) ?? 'AMF_').toMatch(/^AMF_/u);
      }),
      { seed: 5, numRuns: 5000 },
    );
  });

  it('ends in a ProtocolError or in values when good bytes are damaged', () => {
    fc.assert(
      fc.property(fc.constantFrom(...good), fc.nat(), fc.nat(255), ({ bytes }, at, byte) => {
        const bad = bytes.slice();
        bad[at % bad.length] = byte;
        expect(refusal(bad) ?? 'AMF_').toMatch(/^AMF_/u);
      }),
      { seed: 5, numRuns: 5000 },
    );
  });
});

describe('limits', () => {
  const nested = (depth: number): AmfValue => (depth === 0 ? 1 : new AmfObject([['a', nested(depth - 1)]]));

  it('goes 16 deep in any mixture and not 17', () => {
    expect(refusal(encodeAmf0(nested(16)))).toBeUndefined();
    expect(refusal(encodeAmf0(nested(17)))).toBe('AMF_TOO_DEEP');
    expect(refusal(encodeAmf0([[[[nested(12)]]]]))).toBeUndefined();
    expect(refusal(encodeAmf0([[[[[nested(12)]]]]]))).toBe('AMF_TOO_DEEP');
  });

  it.each([
    ['objects', '03 0001 61'],
    ['ECMA arrays', '08 00000001 0001 61'],
    ['strict arrays', '0a 00000001'],
    ['typed objects', '10 0000 0001 61'],
  ])('refuses %s 100,000 deep and does not run out of stack', (_, hex) => {
    const opening = fromHex(hex);
    const bomb = new Uint8Array(opening.length * 100_000);
    for (let offset = 0; offset < bomb.length; offset += opening.length) bomb.set(opening, offset);
    expect(refusal(bomb)).toBe('AMF_TOO_DEEP');
  });

  it('counts 4096 values over the whole message', () => {
    const nulls = (count: number) => new Uint8Array(count).fill(5);
    expect(decodeAmf0(nulls(4096))).toHaveLength(4096);
    expect(refusal(nulls(4097))).toBe('AMF_TOO_LARGE');
    const array = (count: number) => joined(fromHex('0a'), uint32(count), nulls(count));
    expect(refusal(array(4095))).toBeUndefined();
    expect(refusal(array(4096))).toBe('AMF_TOO_LARGE');
    expect(refusal(joined(array(2000), array(2000), nulls(94)))).toBeUndefined();
    expect(refusal(joined(array(2000), array(2000), nulls(95)))).toBe('AMF_TOO_LARGE');
  });

  it('takes 1024 keys and not one more, the same key twice counted twice', () => {
    const object = (count: number, key: (index: number) => string) => {
      const property = (index: number) => {
        const name = Buffer.from(key(index));
        return joined(Uint8Array.of(0, name.length), name, fromHex('05'));
      };
      return joined(
        fromHex('03'),
        ...Array.from({ length: count }, (_, index) => property(index)),
        fromHex('000009'),
      );
    };
    expect(refusal(object(1024, String))).toBeUndefined();
    expect(refusal(object(1025, String))).toBe('AMF_TOO_LARGE');
    expect(refusal(object(1025, () => 'same'))).toBe('AMF_TOO_LARGE');
  });

  it('takes 64 KiB of text and not one byte more', () => {
    const long = (length: number) => joined(fromHex('0c'), uint32(length), new Uint8Array(length).fill(0x61));
    expect(decodeAmf0(long(64 * 1024))).toEqual(['a'.repeat(64 * 1024)]);
    expect(refusal(long(64 * 1024 + 1))).toBe('AMF_TOO_LARGE');
  });

  it('are an argument', () => {
    const limits = { ...amfLimits, depth: 1, keys: 1 };
    expect(decodeAmf0(encodeAmf0(nested(1)), limits)).toHaveLength(1);
    expect(() => decodeAmf0(encodeAmf0(nested(2)), limits)).toThrow(ProtocolError);
  });
});

describe('plain data', () => {
  it('gives keys of Object.prototype no power', () => {
    const [object] = decodeAmf0(
      encodeAmf0(new AmfObject([['__proto__', new AmfObject([['polluted', true]])]])),
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect((object as AmfObject).get('polluted')).toBeUndefined();
    expect((object as AmfObject).get('constructor')).toBeUndefined();
    expect((object as AmfObject).get('__proto__')).toBeInstanceOf(AmfObject);
  });

  it('gives the same object for a reference', () => {
    const [first, second] = decodeAmf0(joined(encodeAmf0(new AmfObject([])), fromHex('07 0000')));
    expect(second).toBe(first);
  });
});
