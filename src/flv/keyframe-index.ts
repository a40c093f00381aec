// Where a player may seek to: time and file position of key frames, in bounded room. When it is full every
// other entry is dropped and from then on only every second (fourth, eighth…) key frame is taken, so that a
// recording of a week has as large an index as one of an hour. pure.
import { flvLimits } from './flv-limits.ts';

export class KeyframeIndex {
  readonly #capacity: number;
  #timestamps: Float64Array;
  #positions: Float64Array;
  #length = 0;
  /** One of so many key frames is taken. */
  #stride = 1;
  #skipped = 0;

  /** `capacity`: most entries, an even number. */
  constructor(capacity: number = flvLimits.indexEntries) {
    this.#capacity = capacity;
    const first = Math.min(capacity, 32);
    this.#timestamps = new Float64Array(first);
    this.#positions = new Float64Array(first);
  }

  get length(): number {
    return this.#length;
  }

  /** A key frame at `timestamp` (ms) whose tag begins at `position` (bytes). */
  add(timestamp: number, position: number): void {
    if (this.#length > 0 && this.#skipped + 1 < this.#stride) {
      this.#skipped += 1;
      return;
    }
    if (this.#length === this.#timestamps.length) this.#makeRoom();
    this.#timestamps[this.#length] = timestamp;
    this.#positions[this.#length] = position;
    this.#length += 1;
    this.#skipped = 0;
  }

  clear(): void {
    this.#length = 0;
    this.#stride = 1;
    this.#skipped = 0;
  }

  /** Milliseconds, ascending. */
  timestamps(): number[] {
    return [...this.#timestamps.subarray(0, this.#length)];
  }

  /** Bytes, ascending. */
  positions(): number[] {
    return [...this.#positions.subarray(0, this.#length)];
  }

  #makeRoom(): void {
    if (this.#length < this.#capacity) {
      const grown = Math.min(this.#capacity, this.#length * 2);
      this.#timestamps = enlarged(this.#timestamps, grown);
      this.#positions = enlarged(this.#positions, grown);
      return;
    }
    // The first entry always stays: it is where the video begins.
    const kept = this.#capacity / 2;
    for (let index = 0; index < kept; index += 1) {
      this.#timestamps[index] = this.#timestamps[index * 2] ?? 0;
      this.#positions[index] = this.#positions[index * 2] ?? 0;
    }
    this.#length = kept;
    this.#stride *= 2;
  }
}

function enlarged(array: Float64Array, length: number): Float64Array {
  const copy = new Float64Array(length);
  copy.set(array);
  return copy;
}
