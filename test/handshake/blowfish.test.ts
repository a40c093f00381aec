import { describe, expect, it } from 'vitest';
import { Blowfish } from '../../src/handshake/blowfish.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

// The published vectors read halves big-endian, RTMPE little-endian (RTMPE 1.1): each four bytes are turned around.
function turned(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex').swap32());
}

// Eric Young's vectors, as published on Bruce Schneier's page; the last is of the 24-byte length RTMPE uses.
const vectors = [
  ['0000000000000000', '0000000000000000', '4ef997456198dd78'],
  ['ffffffffffffffff', 'ffffffffffffffff', '51866fd5b85ecb8a'],
  ['3000000000000000', '1000000000000001', '7d856f9a613063f2'],
  ['0123456789abcdef', '1111111111111111', '61f9c3802281b096'],
  ['f0e1d2c3b4a5968778695a4b3c2d1e0f0011223344556677', 'fedcba9876543210', '05044b62fa52d080'],
] as const;

describe('Blowfish', () => {
  it.each(vectors)('enciphers under %s: %s is %s', (key, plain, cipher) => {
    const block = turned(plain);
    new Blowfish(hex(key)).encipher(block);
    expect(block).toEqual(turned(cipher));
  });

  it('is not changed by what it enciphers', () => {
    const blowfish = new Blowfish(hex('0123456789abcdef'));
    blowfish.encipher(new Uint8Array(8));
    const block = turned('1111111111111111');
    blowfish.encipher(block);
    expect(block).toEqual(turned('61f9c3802281b096'));
  });
});
