// The sequence headers of each track and the metadata of the stream: what every file has to begin with. They are set
// aside until the next frame, so that it is known whether they change anything before any of them is written: what
// is the same goes on in the same file, what differs begins another, which holds the new ones only. Bounded. pure.
import { isEnhancedAudio, isEnhancedVideo, tracksOf } from '../flv/enhanced-header.ts';
import type { ClientMetadata } from '../flv/file-head.ts';
import { TagType, type TagRole } from '../flv/tag.ts';
import { recorderLimits } from './recorder-limits.ts';

export interface TrackHeader {
  readonly type: TagType;
  readonly role: TagRole;
  readonly body: Uint8Array;
  /** The tracks that it is for. */
  readonly track: string;
  /** Parsed, when it is onMetaData. */
  readonly metadata: ClientMetadata | undefined;
}

/** What one header costs beside its bytes. */
const entryBytes = 256;

export class TrackHeaders {
  readonly #known = new Map<string, TrackHeader>();
  #knownBytes = 0;
  #pending: TrackHeader[] = [];
  #pendingBytes = 0;
  #metadata: ClientMetadata | undefined;
  /** The onMetaData that was settled last, as it came. */
  #metadataBody: Uint8Array | undefined;

  /** Sets a header aside, copied; false when there is no room for it. */
  offer(type: TagType, role: TagRole, body: Uint8Array, metadata?: ClientMetadata): boolean {
    const bytes = body.length + entryBytes;
    if (this.#pendingBytes + bytes > recorderLimits.headerBytes) return false;
    this.#pendingBytes += bytes;
    const track = metadata === undefined ? trackOf(type, role, body) : 'script';
    this.#pending.push({ type, role, body: Uint8Array.from(body), track, metadata });
    return true;
  }

  /** Is anything set aside? */
  get pending(): boolean {
    return this.#pending.length > 0;
  }

  /** Are there parameters among what is set aside that differ from those of the same track? */
  get changed(): boolean {
    return this.#pending.some(({ role, track, body }) => {
      const known = role === 'sequence-start' ? this.#known.get(track) : undefined;
      return known !== undefined && Buffer.compare(known.body, body) !== 0;
    });
  }

  /** The last onMetaData that was settled. */
  get metadata(): ClientMetadata | undefined {
    return this.#metadata;
  }

  /** The headers that hold, in the order in which their tracks appeared; no metadata. */
  get known(): Iterable<TrackHeader> {
    return this.#known.values();
  }

  /** What was set aside, in order, but metadata that say what is known; from now on it holds. */
  settle(): readonly TrackHeader[] {
    const pending = this.#pending;
    this.discard();
    return pending.filter((header) => {
      if (header.metadata === undefined) {
        this.#keep(header);
        return true;
      }
      // GStreamer says the same several times a second.
      const known = this.#metadataBody !== undefined && Buffer.compare(this.#metadataBody, header.body) === 0;
      this.#metadata = header.metadata;
      this.#metadataBody = header.body;
      return !known;
    });
  }

  /** Forgets what was set aside. */
  discard(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #keep(header: TrackHeader): void {
    const before = this.#known.get(header.track);
    const grown =
      header.body.length + entryBytes - (before === undefined ? 0 : before.body.length + entryBytes);
    if (this.#knownBytes + grown > recorderLimits.headerBytes) return;
    this.#knownBytes += grown;
    this.#known.set(header.track, header);
  }
}

/** Media, kind and track IDs. A header for many tracks is another than that of each of them. */
function trackOf(type: TagType, role: TagRole, body: Uint8Array): string {
  const media = type === TagType.Video ? 'video' : 'audio';
  const enhanced = type === TagType.Video ? isEnhancedVideo(body) : isEnhancedAudio(body);
  const ids = enhanced ? tracksOf(body, media).map(({ id }) => id) : [0];
  return `${media} ${role} ${ids.join(',')}`;
}
