// The timestamps of an event: they start at 0, no track steps back, and what is missing is closed up. A clock that
// jumps is followed once a second tag confirms it; until then, and for a track that goes by a clock of its own, a
// tag stands beside the one before it. Sequence headers and metadata before the first frame stand at 0 whatever
// they said, because encoders stamp them as they like (WIRE 4). pure.
import type { RecordingGap } from '../archive/open-recording.ts';
import { TagType } from '../flv/tag.ts';
import { recorderLimits } from './recorder-limits.ts';

/** A longer step between two frames is a pause and not how long a frame lasts, in milliseconds. */
const longestFrame = 1000;
/** When only one of two tracks has jumped, so many tags in a row are needed to believe it. */
const tagsWithoutWitness = 16;

/** Audio or video; a video track of several counts as video. */
class Track {
  seen = false;
  /** Milliseconds of the event: the last tag. */
  last = 0;
  /** How long a frame usually lasts, in milliseconds. */
  frame = 0;
  /** Tags in a row that were not where they should be. */
  strays = 0;
}

export class Timeline {
  readonly #audio = new Track();
  readonly #video = new Track();
  /** What makes a timestamp of the encoder one of the event when added; undefined until the next frame sets it. */
  #offset: number | undefined;
  /** The offset before a break; undefined when it cannot be compared with what follows. */
  #lost: number | undefined;
  #begun = false;
  #clamped = 0;
  /** Monotonic milliseconds of the last tag that was where it should be. */
  #lastArrival = 0;
  /** A jump that waits to be confirmed: the first timestamp behind it, and the last one that agreed. */
  #jumpFrom = 0;
  #jumpLast = 0;
  /** How many tags agreed, and from how many tracks. */
  #jumpTags = 0;
  #jumpType: TagType = TagType.Video;
  #jumpWitnessed = false;
  /** Set by the call of `place` that left a gap behind. */
  broken = false;
  /** Milliseconds of the encoder's time that are closed up there; below 0 when its clock jumped back. */
  missing = 0;

  /** The timestamp (ms) in the event of a frame that had this one (ms) on the wire; `now` in monotonic ms. */
  place(type: TagType, timestamp: number, now: number): number {
    this.broken = false;
    const track = type === TagType.Audio ? this.#audio : this.#video;
    if (this.#offset === undefined) return this.#begin(track, timestamp, now);
    const placed = timestamp + this.#offset;
    const end = this.end;
    const other = track === this.#audio ? this.#video : this.#audio;
    if (
      placed < track.last - recorderLimits.backwardJump ||
      placed < end - recorderLimits.forwardJump ||
      (placed > end + recorderLimits.forwardJump &&
        placed - end - (now - this.#lastArrival) > recorderLimits.forwardJump)
    ) {
      return this.#placeStray(track, other, type, timestamp, now);
    }
    this.#jumpTags = 0;
    this.#lastArrival = now;
    return this.#advance(track, placed);
  }

  /** The time (ms) in the event of what is no frame of a track but belongs to one: it moves nothing. */
  beside(type: TagType): number {
    return type === TagType.Audio ? this.#audio.last : this.#video.last;
  }

  /** The time (ms) in the event of a sequence end: where it says, if that can be. */
  placeEnd(type: TagType, timestamp: number): number {
    const track = type === TagType.Audio ? this.#audio : this.#video;
    const placed = timestamp + (this.#offset ?? NaN);
    if (placed > track.last && placed <= track.last + longestFrame) track.last = placed;
    return track.last;
  }

  /** The time (ms) in the event of data, which are no track of their own: they go where the file is. */
  placeData(timestamp: number): number {
    const end = this.end;
    if (this.#offset === undefined) return end;
    const placed = timestamp + this.#offset;
    return placed < end || placed > end + recorderLimits.forwardJump ? end : placed;
  }

  /** Something is missing here: the next frame follows one frame behind the last, whatever its timestamp. */
  rejoin(): void {
    if (this.#offset === undefined) return;
    this.#lost = this.#offset;
    this.#offset = undefined;
    this.#jumpTags = 0;
  }

  /** Another encoder's clock follows, or the same one's that began anew. */
  changeClock(): void {
    this.rejoin();
    this.#lost = undefined;
  }

  /** Milliseconds: the last frame of any track. */
  get end(): number {
    return this.#audio.last > this.#video.last ? this.#audio.last : this.#video.last;
  }

  /** How long the frames of such a track usually last, in ms; at least 1. */
  frameOf(type: TagType): number {
    const track = type === TagType.Audio ? this.#audio : this.#video;
    return Math.max(1, track.frame);
  }

  /** How many tags stepped back, or strayed, and were moved to the time of one before. */
  get clamped(): number {
    return this.#clamped;
  }

  #begin(track: Track, timestamp: number, now: number): number {
    // FileSummary and players go by steps, so what follows a break follows at the usual step.
    const at = this.#begun ? this.end + Math.max(1, track.frame) : 0;
    if (this.#begun) {
      this.broken = true;
      this.missing = this.#lost === undefined ? 0 : timestamp + this.#lost - at;
    }
    this.#begun = true;
    this.#lost = undefined;
    this.#offset = at - timestamp;
    this.#lastArrival = now;
    track.seen = true;
    track.strays = 0;
    track.last = at;
    return at;
  }

  #advance(track: Track, placed: number): number {
    track.strays = 0;
    const step = placed - track.last;
    if (step < 0) {
      this.#clamped += 1;
      return track.last;
    }
    if (track.seen && step > 0 && step <= longestFrame) track.frame = step;
    track.seen = true;
    track.last = placed;
    return placed;
  }

  #placeStray(track: Track, other: Track, type: TagType, timestamp: number, now: number): number {
    track.strays += 1;
    const step = timestamp - this.#jumpLast;
    const agrees =
      this.#jumpTags > 0 &&
      step >= -recorderLimits.backwardJump &&
      step <= recorderLimits.forwardJump + (now - this.#lastArrival);
    if (agrees) {
      this.#jumpTags += 1;
      this.#jumpWitnessed ||= type !== this.#jumpType;
      this.#jumpLast = timestamp;
    } else {
      this.#jumpTags = 1;
      this.#jumpFrom = timestamp;
      this.#jumpLast = timestamp;
      this.#jumpType = type;
      this.#jumpWitnessed = false;
    }
    // A second track that goes on as before contradicts (its tags clear the jump); one that is silent cannot.
    const alone = !other.seen || other.last < track.last - longestFrame;
    if (this.#jumpTags >= (alone ? 2 : tagsWithoutWitness) || this.#jumpWitnessed) {
      return this.#jump(track, timestamp, now);
    }
    this.#clamped += 1;
    // The first one might be damage: its track goes on as if it had come in time. More of them: the other track
    // is the better clock.
    if (track.strays > 1) track.last = this.end;
    return track.last;
  }

  #jump(track: Track, timestamp: number, now: number): number {
    const base = this.end + Math.max(1, track.frame);
    const from = Math.min(this.#jumpFrom, timestamp);
    this.broken = true;
    this.missing = from + (this.#offset ?? 0) - base;
    this.#offset = base - from;
    this.#lastArrival = now;
    this.#jumpTags = 0;
    this.#audio.strays = 0;
    this.#video.strays = 0;
    track.last = Math.max(base, timestamp + this.#offset);
    return track.last;
  }
}

/** A gap that the next frame closes, and what is known of it by then. */
export class OpenGap {
  /** Undefined: the encoder's clock jumped. */
  reason: RecordingGap['reason'] | undefined;
  /** The encoder came back with another clock, so that only real time tells what is missing. */
  clockChanged = false;
  /** Tags that came and were not recorded. */
  dropped = 0;
  /** Milliseconds of tags that had their place and never reached the disk. */
  lost = 0;

  /** `at`, `missing` and `real`, the time that passed, in ms. */
  close(at: number, missing: number, real: number): RecordingGap {
    const { reason = 'timestamps', dropped } = this;
    const lacking = Math.round(this.clockChanged ? Math.max(0, real) : missing + this.lost);
    return { at, missing: lacking, reason, ...(dropped > 0 && { dropped }) };
  }
}
