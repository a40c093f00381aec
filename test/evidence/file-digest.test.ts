import { createHash } from 'node:crypto';
import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceBetween, FileDigest, prefixLength } from '../../src/evidence/file-digest.ts';
import { seededRandom } from '../support/seeded-random.ts';

const content = Buffer.from(seededRandom('digest')(3 * prefixLength + 1234));

function digest(bytes: Uint8Array, pieceSize = 262_144) {
  const made = new FileDigest();
  for (let at = 0; at < bytes.length; at += pieceSize) made.push(bytes.subarray(at, at + pieceSize));
  return made.finish();
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('digests', () => {
  it('of the file and of each whole MiB, however it comes in pieces', () => {
    const expected = {
      bytes: content.length,
      sha256: sha256(content),
      prefixSha256: [1, 2, 3].map((count) => sha256(content.subarray(0, count * prefixLength))),
    };
    for (const size of [1000, 262_144, 700_001, content.length])
      expect(digest(content, size)).toEqual(expected);
    expect(digest(content.subarray(0, prefixLength)).prefixSha256).toHaveLength(1);
    expect(digest(new Uint8Array(0))).toEqual({
      bytes: 0,
      sha256: sha256(new Uint8Array(0)),
      prefixSha256: [],
    });
  });

  it('find one changed bit, and where', () => {
    const signed = digest(content);
    expect(differenceBetween(signed, digest(content, 999_999))).toBeUndefined();
    assert(
      property(integer({ min: 0, max: content.length - 1 }), integer({ min: 0, max: 7 }), (at, bit) => {
        const changed = Buffer.from(content);
        changed[at]! ^= 1 << bit;
        const difference = differenceBetween(signed, digest(changed))!;
        expect(difference.from).toBeLessThanOrEqual(at);
        expect(difference.to).toBeGreaterThan(at);
        expect(difference.to - difference.from).toBeLessThanOrEqual(prefixLength);
      }),
      { seed: 3, numRuns: 12 },
    );
  });

  it('find what is cut off or added', () => {
    const signed = digest(content);
    const cut = differenceBetween(signed, digest(content.subarray(0, prefixLength + 5)));
    expect(cut).toEqual({ from: prefixLength, to: 2 * prefixLength });
    const added = differenceBetween(signed, digest(Buffer.concat([content, Buffer.alloc(9)])));
    expect(added).toEqual({ from: 3 * prefixLength, to: content.length + 9 });
  });
});
