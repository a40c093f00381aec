// One recording, which is one file: what becomes of its head, its tags and its gaps, and of the file in the end. The
// file may still be opening: what comes meanwhile waits in memory. Leaves out memory and writes (write-queue.ts),
// when to flush and sync (recorder.ts), and which tags belong here, at what time (take.ts).
import type {
  InterruptedRecording,
  OpenRecording,
  RecordingGap,
  RecordingRequest,
} from '../archive/open-recording.ts';
import { finalHead, headLength, provisionalHead, type ClientMetadata } from '../flv/file-head.ts';
import { FileSummary } from '../flv/file-summary.ts';
import { gapScript } from '../flv/script-data.ts';
import { tagSize } from '../flv/tag-writer.ts';
import { TagType, type TagRole } from '../flv/tag.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import { recorderLimits } from './recorder-limits.ts';
import type { SlabPool } from './slab-pool.ts';
import { WriteQueue } from './write-queue.ts';

/**
 * The timestamp of scripts that are about the file: metadata that come again, marks of gaps. Of one with another
 * time ffmpeg makes a text stream; a cue point says its time itself.
 */
export const scriptTime = 0;

/** What of an open recording is used here. */
export type RecordingTarget = Pick<
  OpenRecording,
  | 'id'
  | 'stream'
  | 'startedAt'
  | 'bytes'
  | 'durationMs'
  | 'append'
  | 'patch'
  | 'datasync'
  | 'seal'
  | 'discard'
  | 'abandon'
>;

/** What of the archive the recorder needs. */
export interface RecordingSource {
  create(request: RecordingRequest): Promise<RecordingTarget>;
  /** As Archive.findInterrupted says; without it no recording of an earlier server is continued. */
  findInterrupted?(
    stream: StreamName,
    keyId: KeyId,
    since: number,
  ): Promise<InterruptedRecording | undefined>;
  /** At `stop` nothing more may be written to the volume. */
  readonly spaceState?: 'ample' | 'low' | 'stop';
}

export interface RecordingWriterOptions {
  /** The file, or one that is still being opened. */
  readonly recording: RecordingTarget | Promise<RecordingTarget>;
  readonly pool: SlabPool;
  readonly log: Log;
  /** What the client said of the stream so far. */
  readonly client?: ClientMetadata | undefined;
  /** More waits for the disk, or less. */
  readonly changed?: () => void;
  /** Called once, when the file cannot be opened or written; what was in memory is lost. `closed` follows. */
  readonly failed?: (error: unknown) => void;
  /** Called once, when the recording has ended, whichever way. */
  readonly closed: () => void;
}

export class RecordingWriter {
  readonly #options: RecordingWriterOptions;
  readonly #opening: Promise<RecordingTarget>;
  readonly #queue: WriteQueue;
  readonly #summary = new FileSummary();
  readonly #gaps: RecordingGap[] = [];
  #recording: RecordingTarget | undefined;
  #log: Log;
  #state: 'recording' | 'ending' | 'failed' = 'recording';
  #finished: Promise<void> | undefined;
  #givenUp: Promise<void> | undefined;
  #client: ClientMetadata | undefined;
  /** Where in the file the next tag goes; 0 until the head is put. */
  #position = 0;
  #headStale = false;
  #unsynced = false;
  /** A datasync or a new head under way. */
  #beside: Promise<void> | undefined;

  constructor(options: RecordingWriterOptions) {
    const { recording, pool, log, client, changed = () => undefined } = options;
    this.#options = options;
    this.#log = log;
    this.#client = client;
    this.#queue = new WriteQueue({
      pool,
      append: async (bytes) => {
        const target = this.#recording ?? (await this.#opening);
        await target.append(bytes);
        this.#unsynced = true;
      },
      changed,
      failed: (error) => void this.#fail(error),
    });
    if (recording instanceof Promise) {
      this.#opening = recording.then((target) => this.#open(target));
      this.#opening.catch((error: unknown) => void this.#fail(error));
    } else this.#opening = Promise.resolve(this.#open(recording));
  }

  /** Undefined while the file is being opened. */
  get recording(): RecordingTarget | undefined {
    return this.#recording;
  }

  /** Bytes of the file, those in memory included; 0 before the first tag. */
  get position(): number {
    return this.#position;
  }

  get durationMs(): number {
    return this.#summary.durationMs;
  }

  get gaps(): readonly RecordingGap[] {
    return this.#gaps;
  }

  /** How much waits for the disk, and how much was written. */
  get queue(): Pick<WriteQueue, 'waiting' | 'full' | 'written' | 'writtenEnd' | 'lostTags'> {
    return this.#queue;
  }

  /** A tag and where it goes, in ms from the beginning of the file. The body is copied. */
  put(type: TagType, role: TagRole, timestamp: number, body: Uint8Array): void {
    if (this.#state !== 'recording') return;
    if (this.#position === 0) {
      this.#queue.putHead(provisionalHead(this.#client));
      this.#position = headLength;
    }
    this.#summary.add(type, role, timestamp, this.#position, body);
    this.#position += tagSize(body.length);
    this.#queue.putTag(type, timestamp, body);
  }

  /** Takes the client's metadata into the head; false when others are there already. */
  describe(client: ClientMetadata): boolean {
    if (this.#client !== undefined) return false;
    this.#client = client;
    this.#headStale = this.#position > 0;
    return true;
  }

  /** Notes a gap, for the catalogue and for readers of the file alone. The tag behind it comes next. */
  mark(gap: RecordingGap): void {
    if (this.#gaps.length >= recorderLimits.gaps) return;
    this.#gaps.push(gap);
    this.put(TagType.ScriptData, 'metadata', scriptTime, gapScript(gap));
  }

  /** Hands what is in memory to the disk. */
  flush(): void {
    if (this.#state !== 'recording') return;
    this.#queue.flush();
    const recording = this.#recording;
    if (recording === undefined) return;
    recording.durationMs = this.#summary.durationMs;
    if (this.#headStale && recording.bytes > 0 && this.#beside === undefined) {
      this.#headStale = false;
      void this.#runBeside(recording.patch(0, provisionalHead(this.#client)));
    }
  }

  /** Is there anything that a power cut would take? */
  get unsynced(): boolean {
    return this.#state === 'recording' && this.#unsynced && this.#beside === undefined;
  }

  /** Brings what is written to the medium. Never throws. */
  async sync(): Promise<void> {
    const recording = this.#recording;
    if (recording === undefined || !this.unsynced) return;
    this.#unsynced = false;
    await this.#runBeside(recording.datasync());
  }

  /** Writes what is in memory and brings it to the medium; the file stays open. Never throws. */
  async settle(): Promise<void> {
    this.flush();
    await this.#queue.drain();
    await this.#beside;
    await this.sync();
  }

  /** Resolves when the file has its final name, or is gone because nothing was recorded. Never throws. */
  end(reason: string, clamped = 0): Promise<void> {
    this.#finished ??= this.#finish(reason, clamped);
    return this.#finished;
  }

  #open(recording: RecordingTarget): RecordingTarget {
    this.#recording = recording;
    this.#log = this.#log.with({ recording: recording.id });
    return recording;
  }

  async #runBeside(work: Promise<void>): Promise<void> {
    const guarded = work.catch((error: unknown) => void this.#fail(error));
    this.#beside = guarded;
    await guarded;
    this.#beside = undefined;
  }

  async #finish(reason: string, clamped: number): Promise<void> {
    this.#state = 'ending';
    try {
      const recording = await this.#opening;
      await this.#queue.drain();
      await this.#beside;
      if (this.#givenUp === undefined) await this.#conclude(recording, reason, clamped);
    } catch (error) {
      void this.#fail(error);
    }
    if (this.#givenUp === undefined) this.#options.closed();
    else await this.#givenUp;
  }

  async #conclude(recording: RecordingTarget, reason: string, clamped: number): Promise<void> {
    const { durationMs } = this;
    if (this.#position === 0) {
      await recording.discard();
      this.#log.info('recording.discarded', { reason });
      return;
    }
    await recording.patch(0, finalHead(this.#client, this.#summary, recording.bytes));
    await recording.seal({ durationMs, gaps: this.#gaps });
    this.#log.info('recording.sealed', {
      reason,
      bytes: recording.bytes,
      durationMs,
      clamped: clamped > 0 ? clamped : undefined,
      gaps: this.#gaps.length > 0 ? this.#gaps.length : undefined,
    });
  }

  /** The file ends here. Tags that still come are ignored. */
  #fail(error: unknown): Promise<void> {
    this.#givenUp ??= this.#giveUp(error);
    this.#finished ??= this.#givenUp;
    return this.#givenUp;
  }

  async #giveUp(error: unknown): Promise<void> {
    this.#state = 'failed';
    const closing = this.#queue.close();
    this.#options.failed?.(error);
    await closing;
    await this.#beside;
    await this.#recording?.abandon();
    this.#options.closed();
  }
}
