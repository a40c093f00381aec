import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Digest, Layout } from '../../src/handshake/digest.ts';
import {
  findDigest,
  isSigned,
  publicKeyIn,
  writeDigest,
  writeSignature,
} from '../../src/handshake/digest.ts';
import { clientKeys, serverKeys } from '../../src/handshake/genuine-keys.ts';
import type { HandshakeVersion } from '../../src/handshake/handshake-packet.ts';
import { seededRandom } from '../support/seeded-random.ts';

const layouts: readonly Layout[] = ['DK', 'KD'];
const random = seededRandom('digest');

/** A packet whose two placing words, for the key and for the digest, sum up to any value. */
function placed(layout: Layout, keySum: number, digestSum: number): Uint8Array {
  const packet = random(1536);
  spread(packet, layout === 'DK' ? 1532 : 768, keySum);
  spread(packet, layout === 'DK' ? 8 : 772, digestSum);
  return packet;
}

function spread(packet: Uint8Array, offset: number, sum: number): void {
  for (let left = sum, at = offset; at < offset + 4; at += 1) {
    packet[at] = Math.min(left, 255);
    left -= packet[at] as number;
  }
}

describe('the digest of C1 and S1', () => {
  it.each(layouts)('is found and keeps off the key, wherever %s puts the two', (layout) => {
    for (let sum = 0; sum <= 1020; sum += 4) {
      const packet = placed(layout, sum, 1020 - sum);
      const key = random(128);
      publicKeyIn(packet, layout).set(key);
      const written = writeDigest(packet, layout, clientKeys);
      expect(findDigest(packet, clientKeys)).toEqual(written);
      expect(written.layout).toBe(layout);
      expect(publicKeyIn(packet, layout)).toEqual(key);
    }
  });

  it.each(layouts)('is where RTMPE 1.1 says: %s, at both ends of its range', (layout) => {
    const [digestBase, keyBase] = layout === 'DK' ? [12, 772] : [776, 8];
    for (const [digestSum, digestOffset, keySum, keyOffset] of [
      [0, 0, 0, 0],
      [727, 727, 631, 631],
      [728, 0, 632, 0],
      [1020, 292, 1020, 388],
    ] as const) {
      const packet = placed(layout, keySum, digestSum);
      expect(publicKeyIn(packet, layout).byteOffset).toBe(keyBase + keyOffset);
      expect(publicKeyIn(packet, layout)).toHaveLength(128);
      const { bytes } = writeDigest(packet, layout, clientKeys);
      const at = digestBase + digestOffset;
      expect(packet.slice(at, at + 32)).toEqual(Uint8Array.from(bytes));
    }
  });

  it.each(layouts)('covers every other byte of the packet: %s', (layout) => {
    const packet = placed(layout, 100, 200);
    writeDigest(packet, layout, clientKeys);
    for (let at = 0; at < packet.length; at += 1) {
      const changed = packet.slice();
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      expect(findDigest(changed, clientKeys)).toBeUndefined();
    }
  });

  it('of a client is not one of a server', () => {
    const packet = random(1536);
    writeDigest(packet, 'DK', clientKeys);
    expect(findDigest(packet, serverKeys)).toBeUndefined();
  });
});

describe('the signature of C2 and S2', () => {
  const digestOf = (byte: number): Digest => ({ layout: 'DK', bytes: new Uint8Array(32).fill(byte) });

  // The sum of forty signatures that use all fifteen masking keys, from a second implementation (Python: hmac,
  // OpenSSL's Blowfish, the key tables of librtmp).
  it.each([
    [3, '380730c269a28d2496c9b4e316989e5a48064df85721859df057a83ae1814b35'],
    [6, '380730c269a28d2496c9b4e316989e5a48064df85721859df057a83ae1814b35'],
    [8, '007ba047b765a98fdf2b0af2a77117188775f042857f6d0ecb44cd3034795165'],
    [9, '4faf7f3682000a8d3fa41fd22d2d3dd160aa498b060fc7d51003fec6da0c549f'],
  ] as [HandshakeVersion, string][])('is masked as version %i has it', (version, sum) => {
    const hash = createHash('sha256');
    for (let byte = 0; byte < 40; byte += 1) {
      const packet = new Uint8Array(1536);
      writeSignature(packet, clientKeys, digestOf(byte), version);
      expect(packet.subarray(0, 1504).every((each) => each === 0)).toBe(true);
      expect(isSigned(packet, clientKeys, digestOf(byte), version)).toBe(true);
      hash.update(packet.subarray(1504));
    }
    expect(hash.digest('hex')).toBe(sum);
  });

  it('is bound to the packet, the side, the digest that it answers, and the version', () => {
    const packet = random(1536);
    writeSignature(packet, clientKeys, digestOf(1), 8);
    expect(isSigned(packet, serverKeys, digestOf(1), 8)).toBe(false);
    expect(isSigned(packet, clientKeys, digestOf(2), 8)).toBe(false);
    expect(isSigned(packet, clientKeys, digestOf(1), 9)).toBe(false);
    expect(isSigned(packet, clientKeys, digestOf(1), 6)).toBe(false);
    for (const at of [0, 1503, 1504, 1535]) {
      const changed = packet.slice();
      changed[at] = (changed[at] as number) ^ 0x80;
      expect(isSigned(changed, clientKeys, digestOf(1), 8)).toBe(false);
    }
  });
});
