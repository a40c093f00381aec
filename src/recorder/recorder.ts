// Records every publication: one file each, open before the publisher is told that it may publish. A single
// timer flushes all of them in turn, so that neither timers nor writes come in bunches (PERFORMANCE 3.5).
import { RefusedError } from '../errors.ts';
import type { RecordingRequest } from '../archive/open-recording.ts';
import type { Publication } from '../hub/publication.ts';
import type { StreamHub } from '../hub/stream-hub.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import type { Log } from '../ops/log.ts';
import type { RecordingId, StreamName } from '../ops/names.ts';
import { recorderLimits } from './recorder-limits.ts';
import { RecordingWriter, type RecordingTarget } from './recording-writer.ts';
import { SlabPool } from './slab-pool.ts';

/** With so few recordings a write costs nothing that matters, so each is flushed at every tick. */
const fewRecordings = 8;
/** Milliseconds between two ticks, unless the flush interval is shorter. */
const longestTick = 50;

/** What is being recorded. */
export interface ActiveRecording {
  readonly id: RecordingId;
  readonly stream: StreamName;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Safely written. */
  readonly bytes: number;
  /** Of media, those in memory included. */
  readonly durationMs: number;
}

export interface Recorder extends Component {
  readonly active: readonly ActiveRecording[];
}

export interface RecorderOptions {
  readonly hub: StreamHub;
  readonly archive: { create(request: RecordingRequest): Promise<RecordingTarget> };
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds: at most so much is lost at a kill -9. */
  readonly flushInterval: number;
  /** Milliseconds: at most so much is lost at a power cut. */
  readonly syncInterval: number;
}

export function createRecorder(options: RecorderOptions): Recorder {
  return new AllRecorder(options);
}

class AllRecorder implements Recorder {
  readonly #options: RecorderOptions;
  readonly #pool = new SlabPool();
  readonly #seats = new Map<RecordingWriter, Seat>();
  readonly #tickLength: number;
  readonly #ticksPerFlush: number;
  #stopListening: () => void = () => undefined;
  #stopTicking: CancelTimer | undefined;
  readonly #opening = new Set<Promise<void>>();
  #stopped = false;
  #tick = 0;
  #seat = 0;
  #syncing = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#tickLength = Math.min(longestTick, options.flushInterval);
    this.#ticksPerFlush = Math.max(1, Math.floor(options.flushInterval / this.#tickLength));
  }

  get active(): readonly ActiveRecording[] {
    return [...this.#seats.keys()].map(({ recording, durationMs }) => {
      const { id, stream, startedAt, bytes } = recording;
      return { id, stream, startedAt, bytes, durationMs };
    });
  }

  async start(): Promise<void> {
    this.#stopListening = this.#options.hub.onPublish(async (publication) => {
      const opening = this.#record(publication);
      this.#opening.add(opening);
      await opening.finally(() => this.#opening.delete(opening));
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopListening();
    await Promise.allSettled(this.#opening);
    await Promise.all([...this.#seats.keys()].map((writer) => writer.end('shutdown')));
  }

  async #record(publication: Publication): Promise<void> {
    const { archive, log } = this.#options;
    const { stream, keyId, startedAt, origin } = publication;
    const recording = await archive.create({ stream, keyId, startedAt, origin });
    if (this.#stopped || publication.ended !== undefined) {
      await recording.discard();
      if (this.#stopped) throw new RefusedError('SHUTTING_DOWN', 'the appliance is stopping');
      return;
    }
    const writer = new RecordingWriter({
      recording,
      pool: this.#pool,
      log,
      closed: () => this.#leave(writer),
    });
    this.#seats.set(writer, { number: this.#seat, syncedAt: this.#options.clock.monotonic() });
    this.#seat += 1;
    this.#stopTicking ??= this.#options.clock.every(this.#tickLength, () => this.#onTick());
    writer.attach(publication.subscribe(writer));
    log.info('recording.started', { recording: recording.id, stream });
  }

  #leave(writer: RecordingWriter): void {
    this.#seats.delete(writer);
    if (this.#seats.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  #onTick(): void {
    this.#tick += 1;
    const now = this.#options.clock.monotonic();
    const all = this.#seats.size <= fewRecordings;
    for (const [writer, seat] of this.#seats) {
      if (all || (this.#tick + seat.number) % this.#ticksPerFlush === 0) writer.flush();
      if (now - seat.syncedAt >= this.#options.syncInterval && writer.unsynced) this.#sync(writer, seat, now);
    }
  }

  /** On a slow disk syncs come later rather than all at once, which would stop the writes of everybody. */
  #sync(writer: RecordingWriter, seat: Seat, now: number): void {
    if (this.#syncing >= recorderLimits.concurrentSyncs) return;
    this.#syncing += 1;
    seat.syncedAt = now;
    void writer.sync().finally(() => {
      this.#syncing -= 1;
    });
  }
}

interface Seat {
  /** Spreads the flushes of many recordings over the flush interval. */
  readonly number: number;
  /** Monotonic milliseconds. */
  syncedAt: number;
}
