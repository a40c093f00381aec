// Random bytes that are the same in every run: SHA-256(seed, counter as 32 bits big-endian), one block after another.
import { createHash } from 'node:crypto';

export function seededRandom(seed: string): (length: number) => Uint8Array {
  let left = Buffer.alloc(0);
  let counter = 0;
  return (length) => {
    while (left.length < length) {
      const block = Buffer.alloc(4);
      block.writeUInt32BE(counter);
      counter += 1;
      left = Buffer.concat([left, createHash('sha256').update(seed).update(block).digest()]);
    }
    const bytes = Uint8Array.from(left.subarray(0, length));
    left = left.subarray(length);
    return bytes;
  };
}
