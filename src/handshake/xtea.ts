// XTEA, 32 cycles, enciphering only: masks the signatures of RTMPE type 8 (RTMPE 1.1). pure.

const delta = 0x9e3779b9;
const cycles = 32;

export class Xtea {
  readonly #key: Int32Array;

  /** @param key 16 bytes: four little-endian words. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.#key = Int32Array.from({ length: 4 }, (_, index) => view.getInt32(index * 4, true));
  }

  /** Enciphers 8 bytes in place, as two little-endian words: RTMPE's order, not the usual one. */
  encipher(block: Uint8Array): void {
    const view = new DataView(block.buffer, block.byteOffset, 8);
    let left = view.getInt32(0, true);
    let right = view.getInt32(4, true);
    let sum = 0;
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      left = (left + (mix(right) ^ this.#term(sum, sum))) | 0;
      sum = (sum + delta) | 0;
      right = (right + (mix(left) ^ this.#term(sum, sum >>> 11))) | 0;
    }
    view.setInt32(0, left, true);
    view.setInt32(4, right, true);
  }

  #term(sum: number, index: number): number {
    return sum + (this.#key[index & 3] as number);
  }
}

function mix(half: number): number {
  return ((half << 4) ^ (half >>> 5)) + half;
}
