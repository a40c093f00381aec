import { describe, expect, it } from 'vitest';
import { Xtea } from '../../src/handshake/xtea.ts';

// The published vectors read words big-endian, RTMPE little-endian (RTMPE 1.1): each four bytes are turned around.
function turned(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex').swap32());
}

// XTEA vectors as in the test suites of Crypto++, Bouncy Castle and mbed TLS.
const vectors = [
  ['000102030405060708090a0b0c0d0e0f', '4142434445464748', '497df3d072612cb5'],
  ['000102030405060708090a0b0c0d0e0f', '4141414141414141', 'e78f2d13744341d8'],
  ['00000000000000000000000000000000', '4142434445464748', 'a0390589f8b8efa5'],
  ['00000000000000000000000000000000', '4141414141414141', 'ed23375a821a8c2d'],
] as const;

describe('Xtea', () => {
  it.each(vectors)('enciphers under %s: %s is %s', (key, plain, cipher) => {
    const block = turned(plain);
    new Xtea(turned(key)).encipher(block);
    expect(block).toEqual(turned(cipher));
  });

  it('touches its eight bytes only', () => {
    const around = new Uint8Array(24);
    new Xtea(new Uint8Array(16)).encipher(around.subarray(8));
    expect(around.subarray(0, 8)).toEqual(new Uint8Array(8));
    expect(around.subarray(8, 16)).not.toEqual(new Uint8Array(8));
    expect(around.subarray(16)).toEqual(new Uint8Array(8));
  });
});
