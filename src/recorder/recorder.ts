// Records every publication: a take each, whose file is open before the publisher is told that it may publish. A
// single timer flushes all of them in turn, so that neither timers nor writes come in bunches (PERFORMANCE 3.5), and
// lets go those whose encoder does not come back.
import { RefusedError } from '../errors.ts';
import type { Publication } from '../hub/publication.ts';
import type { StreamHub } from '../hub/stream-hub.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import type { Log } from '../ops/log.ts';
import type { RecordingId, StreamName } from '../ops/names.ts';
import { recorderLimits } from './recorder-limits.ts';
import type { RecordingSource, RecordingWriter } from './recording-writer.ts';
import type { SegmentSettings } from './segment-rule.ts';
import { SlabPool } from './slab-pool.ts';
import { Take, type TakeState } from './take.ts';

/** With so few recordings a write costs nothing that matters, so each is flushed at every tick. */
const fewRecordings = 8;
/** Milliseconds between two ticks, unless the flush interval is shorter. */
const longestTick = 50;

/** What is being recorded, or should be. */
export interface ActiveRecording {
  /** When it `failed`, of the last file. */
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly state: TakeState;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Safely written. */
  readonly bytes: number;
  /** Of media, those in memory included. */
  readonly durationMs: number;
  /** Tags that came and were not recorded. */
  readonly dropped: number;
  /** Why it failed: the code of an error; undefined when it did not. */
  readonly trouble: string | undefined;
}

export interface Recorder extends Component {
  readonly active: readonly ActiveRecording[];
  /** Bytes that wait for the disks in all recordings. */
  readonly waitingBytes: number;
}

export interface RecorderOptions {
  readonly hub: StreamHub;
  readonly archive: RecordingSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds: at most so much is lost at a kill -9. */
  readonly flushInterval: number;
  /** Milliseconds: at most so much is lost at a power cut. */
  readonly syncInterval: number;
  /** Milliseconds that an encoder whose connection broke may take to come back; 0: each connection has its own. */
  readonly reconnectWindow: number;
  readonly segment: SegmentSettings;
}

export function createRecorder(options: RecorderOptions): Recorder {
  return new AllRecorder(options);
}

class AllRecorder implements Recorder {
  readonly #options: RecorderOptions;
  readonly #pool = new SlabPool();
  readonly #seats = new Map<Take, Seat>();
  /** The same takes by stream: never two of one stream. */
  readonly #takes = new Map<StreamName, Take>();
  readonly #tickLength: number;
  readonly #ticksPerFlush: number;
  #stopListening: () => void = () => undefined;
  #stopTicking: CancelTimer | undefined;
  /** What must be over before stop() is: files being opened, and takes being finished. */
  readonly #unfinished = new Set<Promise<void>>();
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
    return [...this.#seats.keys()].map(({ stream, state, recording, durationMs, dropped, trouble }) => {
      const { id, startedAt, bytes } = recording;
      return { id, stream, state, startedAt, bytes, durationMs, dropped, trouble };
    });
  }

  get waitingBytes(): number {
    return this.#pool.waiting;
  }

  async start(): Promise<void> {
    this.#stopListening = this.#options.hub.onPublish((publication) =>
      this.#finishBeforeStop(this.#record(publication)),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopListening();
    await Promise.all([...this.#seats.keys()].map((take) => take.finish('shutdown')));
    while (this.#unfinished.size > 0) await Promise.allSettled(this.#unfinished);
  }

  async #record(publication: Publication): Promise<void> {
    const { archive, log, reconnectWindow } = this.#options;
    const { stream, keyId, startedAt, origin } = publication;
    // Whoever held the stream has lost it by now: its take waits for it, or is gone from here.
    const waiting = this.#takes.get(stream);
    if (waiting?.awaits(keyId) === true) {
      await waiting.resume(publication);
      return;
    }
    if (waiting !== undefined) void this.#finishBeforeStop(waiting.finish('publisher-lost'));
    // A server that was killed is no reason for two events.
    const looking =
      reconnectWindow === 0
        ? undefined
        : archive.findInterrupted?.(stream, keyId, startedAt - reconnectWindow);
    const before = looking && (await looking);
    const recording = await archive.create({ stream, keyId, startedAt, origin, continues: before?.id });
    if (this.#stopped || publication.ended !== undefined) {
      await recording.discard();
      if (this.#stopped) throw new RefusedError('SHUTTING_DOWN', 'the appliance is stopping');
      return;
    }
    const take: Take = new Take(publication, recording, {
      ...this.#options,
      pool: this.#pool,
      missed: before === undefined ? undefined : Math.max(0, startedAt - before.endedAt),
      left: () => this.#leave(take),
    });
    this.#takes.set(stream, take);
    this.#seats.set(take, { number: this.#seat, syncedAt: this.#options.clock.monotonic() });
    this.#seat += 1;
    this.#stopTicking ??= this.#options.clock.every(this.#tickLength, () => this.#onTick());
    log.info('recording.started', { recording: recording.id, stream, continues: before?.id });
  }

  #leave(take: Take): void {
    // Called from within finish(), so that another publication finds the stream free at once.
    void this.#finishBeforeStop(Promise.resolve().then(() => take.finish('publisher-lost')));
    this.#takes.delete(take.stream);
    this.#seats.delete(take);
    if (this.#seats.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  #onTick(): void {
    this.#tick += 1;
    const now = this.#options.clock.monotonic();
    const all = this.#seats.size <= fewRecordings;
    for (const [take, seat] of this.#seats) {
      take.tick(now);
      const { writer } = take;
      if (writer === undefined) continue;
      if (all || (this.#tick + seat.number) % this.#ticksPerFlush === 0) writer.flush();
      if (now - seat.syncedAt >= this.#options.syncInterval && writer.unsynced) this.#sync(writer, seat, now);
    }
  }

  /** On a slow disk syncs come later rather than all at once, which would stop the writes of everybody. */
  #sync(writer: Pick<RecordingWriter, 'sync'>, seat: Seat, now: number): void {
    if (this.#syncing >= recorderLimits.concurrentSyncs) return;
    this.#syncing += 1;
    seat.syncedAt = now;
    void writer.sync().finally(() => {
      this.#syncing -= 1;
    });
  }

  async #finishBeforeStop(work: Promise<void>): Promise<void> {
    this.#unfinished.add(work);
    await work.finally(() => this.#unfinished.delete(work));
  }
}

interface Seat {
  /** Spreads the flushes of many recordings over the flush interval. */
  readonly number: number;
  /** Monotonic milliseconds. */
  syncedAt: number;
}
