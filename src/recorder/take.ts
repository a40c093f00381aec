// A take: one event of one stream, in one file or several that follow each other. It outlives the connection of its
// encoder for a while, so that one which comes back continues the file. The subscriber that the hub knows. When to
// cut, where tags stand in time, what a file begins with and what a stalled or failing disk costs are decided by
// rules of their own; here they are put together.
import { headLength } from '../flv/file-head.ts';
import { metadataOf, withoutSetDataFrame } from '../flv/script-data.ts';
import { TagType, type Tag, type TagRole } from '../flv/tag.ts';
import type { EndReason, Publication, Subscriber, Subscription } from '../hub/publication.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import { BackPressure } from './back-pressure.ts';
import { failedNotice, noRoom, Outage, reportFailure, resumedNotice } from './outage.ts';
import {
  RecordingWriter,
  scriptTime,
  type RecordingSource,
  type RecordingTarget,
} from './recording-writer.ts';
import { recorderLimits } from './recorder-limits.ts';
import { SegmentRule, type SegmentSettings } from './segment-rule.ts';
import type { SlabPool } from './slab-pool.ts';
import { OpenGap, Timeline } from './timeline.ts';
import { TrackHeaders } from './track-headers.ts';

export interface TakeOptions {
  readonly archive: RecordingSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: SlabPool;
  readonly segment: SegmentSettings;
  /** Milliseconds that an encoder whose connection broke may take to come back; 0: none. */
  readonly reconnectWindow: number;
  /** Milliseconds since the end of the recording that this one continues; undefined: it begins an event. */
  readonly missed?: number | undefined;
  /** Called once, when the take takes no more tags; its files may still be finished. */
  readonly left: (take: Take) => void;
}

/** `interrupted`: waits for its encoder. `stalled`, `failed`: the disk does not take what comes. */
export type TakeState = 'recording' | 'interrupted' | 'stalled' | 'failed';

export class Take implements Subscriber {
  readonly label = 'recorder';
  readonly stream: StreamName;
  readonly keyId: KeyId;
  readonly #options: TakeOptions;
  readonly #log: Log;
  readonly #timeline = new Timeline();
  readonly #rule: SegmentRule;
  readonly #headers = new TrackHeaders();
  readonly #pressure: BackPressure;
  readonly #outage: Outage;
  /** Those whose files are not finished, the present one included. */
  readonly #writers = new Set<RecordingWriter>();
  /** Undefined during an outage. */
  #writer: RecordingWriter | undefined;
  /** The last recording that was opened. */
  #recording: RecordingTarget;
  #creating: Promise<unknown> = Promise.resolve();
  #publication: Publication;
  #subscription: Subscription | undefined;
  #state: 'live' | 'waiting' | 'over' = 'live';
  #waitsUntil = 0;
  #endReason: EndReason = 'publisher-lost';
  /** Monotonic milliseconds, as of the last tick: asking the clock for each tag would cost more than it tells. */
  #now: number;
  #lastArrival: number;
  /** Where in the event the present file begins, in ms, and how many tags had been moved by then. */
  #base = 0;
  #clampedBefore = 0;
  #begun = false;
  /** Why tags are dropped, and since when. */
  #dropping: 'disk' | 'stalled' | undefined;
  #droppingSince = 0;
  #gap = new OpenGap();
  #dropped = 0;

  constructor(publication: Publication, recording: RecordingTarget, options: TakeOptions) {
    this.stream = publication.stream;
    this.keyId = publication.keyId;
    this.#options = options;
    this.#log = options.log.with({ stream: this.stream });
    this.#rule = new SegmentRule(options.segment);
    this.#rule.begin(headLength);
    this.#outage = new Outage(() => this.#create());
    this.#publication = publication;
    this.#recording = recording;
    this.#now = options.clock.monotonic();
    this.#lastArrival = this.#now;
    this.#pressure = new BackPressure({
      pool: options.pool,
      log: this.#log,
      writers: this.#writers,
      recording: () => this.recording.id,
      dropping: () => {
        this.#dropping ??= 'stalled';
        this.#droppingSince = this.#now;
      },
    });
    this.#writer = this.#write(recording);
    this.#join(publication);
  }

  get state(): TakeState {
    if (this.#state === 'waiting') return 'interrupted';
    if (this.#outage.active) return 'failed';
    return this.#pressure.stalled ? 'stalled' : 'recording';
  }

  /** Who flushes and syncs the present file; undefined during an outage. */
  get writer(): Pick<RecordingWriter, 'flush' | 'unsynced' | 'sync'> | undefined {
    return this.#writer;
  }

  /** The present recording, or during an outage the last one. */
  get recording(): RecordingTarget {
    return this.#writer?.recording ?? this.#recording;
  }

  /** Of the present recording, in milliseconds of media. */
  get durationMs(): number {
    return this.#writer?.durationMs ?? this.#recording.durationMs;
  }

  /** Why nothing is recorded: the code of an error. */
  get trouble(): string | undefined {
    return this.#outage.code;
  }

  /** Tags that came and were not recorded. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Would a publication with this key continue it? */
  awaits(keyId: KeyId): boolean {
    return this.#state === 'waiting' && keyId === this.keyId;
  }

  write({ type, role, timestamp, body }: Tag): void {
    if (this.#state !== 'live') return;
    if (role === 'key-frame' || role === 'inter-frame' || role === 'audio') {
      this.#writeFrame(type, role, timestamp, body);
    } else this.#writeBeside(type, role, timestamp, body);
  }

  /** Resolves when all that came is safe: in a finished file, or in one that waits for its encoder. */
  async end(reason: EndReason | 'subscriber-failed'): Promise<void> {
    this.#subscription = undefined;
    this.#pressure.steer(undefined);
    this.#settleLast();
    const { reconnectWindow, clock } = this.#options;
    const mayReturn = reason === 'publisher-lost' || reason === 'replaced';
    if (!mayReturn || reconnectWindow === 0 || !this.#begun || this.#state === 'over') {
      await this.finish(reason);
      return;
    }
    this.#state = 'waiting';
    this.#endReason = reason;
    this.#now = clock.monotonic();
    this.#waitsUntil = this.#now + reconnectWindow;
    this.#log.info('recording.interrupted', { recording: this.recording.id, reason });
    // kill -9 may come while it waits.
    await Promise.all([...this.#writers].map((writer) => writer.settle()));
  }

  /** Its encoder is back. Throws ResourceError when the disk that failed takes nothing yet. */
  async resume(publication: Publication): Promise<void> {
    this.#state = 'live';
    this.#now = this.#options.clock.monotonic();
    if (this.#outage.active) {
      try {
        await this.#outage.retry(this.#now);
      } catch (error) {
        await this.finish(this.#endReason);
        throw error;
      }
    }
    this.#timeline.changeClock();
    this.#gap.clockChanged = true;
    this.#gap.reason ??= 'reconnect';
    this.#join(publication);
  }

  /** Every few milliseconds (monotonic). */
  tick(now: number): void {
    this.#now = now;
    this.#pressure.look(now);
    const full = this.#options.archive.spaceState === 'stop';
    if (this.#state === 'waiting' && (full || now >= this.#waitsUntil)) void this.finish(this.#endReason);
    if (this.#state === 'over') return;
    if (full && this.#writer !== undefined) this.#suspend(this.#writer);
    if (!full) this.#outage.tick(now);
  }

  /** No more tags; resolves when every file has its final name. Never throws. */
  async finish(reason: string): Promise<void> {
    if (this.#state !== 'over') {
      this.#state = 'over';
      this.#subscription?.cancel();
      this.#options.left(this);
    }
    const clamped = this.#timeline.clamped - this.#clampedBefore;
    await Promise.all([...this.#writers].map((writer) => writer.end(reason, clamped)));
    await this.#outage.close();
  }

  #join(publication: Publication): void {
    this.#publication = publication;
    this.#subscription = publication.subscribe(this);
    if (this.#state === 'live') this.#pressure.steer(this.#subscription);
  }

  // The hot path (PERFORMANCE 3.1): nothing is allocated here.
  #writeFrame(type: TagType, role: TagRole, timestamp: number, body: Uint8Array): void {
    const now = this.#now;
    const startable = this.#rule.startsAt(type, role, now);
    if (this.#dropping !== undefined && !this.#rejoin(startable)) {
      this.#drop();
      return;
    }
    const at = this.#timeline.place(type, timestamp, now);
    let writer = this.#writer;
    if (writer === undefined) writer = this.#recover(at);
    else if (this.#ends(writer, startable, at)) writer = this.#cut(writer, at);
    if (this.#timeline.broken) this.#mark(writer, type, at);
    if (this.#headers.pending) this.#settleHeaders(writer, this.#timeline.broken);
    if (!this.#begun) this.#beginEvent(writer);
    this.#lastArrival = now;
    writer.put(type, role, this.#inFile(at), body);
  }

  #writeBeside(type: TagType, role: TagRole, timestamp: number, body: Uint8Array): void {
    let content = body;
    if (type === TagType.ScriptData) {
      content = withoutSetDataFrame(body);
      const metadata = metadataOf(content);
      if (metadata !== undefined && this.#headers.offer(type, role, content, metadata)) return;
    } else if (role !== 'sequence-end' && this.#headers.offer(type, role, content)) return;
    const writer = this.#writer;
    if (writer === undefined || this.#dropping !== undefined) {
      this.#drop();
      return;
    }
    let at = this.#timeline.beside(type);
    if (role === 'sequence-end') at = this.#timeline.placeEnd(type, timestamp);
    else if (type === TagType.ScriptData) at = this.#timeline.placeData(timestamp);
    writer.put(type, role, this.#inFile(at), content);
  }

  /** A track that is a little behind where a file begins stands at its beginning. */
  #inFile(at: number): number {
    return at > this.#base ? at - this.#base : 0;
  }

  /** Does the present file end before this frame? */
  #ends(writer: RecordingWriter, startable: boolean, at: number): boolean {
    if (writer.position === 0) return false;
    const ends = this.#rule.ends(startable, at - this.#base, writer.position);
    if (this.#writers.size >= recorderLimits.unfinishedSegments) return false;
    return ends || (this.#headers.pending && this.#headers.changed && this.#rule.mayChange(this.#now));
  }

  /** The present file ends, and another begins at `at` (ms of the event). */
  #cut(writer: RecordingWriter, at: number): RecordingWriter {
    const reason = this.#headers.changed ? 'parameters-changed' : 'segment-full';
    void writer.end(reason, this.#timeline.clamped - this.#clampedBefore);
    return this.#begin(this.#create(), at);
  }

  /** The outage is over: the file that waited begins at `at` (ms of the event). */
  #recover(at: number): RecordingWriter {
    const ready = this.#outage.end(this.#now) ?? this.#create();
    this.#publication.tell(resumedNotice);
    return this.#begin(ready, at);
  }

  /** Its first frame comes. */
  #beginEvent(writer: RecordingWriter): void {
    this.#begun = true;
    const { missed } = this.#options;
    if (missed !== undefined) writer.mark({ at: 0, missing: Math.round(missed), reason: 'reconnect' });
  }

  #begin(recording: RecordingTarget | Promise<RecordingTarget>, at: number): RecordingWriter {
    this.#headers.settle();
    const writer = this.#write(recording);
    this.#writer = writer;
    this.#base = at;
    this.#clampedBefore = this.#timeline.clamped;
    for (const { type, role, body } of this.#headers.known) writer.put(type, role, 0, body);
    this.#rule.begin(writer.position);
    return writer;
  }

  #write(recording: RecordingTarget | Promise<RecordingTarget>): RecordingWriter {
    const writer: RecordingWriter = new RecordingWriter({
      recording,
      pool: this.#options.pool,
      log: this.#log,
      client: this.#headers.metadata,
      changed: () => this.#pressure.look(),
      failed: (error) => this.#fail(writer, error),
      closed: () => this.#writers.delete(writer),
    });
    this.#writers.add(writer);
    return writer;
  }

  /** One after the other, so that segments are numbered in their order. */
  async #create(): Promise<RecordingTarget> {
    const { archive, clock } = this.#options;
    const { origin } = this.#publication;
    const { stream, keyId } = this;
    const startedAt = clock.now();
    const creating = this.#creating.then(() =>
      archive.create({ stream, keyId, startedAt, origin, continues: this.#recording.id }),
    );
    this.#creating = creating.catch(() => undefined);
    const before = this.#recording.id;
    this.#recording = await creating;
    this.#log.info('recording.started', { recording: this.#recording.id, continues: before });
    return this.#recording;
  }

  /** `rejoined`: behind a break, where metadata only say again what the head of the file says. */
  #settleHeaders(writer: RecordingWriter, rejoined = false): void {
    for (const { type, role, body, metadata } of this.#headers.settle()) {
      if (metadata === undefined) writer.put(type, role, this.#inFile(this.#timeline.beside(type)), body);
      else if (!writer.describe(metadata) && !rejoined) writer.put(type, role, scriptTime, body);
    }
  }

  /** Headers without a frame behind them: those that change nothing are kept, where there is a file. */
  #settleLast(): void {
    const writer = this.#writer;
    const keeps = this.#dropping === undefined && writer !== undefined && writer.position > 0;
    if (keeps && !this.#headers.changed) this.#settleHeaders(writer);
    else this.#headers.discard();
  }

  #mark(writer: RecordingWriter, type: TagType, at: number): void {
    const gap = this.#gap;
    this.#gap = new OpenGap();
    const real = this.#now - this.#lastArrival - this.#timeline.frameOf(type);
    const noted = gap.close(this.#inFile(at), this.#timeline.missing, real);
    writer.mark(noted);
    if (!gap.clockChanged) return;
    this.#log.info('recording.resumed', { recording: this.recording.id, missingMs: noted.missing });
  }

  #drop(count = 1): void {
    this.#dropped += count;
    this.#gap.dropped += count;
    this.#pressure.dropped += count;
  }

  /** May what was dropped end with this frame? */
  #rejoin(startable: boolean): boolean {
    const now = this.#now;
    if (this.#dropping === 'disk') {
      const ready = this.#outage.readySince(now);
      if (ready === undefined || (!startable && ready < recorderLimits.keyFrameTime)) return false;
    } else {
      if (!startable && now - this.#droppingSince < recorderLimits.keyFrameTime) return false;
      if (!this.#pressure.rejoin()) return false;
    }
    this.#gap.reason = this.#dropping;
    this.#dropping = undefined;
    this.#timeline.rejoin();
    return true;
  }

  /** The volume has no more room than is to be left: the file ends whole. */
  #suspend(writer: RecordingWriter): void {
    void writer.end('disk-full', this.#timeline.clamped - this.#clampedBefore);
    this.#beginOutage(noRoom());
  }

  #fail(writer: RecordingWriter, error: unknown): void {
    if (writer !== this.#writer || this.#state === 'over') {
      reportFailure(this.#log, error, writer.recording);
      return;
    }
    this.#drop(writer.queue.lostTags);
    this.#gap.lost = Math.max(0, this.#timeline.end - this.#base - (writer.queue.writtenEnd ?? 0));
    this.#beginOutage(error, writer.recording);
  }

  #beginOutage(error: unknown, recording = this.recording): void {
    this.#writer = undefined;
    this.#outage.begin(this.#now, error);
    this.#dropping = 'disk';
    this.#pressure.giveUp();
    reportFailure(this.#log, error, recording);
    this.#publication.tell(failedNotice);
  }
}
