// A recording in the making, as the archive hands it to the recorder: bytes in, and three ways out. It ends
// sealed, discarded, or abandoned to the repair, and each keeps file and catalogue in step.
import type { KeyId, RecordingId, StreamName } from '../ops/names.ts';
import type { Origin } from '../ops/origin.ts';
import type { RecordingFile } from './recording-file.ts';

/** What is to be recorded. */
export interface RecordingRequest {
  readonly stream: StreamName;
  readonly keyId: KeyId;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly origin: Origin;
  /** Any recording of the event that this one continues, as its next segment; undefined: a new event. */
  readonly continues?: RecordingId | undefined;
}

/** The encoder came back; its timestamps jumped; the disk did not take them; it was too slow. */
export const gapReasons = ['reconnect', 'timestamps', 'disk', 'stalled'] as const;
export type GapReason = (typeof gapReasons)[number];

/** Gaps noted of one recording; of more only the number of the noted ones is known. */
export const mostGaps = 1000;

/** Where media is missing in a recording, or was moved. */
export interface RecordingGap {
  /** Milliseconds from the beginning of the file: the first tag behind the gap. */
  readonly at: number;
  /** Milliseconds of the stream's time that are not there; below 0 when its timestamps jumped back. */
  readonly missing: number;
  readonly reason: GapReason;
  /** Tags that came and were not written, where that is known. */
  readonly dropped?: number;
}

/** A recording that an earlier server was making when it was killed. */
export interface InterruptedRecording {
  readonly id: RecordingId;
  /** Milliseconds since the Unix epoch; about, for nobody was there to look. */
  readonly endedAt: number;
}

/** What the recorder knows when it is over. */
export interface RecordingEnding {
  /** Milliseconds of media. */
  readonly durationMs: number;
  readonly gaps: readonly RecordingGap[];
}

export interface OpenRecordingParts {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly keyId: KeyId;
  readonly startedAt: number;
  readonly file: RecordingFile;
  sealed(ending: RecordingEnding, bytes: number): Promise<void>;
  discarded(): Promise<void>;
  broken(): Promise<void>;
  closed(): void;
}

export class OpenRecording {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly keyId: KeyId;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Milliseconds of media so far; the recorder keeps it up to date. */
  durationMs = 0;
  readonly #parts: OpenRecordingParts;

  constructor(parts: OpenRecordingParts) {
    this.id = parts.id;
    this.stream = parts.stream;
    this.keyId = parts.keyId;
    this.startedAt = parts.startedAt;
    this.#parts = parts;
  }

  /** Bytes safely written, whole tags all of them. */
  get bytes(): number {
    return this.#parts.file.length;
  }

  /** Whole tags; all of them or none. Throws ResourceError. */
  append(bytes: Uint8Array): Promise<void> {
    return this.#parts.file.append(bytes);
  }

  /** Overwrites what was appended before. Throws ResourceError. */
  patch(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#parts.file.patch(offset, bytes);
  }

  /** To the medium itself. Throws ResourceError. */
  datasync(): Promise<void> {
    return this.#parts.file.datasync();
  }

  /** Finishes the file under its final name and notes it in the catalogue. Throws ResourceError. */
  async seal(ending: RecordingEnding): Promise<void> {
    this.durationMs = ending.durationMs;
    const bytes = this.bytes;
    await this.#parts.file.seal();
    this.#parts.closed();
    await this.#parts.sealed(ending, bytes);
  }

  /** Removes file and row, as if nothing had been. */
  async discard(): Promise<void> {
    await this.#parts.file.discard();
    this.#parts.closed();
    await this.#parts.discarded();
  }

  /** After a failure: what is on the disk is repaired like the file of a killed server. Never throws. */
  async abandon(): Promise<void> {
    await this.#parts.file.close();
    this.#parts.closed();
    await this.#parts.broken();
  }
}
