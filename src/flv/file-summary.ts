// What the head of an FLV file says about its tags, gathered while they go by: the recorder tells it each tag it
// writes, the repair each tag it finds, and both come to the same head. pure.
import { audioCodecId, videoCodecId } from './codecs.ts';
import { KeyframeIndex } from './keyframe-index.ts';
import { TagType, type TagRole } from './tag.ts';

/** Sound alone has no key frames: a place to seek to is noted this often, in milliseconds. */
const audioIndexInterval = 5000;
/** A longer gap between two frames is a pause and not how long a frame is shown, in milliseconds. */
const longestFrame = 1000;

export class FileSummary {
  readonly index = new KeyframeIndex();
  readonly #audio = new Track();
  readonly #video = new Track();
  #tags = 0;
  #lastTimestamp = 0;
  #lastKeyFrame: number | undefined;
  #endsWithKeyFrame = false;
  #lastAudioEntry = -Infinity;
  #audioCodecId: number | undefined;
  #videoCodecId: number | undefined;

  /** A tag in the file: its timestamp there (ms) and the position of its first byte. Keeps nothing of the body. */
  add(type: TagType, role: TagRole, timestamp: number, position: number, body: Uint8Array): void {
    this.#tags += 1;
    if (timestamp > this.#lastTimestamp) this.#lastTimestamp = timestamp;
    if (type === TagType.Video) this.#addVideo(role, timestamp, position, body);
    else if (type === TagType.Audio) this.#addAudio(role, timestamp, position, body);
  }

  /** How many tags there are. */
  get tags(): number {
    return this.#tags;
  }

  get hasAudio(): boolean {
    return this.#audioCodecId !== undefined;
  }

  get hasVideo(): boolean {
    return this.#videoCodecId !== undefined;
  }

  /** Milliseconds to the end of the last frame, which is taken to be as long as the one before it. */
  get durationMs(): number {
    return Math.max(this.#audio.end, this.#video.end, this.#lastTimestamp);
  }

  /** Milliseconds. */
  get lastTimestamp(): number {
    return this.#lastTimestamp;
  }

  /** Milliseconds; undefined without a key frame. */
  get lastKeyFrame(): number | undefined {
    return this.#lastKeyFrame;
  }

  /** Can a player jump to the very end and show a picture (or sound)? */
  get endsWithKeyFrame(): boolean {
    return this.hasVideo ? this.#endsWithKeyFrame : this.hasAudio;
  }

  /** CodecID or FourCC of the first tag (WIRE 4). */
  get audioCodecId(): number | undefined {
    return this.#audioCodecId;
  }

  get videoCodecId(): number | undefined {
    return this.#videoCodecId;
  }

  #addVideo(role: TagRole, timestamp: number, position: number, body: Uint8Array): void {
    if (this.#videoCodecId === undefined) {
      this.#videoCodecId = videoCodecId(body);
      this.index.clear(); // of the entries of a file that seemed to be sound alone
    }
    if (role !== 'key-frame' && role !== 'inter-frame') return;
    this.#video.add(timestamp);
    this.#endsWithKeyFrame = role === 'key-frame';
    if (role === 'key-frame') {
      this.#lastKeyFrame = timestamp;
      this.index.add(timestamp, position);
    }
  }

  #addAudio(role: TagRole, timestamp: number, position: number, body: Uint8Array): void {
    this.#audioCodecId ??= audioCodecId(body);
    if (role !== 'audio') return;
    this.#audio.add(timestamp);
    if (!this.hasVideo && timestamp - this.#lastAudioEntry >= audioIndexInterval) {
      this.#lastAudioEntry = timestamp;
      this.index.add(timestamp, position);
    }
  }
}

/** The last frame of a track and how long it may be taken to last, in milliseconds. */
class Track {
  #last = -1;
  #frame = 0;

  add(timestamp: number): void {
    const step = timestamp - this.#last;
    if (this.#last >= 0 && step > 0 && step <= longestFrame) this.#frame = step;
    this.#last = timestamp;
  }

  get end(): number {
    return this.#last < 0 ? 0 : this.#last + this.#frame;
  }
}
