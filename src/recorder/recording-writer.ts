// One recording: what becomes of each tag, of the head, and of the file in the end. The subscriber that the hub
// knows. Leaves out memory and writes (write-queue.ts), and when to flush and sync (recorder.ts).
import type { OpenRecording } from '../archive/open-recording.ts';
import { ApplianceError } from '../errors.ts';
import { finalHead, headLength, provisionalHead, type ClientMetadata } from '../flv/file-head.ts';
import { FileSummary } from '../flv/file-summary.ts';
import { metadataOf, withoutSetDataFrame } from '../flv/script-data.ts';
import { tagSize } from '../flv/tag-writer.ts';
import { TagType, type Tag } from '../flv/tag.ts';
import type { EndReason, Subscriber, Subscription } from '../hub/publication.ts';
import type { Log } from '../ops/log.ts';
import type { SlabPool } from './slab-pool.ts';
import { Timeline } from './timeline.ts';
import { WriteQueue } from './write-queue.ts';

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

export interface RecordingWriterOptions {
  readonly recording: RecordingTarget;
  readonly pool: SlabPool;
  readonly log: Log;
  /** Called once, when the recording has ended, whichever way. */
  readonly closed: () => void;
}

export class RecordingWriter implements Subscriber {
  readonly label = 'recorder';
  readonly recording: RecordingTarget;
  readonly #log: Log;
  readonly #closed: () => void;
  readonly #queue: WriteQueue;
  readonly #timeline = new Timeline();
  readonly #summary = new FileSummary();
  #subscription: Subscription | undefined;
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

  constructor({ recording, pool, log, closed }: RecordingWriterOptions) {
    this.recording = recording;
    this.#log = log.with({ recording: recording.id, stream: recording.stream });
    this.#closed = closed;
    this.#queue = new WriteQueue({
      pool,
      append: async (bytes) => {
        await recording.append(bytes);
        this.#unsynced = true;
      },
      busy: () => this.#subscription?.hold(),
      free: () => this.#subscription?.release(),
      failed: (error) => void this.#fail(error),
    });
  }

  /** How to hold the publisher back. */
  attach(subscription: Subscription): void {
    this.#subscription = subscription;
  }

  get durationMs(): number {
    return this.#summary.durationMs;
  }

  write(tag: Tag): void {
    if (this.#state !== 'recording') return;
    let body = tag.body;
    if (tag.type === TagType.ScriptData) {
      if (this.#client === undefined && this.#takeMetadata(body)) return;
      body = withoutSetDataFrame(body);
    }
    if (this.#position === 0) {
      this.#queue.putHead(provisionalHead(this.#client));
      this.#position = headLength;
    }
    const timestamp = this.#timeline.place(tag.type, tag.role, tag.timestamp);
    this.#summary.add(tag.type, tag.role, timestamp, this.#position, body);
    this.#position += tagSize(body.length);
    this.#queue.putTag(tag.type, timestamp, body);
  }

  /** Hands what is in memory to the disk. */
  flush(): void {
    if (this.#state !== 'recording') return;
    this.recording.durationMs = this.#summary.durationMs;
    this.#queue.flush();
    if (this.#headStale && this.recording.bytes > 0 && this.#beside === undefined) {
      this.#headStale = false;
      void this.#runBeside(this.recording.patch(0, provisionalHead(this.#client)));
    }
  }

  /** Is there anything that a power cut would take? */
  get unsynced(): boolean {
    return this.#state === 'recording' && this.#unsynced && this.#beside === undefined;
  }

  /** Brings what is written to the medium. Never throws. */
  async sync(): Promise<void> {
    if (!this.unsynced) return;
    this.#unsynced = false;
    await this.#runBeside(this.recording.datasync());
  }

  /** Resolves when the file has its final name, or is gone because nothing was recorded. Never throws. */
  end(reason: EndReason | 'subscriber-failed'): Promise<void> {
    this.#finished ??= this.#finish(reason);
    return this.#finished;
  }

  /** The first onMetaData goes into the head, and nowhere else. */
  #takeMetadata(body: Uint8Array): boolean {
    this.#client = metadataOf(body);
    if (this.#client === undefined) return false;
    this.#headStale = this.#position > 0;
    return true;
  }

  async #runBeside(work: Promise<void>): Promise<void> {
    this.#beside = work;
    try {
      await work;
    } catch (error) {
      void this.#fail(error);
    } finally {
      this.#beside = undefined;
    }
  }

  async #finish(reason: EndReason | 'subscriber-failed'): Promise<void> {
    this.#state = 'ending';
    try {
      await this.#queue.drain();
      await this.#beside?.catch(() => undefined);
      if (this.#givenUp === undefined) await this.#conclude(reason);
    } catch (error) {
      void this.#fail(error);
    }
    if (this.#givenUp === undefined) this.#closed();
    else await this.#givenUp;
  }

  async #conclude(reason: string): Promise<void> {
    const { durationMs, recording } = this;
    if (this.#position === 0) {
      await recording.discard();
      this.#log.info('recording.discarded', { reason });
      return;
    }
    await recording.patch(0, finalHead(this.#client, this.#summary, recording.bytes));
    await recording.seal({ durationMs, gaps: [] });
    const { clamped } = this.#timeline;
    const told = { reason, bytes: recording.bytes, durationMs, clamped: clamped > 0 ? clamped : undefined };
    this.#log.info('recording.sealed', told);
  }

  /** The recording ends here, the stream goes on. Tags that still come are ignored. */
  #fail(error: unknown): Promise<void> {
    this.#givenUp ??= this.#giveUp(error);
    this.#finished ??= this.#givenUp;
    return this.#givenUp;
  }

  async #giveUp(error: unknown): Promise<void> {
    this.#state = 'failed';
    const known = error instanceof ApplianceError;
    this.#log.error('recording.failed', {
      code: known ? error.code : undefined,
      reason: error instanceof Error ? error.message : String(error),
      hint: known ? error.hint : undefined,
      bug: known ? undefined : true,
      bytes: this.recording.bytes,
    });
    await this.#queue.close();
    await this.#beside?.catch(() => undefined);
    await this.recording.abandon();
    this.#closed();
  }
}
