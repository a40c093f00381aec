// Slabs of memory that recordings fill with FLV bytes. A fresh off-heap buffer costs more than copying a frame
// (PERFORMANCE 2), so slabs go round; as many are kept idle as are in use, and a burst is given back after it.
import { recorderLimits } from './recorder-limits.ts';

/**
 * Bytes of one slab. Larger ones wake the disk's threads less often, but beyond what a core's cache holds the copy
 * into the page cache costs more than that saves: 256 KiB was best of 128, 256 and 512 at full speed, and when paced
 * only what is used of a slab takes memory. PERFORMANCE 3.5.
 */
export const slabSize = 256 * 1024;

export class SlabPool {
  readonly #idle: Uint8Array[] = [];
  #inUse = 0;
  /** Bytes that wait for the disk in all recordings; the write queues keep the account. */
  waiting = 0;

  /** A slab with whatever was in it before. */
  take(): Uint8Array {
    this.#inUse += 1;
    return this.#idle.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(slabSize).buffer);
  }

  /** The giver must not touch the slab any more. */
  give(slab: Uint8Array): void {
    this.#inUse -= 1;
    this.#idle.push(slab);
    const kept = Math.max(recorderLimits.idleSlabs, this.#inUse);
    if (this.#idle.length > kept) this.#idle.length = kept;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get idle(): number {
    return this.#idle.length;
  }
}
