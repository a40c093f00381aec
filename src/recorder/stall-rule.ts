// What to do while a disk does not take what comes: hold the publisher; when that lasts, let it go on and keep its
// tags in memory; when that is full, hold it again; and when nothing moves at all, drop what cannot be kept, so that
// the stream lives. PERFORMANCE 3.5. Leaves out memory itself (write-queue.ts). pure.
import { recorderLimits } from './recorder-limits.ts';
import { slabSize } from './slab-pool.ts';

/**
 * `clear`: the disk takes what comes. `held`: two slabs wait, the publisher is held back. `buffering`: memory takes
 * what comes. `full`: held back again. `dropping`: tags are dropped until `rejoin`.
 */
export type StallState = 'clear' | 'held' | 'buffering' | 'full' | 'dropping';

/** Room that a full buffer has to gain before it takes more. */
const room = 2 * slabSize;

export class StallRule {
  state: StallState = 'clear';
  #heldSince = 0;
  #written = 0;
  #writtenAt = 0;

  /** Is the publisher to be held back? */
  get holds(): boolean {
    return this.state === 'held' || this.state === 'full';
  }

  /**
   * Looks again. `now` in monotonic ms; `waiting` bytes of this recording and `waitingInAll` of all; `full`: two
   * slabs wait; `written`: a number that grows with each write done.
   */
  look(now: number, waiting: number, full: boolean, written: number, waitingInAll: number): StallState {
    if (written !== this.#written || this.state === 'clear') this.#writtenAt = now;
    this.#written = written;
    if (this.state !== 'dropping') this.state = this.#next(now, waiting, full, waitingInAll);
    return this.state;
  }

  /** Is there room to go on behind what was dropped? */
  mayRejoin(waiting: number): boolean {
    return waiting <= recorderLimits.bufferedBytes / 2;
  }

  /** Tags are kept again. */
  rejoin(full: boolean): void {
    this.state = full ? 'buffering' : 'clear';
  }

  #next(now: number, waiting: number, full: boolean, waitingInAll: number): StallState {
    if (waiting > recorderLimits.waitingBytes) return 'dropping';
    if (!full) return 'clear';
    if (this.state === 'clear') {
      this.#heldSince = now;
      return 'held';
    }
    const dead = now - this.#writtenAt >= recorderLimits.stallTime;
    const crowded = waitingInAll >= recorderLimits.bufferedBytesInAll;
    if (this.state === 'held') {
      if (now - this.#heldSince < recorderLimits.heldTime) return 'held';
      if (!crowded) return 'buffering';
      return dead ? 'dropping' : 'held';
    }
    const limit = recorderLimits.bufferedBytes - (this.state === 'full' ? room : 0);
    if (waiting < limit && !crowded) return 'buffering';
    return dead ? 'dropping' : 'full';
  }
}
