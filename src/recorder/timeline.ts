// The timestamps of a recording: it starts at 0, and no track steps back. Sequence headers and metadata that
// come before the first frame stand at 0 whatever they said, because encoders stamp them as they like (WIRE 4).
// pure.
import { TagType, type TagRole } from '../flv/tag.ts';

export class Timeline {
  #base: number | undefined;
  #lastAudio = 0;
  #lastVideo = 0;
  #clamped = 0;

  /** The timestamp (ms) in the file of a tag that had this one (ms) on the wire. */
  place(type: TagType, role: TagRole, timestamp: number): number {
    if (this.#base === undefined) {
      if (role !== 'key-frame' && role !== 'inter-frame' && role !== 'audio') return 0;
      this.#base = timestamp;
    }
    const placed = timestamp - this.#base;
    if (type === TagType.Audio) {
      this.#lastAudio = this.#forward(placed, this.#lastAudio);
      return this.#lastAudio;
    }
    if (type === TagType.Video) {
      this.#lastVideo = this.#forward(placed, this.#lastVideo);
      return this.#lastVideo;
    }
    // Data is no track of its own: it goes where the file is.
    const last = Math.max(this.#lastAudio, this.#lastVideo);
    return placed < last ? last : placed;
  }

  /** How many tags stepped back and were moved to the time of the one before. */
  get clamped(): number {
    return this.#clamped;
  }

  #forward(placed: number, last: number): number {
    if (placed >= last) return placed;
    this.#clamped += 1;
    return last;
  }
}
