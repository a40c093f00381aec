// When a recording goes on in another file: at a key frame once it is long or large enough, before its timestamps
// become too large for players, and when codec parameters change, though not as often as a stranger likes. pure.
import { TagType, type TagRole } from '../flv/tag.ts';
import { recorderLimits } from './recorder-limits.ts';

/** FLV E.4.1: a timestamp is SI32. */
const longestTimestamp = 2 ** 31 - 1;

export interface SegmentSettings {
  /** Milliseconds of media; null: as long as it is. */
  readonly maxDuration: number | null;
  /** Bytes; null: as large as it is. */
  readonly maxSize: number | null;
}

export class SegmentRule {
  readonly #duration: number;
  readonly #size: number;
  /** Monotonic milliseconds of the last picture. */
  #pictureAt = -Infinity;
  /** Where in the file the last place to cut was, and the most bytes between two of them. */
  #lastPlace = 0;
  #longestStretch = 0;
  #changes: number = recorderLimits.parameterChanges;
  #changedAt: number | undefined;

  constructor({ maxDuration, maxSize }: SegmentSettings) {
    this.#duration = Math.min(maxDuration ?? Infinity, recorderLimits.segmentTime);
    this.#size = maxSize ?? Infinity;
  }

  /** Takes note of each frame that comes, written or not; `now` in monotonic ms. May a file begin with it? */
  startsAt(type: TagType, role: TagRole, now: number): boolean {
    if (type === TagType.Video) {
      this.#pictureAt = now;
      return role === 'key-frame';
    }
    return now - this.#pictureAt > recorderLimits.pictureTime;
  }

  /**
   * Is the file, so many ms long and of so many bytes, to end before this frame? `startable` as startsAt said. A
   * file of limited size ends before the stretch that would outgrow it, if that is no longer than one before.
   */
  ends(startable: boolean, milliseconds: number, bytes: number): boolean {
    if (!startable) return milliseconds >= longestTimestamp;
    const stretch = bytes - this.#lastPlace;
    if (stretch > this.#longestStretch) this.#longestStretch = stretch;
    this.#lastPlace = bytes;
    return milliseconds >= this.#duration || bytes + this.#longestStretch > this.#size;
  }

  /** May codec parameters that changed end the file? Each yes counts. `now` in monotonic ms. */
  mayChange(now: number): boolean {
    this.#changedAt ??= now;
    const back = Math.floor((now - this.#changedAt) / recorderLimits.parameterChangeInterval);
    if (back > 0) {
      this.#changes = Math.min(recorderLimits.parameterChanges, this.#changes + back);
      this.#changedAt += back * recorderLimits.parameterChangeInterval;
    }
    if (this.#changes === 0) return false;
    this.#changes -= 1;
    return true;
  }

  /** A new file begins; `bytes` is what its head takes. */
  begin(bytes: number): void {
    this.#lastPlace = bytes;
    this.#longestStretch = 0;
  }
}
