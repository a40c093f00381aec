import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rc4 } from '../../src/handshake/rc4.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

// RFC 6229 2: key, then sixteen bytes of keystream at 0, 1536 and 4096.
const vectors = [
  [
    '0102030405',
    'b2396305f03dc027ccc3524a0a1118a8',
    'd8729db41882259bee4f825325f5a130',
    'ff25b58995996707e51fbdf08b34d875',
  ],
  [
    '0102030405060708090a0b0c0d0e0f10',
    '9ac7cc9a609d1ef7b2932899cde41b97',
    'ffa0b514647ec04f6306b892ae661181',
    'a36a4c301ae8ac13610ccbc12256cacc',
  ],
  [
    'ebb46227c6cc8b37641910833222772a',
    '720c94b63edf44e131d950ca211a5a30',
    '1175da6ee756de46a53e2b075660b770',
    '5bbeb4787d59e5373fdbea6c6f75c29b',
  ],
  [
    '1ada31d5cf688221c109163908ebe51debb46227c6cc8b37641910833222772a',
    'dd5bcb0018e922d494759d7c395d02d3',
    '8c3c13f8c2388bb73f38576e65b7c446',
    '370b1c1fe655916d97fd0d47ca1d72b8',
  ],
] as const;

describe('Rc4', () => {
  it.each(vectors)('has the keystream of RFC 6229 for %s', (key, at0, at1536, at4096) => {
    const stream = new Uint8Array(4112);
    new Rc4(hex(key)).apply(stream, stream);
    expect(Buffer.from(stream.subarray(0, 16)).toString('hex')).toBe(at0);
    expect(Buffer.from(stream.subarray(1536, 1552)).toString('hex')).toBe(at1536);
    expect(Buffer.from(stream.subarray(4096)).toString('hex')).toBe(at4096);
  });

  it('discards as many bytes of keystream as it is told', () => {
    const [key, , at1536] = vectors[0];
    const rc4 = new Rc4(hex(key));
    rc4.discard(1);
    rc4.discard(1535);
    const stream = new Uint8Array(16);
    rc4.apply(stream, stream);
    expect(Buffer.from(stream).toString('hex')).toBe(at1536);
  });

  it('gives the same bytes however they are cut and wherever they lie', () => {
    const key = hex('0102030405060708090a0b0c0d0e0f10');
    const plain = Uint8Array.from({ length: 300 }, (_, index) => index * 7);
    const whole = new Uint8Array(300);
    const byteByByte = new Rc4(key);
    for (const index of plain.keys()) {
      byteByByte.apply(plain.subarray(index, index + 1), whole.subarray(index, index + 1));
    }
    const place = fc.nat({ max: 7 });
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 40 }), { maxLength: 20 }),
        place,
        place,
        fc.boolean(),
        (cuts, from, to, inPlace) => {
          const source = new Uint8Array(new ArrayBuffer(320), from, 300);
          source.set(plain);
          const target = inPlace ? source : new Uint8Array(new ArrayBuffer(320), to, 300);
          const rc4 = new Rc4(key);
          let at = 0;
          for (const cut of [...cuts, 300]) {
            const end = Math.min(300, at + cut);
            rc4.apply(source.subarray(at, end), target.subarray(at, end));
            at = end;
          }
          expect(target).toEqual(whole);
          expect(source).toEqual(inPlace ? whole : plain);
        },
      ),
      { seed: 4, numRuns: 300 },
    );
  });

  it('writes nothing beside the target', () => {
    const around = new Uint8Array(64).fill(0xaa);
    new Rc4(hex('0102030405')).apply(new Uint8Array(33), around.subarray(7, 47));
    expect(around.subarray(0, 7)).toEqual(new Uint8Array(7).fill(0xaa));
    expect(around.subarray(40)).toEqual(new Uint8Array(24).fill(0xaa));
  });

  it('refuses a target that is too short, and keys that RC4 does not have', () => {
    expect(() => new Rc4(hex('01')).apply(new Uint8Array(5), new Uint8Array(4))).toThrow(RangeError);
    expect(() => new Rc4(new Uint8Array(0))).toThrow(RangeError);
    expect(() => new Rc4(new Uint8Array(257))).toThrow(RangeError);
  });
});
