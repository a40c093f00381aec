import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SealedWriter } from '../../src/encryption/sealed-writer.ts';
import { seededRandom } from '../support/seeded-random.ts';

const key = createSecretKey(Buffer.alloc(32, 1));

describe('a sealed writer', () => {
  it('stays where it was until the bytes are there, and never uses a nonce twice', () => {
    const writer = new SealedWriter({ key, headLength: 10, random: seededRandom('w') });
    const failed = writer.append(Buffer.alloc(10));
    expect([writer.plainLength, writer.storedLength]).toEqual([0, 64]);
    const again = writer.append(Buffer.alloc(10));
    expect(again.bytes.subarray(4, 16)).not.toEqual(failed.bytes.subarray(4, 16));
    again.appended();
    expect([writer.plainLength, writer.storedLength]).toEqual([10, 64 + again.bytes.length]);
    const patched = writer.patchHead(Buffer.alloc(10));
    expect(patched.position).toBe(64);
    expect(patched.bytes.subarray(4, 16)).not.toEqual(again.bytes.subarray(4, 16));
    expect(() => writer.patchHead(Buffer.alloc(9))).toThrow(RangeError);
  });
});
