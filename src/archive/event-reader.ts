// The segments of an event as one FLV file: one head, timestamps that go on where the segment before ended, and
// sequence headers only where they differ from those in force. Every other tag is passed on as it is; marks of gaps
// say where these are now. Goes through the segments once, in pieces. FLV E.3, E.4.1.
import {
  clientMetadataOf,
  finalHead,
  headLength,
  provisionalHead,
  type ClientMetadata,
} from '../flv/file-head.ts';
import { FileSummary } from '../flv/file-summary.ts';
import { gapMarkOf, gapScript, metadataOf } from '../flv/script-data.ts';
import { TagReader } from '../flv/tag-reader.ts';
import { tagSize, writeTag } from '../flv/tag-writer.ts';
import { TagType, type Tag } from '../flv/tag.ts';
import type { RecordingEntry } from './catalogue-store.ts';
import type { RecordingId } from '../ops/names.ts';

/** Where the bytes come from: the archive. */
export interface SegmentSource {
  read(id: RecordingId): AsyncIterable<Uint8Array>;
}

/** A longer step between two frames is a pause and not how long a frame lasts, in milliseconds. */
const longestFrame = 1000;
/** Bytes of sequence headers that are held back to be compared; no encoder sends nearly as many. */
const longestHeaders = 1024 * 1024;

export class EventReader {
  readonly #source: SegmentSource;
  readonly #segments: readonly RecordingEntry[];
  readonly #summary = new FileSummary();
  #client: ClientMetadata | undefined;
  #position = 0;
  #ready: Uint8Array[] = [];
  /** Added to the timestamps of the present segment (ms). */
  #offset = 0;
  readonly #audio = new TrackTime();
  readonly #video = new TrackTime();
  /** The sequence headers that the present segment began with, while nothing else has come. */
  #leading: Tag[] | undefined;
  #leadingBytes = 0;
  /** What the last segment began with; undefined when its headers changed on the way. */
  #inForce: string[] | undefined;

  /** `segments` in their order; those in the making are read as far as they are written. */
  constructor(source: SegmentSource, segments: readonly RecordingEntry[]) {
    this.#source = source;
    this.#segments = segments;
  }

  /** The bytes of the file. Throws what reading a segment throws: SetupError NOT_FOUND, ResourceError. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const { id } of this.#segments) {
      this.#offset = this.#summary.hasVideo ? this.#video.end : Math.max(this.#audio.end, this.#video.end);
      this.#leading = [];
      this.#leadingBytes = 0;
      let head: Uint8Array | undefined = new Uint8Array(0);
      const reader = new TagReader((tag) => this.#take(tag), { position: headLength });
      for await (const piece of this.#source.read(id)) {
        if (head === undefined) reader.push(piece);
        else {
          head = Buffer.concat([head, piece]);
          if (head.length < headLength) continue;
          if (this.#position === 0) yield this.#begin(head.subarray(0, headLength));
          reader.push(head.subarray(headLength));
          head = undefined;
        }
        if (this.#ready.length > 0) yield Buffer.concat(this.#ready);
        this.#ready = [];
        if (reader.status !== 'reading') break; // damage: what follows is no tag
      }
      this.#endLeading();
      if (this.#ready.length > 0) yield Buffer.concat(this.#ready);
      this.#ready = [];
    }
  }

  /** The head that says everything; once all pieces were read it may stand in the place of the first one. */
  finalHead(): Uint8Array {
    return finalHead(this.#client, this.#summary, this.#position);
  }

  #begin(head: Uint8Array): Uint8Array {
    this.#client = clientMetadataOf(head);
    this.#position = headLength;
    const durations = this.#segments.map(({ durationMs }) => durationMs ?? 0);
    return provisionalHead(
      this.#client,
      durations.reduce((sum, duration) => sum + duration, 0),
    );
  }

  #take(tag: Tag): void {
    if (tag.type === TagType.ScriptData) {
      this.#takeScript(tag);
      return;
    }
    const isHeader = tag.role === 'sequence-start' || tag.role === 'metadata';
    if (!isHeader) {
      this.#endLeading();
      this.#emit(tag);
      return;
    }
    if (this.#leading === undefined) {
      this.#inForce = undefined;
      this.#emit(tag);
      return;
    }
    this.#leading.push({ ...tag, body: Uint8Array.from(tag.body) });
    this.#leadingBytes += tag.body.length;
    if (this.#leadingBytes > longestHeaders) this.#endLeading();
  }

  /** What is said of the file stays stamped 0, and a mark says where its gap is in this file. */
  #takeScript(tag: Tag): void {
    const mark = tag.timestamp === 0 ? gapMarkOf(tag.body) : undefined;
    if (mark !== undefined) {
      this.#put({ ...tag, body: gapScript({ ...mark, at: mark.at + this.#offset }) });
    } else if (tag.timestamp === 0 && metadataOf(tag.body) !== undefined) this.#put(tag);
    else this.#emit(tag);
  }

  /** Passes on what the segment begins with, unless the one before began with the same and kept it. */
  #endLeading(): void {
    const leading = this.#leading;
    if (leading === undefined) return;
    this.#leading = undefined;
    if (leading.length === 0) return;
    const bodies = leading.map(({ type, body }) => `${type} ${Buffer.from(body).toString('base64')}`);
    if (this.#inForce?.join() === bodies.join()) return;
    this.#inForce = bodies;
    for (const tag of leading) this.#emit(tag);
  }

  #emit(tag: Tag): void {
    const { type, role, timestamp } = tag;
    let placed = timestamp + this.#offset;
    const isFrame = role === 'audio' || role === 'key-frame' || role === 'inter-frame';
    if (type === TagType.Audio) placed = this.#audio.place(placed, isFrame);
    else if (type === TagType.Video) placed = this.#video.place(placed, isFrame);
    this.#put({ ...tag, timestamp: placed });
  }

  #put({ type, role, timestamp, body }: Tag): void {
    this.#summary.add(type, role, timestamp, this.#position, body);
    const bytes = Buffer.allocUnsafe(tagSize(body.length));
    writeTag(bytes, 0, type, timestamp, body);
    this.#position += bytes.length;
    this.#ready.push(bytes);
  }
}

/** The time of one track: it never steps back, and its last frame lasts as long as the one before it. */
class TrackTime {
  #last = -1;
  #frame = 0;

  place(timestamp: number, isFrame: boolean): number {
    const placed = Math.max(timestamp, this.#last);
    if (!isFrame) return placed;
    const step = placed - this.#last;
    if (this.#last >= 0 && step > 0 && step <= longestFrame) this.#frame = step;
    this.#last = placed;
    return placed;
  }

  /** Milliseconds. */
  get end(): number {
    return this.#last < 0 ? 0 : this.#last + this.#frame;
  }
}
