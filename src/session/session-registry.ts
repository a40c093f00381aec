// All sessions of this server: opens one per transport, looks at their clocks, cuts those whose key was
// withdrawn, keeps the list that other processes see, and empties the house when the appliance stops.
import type { Transport } from '../transport/transport.ts';
import { RefusedError } from '../errors.ts';
import type { StreamHub } from '../hub/stream-hub.ts';
import type { KeyGate } from '../keys/key-gate.ts';
import type { Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import { LineBudget } from '../ops/line-budget.ts';
import type { Log } from '../ops/log.ts';
import type { StreamName } from '../ops/names.ts';
import type { Random } from '../ops/random.ts';
import type { ChangeFeed } from '../store/change-feed.ts';
import type { LiveSessionStore, RecordingStatus } from '../store/live-session-store.ts';
import { kickTopic } from './stream-cli.ts';
import type { Publishing } from './publishing.ts';
import { Session, type SessionLimits } from './session.ts';
import type { StrangerLines } from './farewell.ts';
import { sessionLimits } from './session-limits.ts';
import { SignInMemory } from './sign-in-memory.ts';

/** Milliseconds between two looks at deadlines, silence and expiry. */
const tickInterval = 500;
/** Milliseconds over which the bitrate in `penstock stream list` is measured. */
const figuresInterval = 2_000;

export interface SignInSettings {
  /** Applications whose encoders are asked for user and password when they connect with neither these nor a key. */
  readonly apps: readonly string[];
}

export interface SessionRegistryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: SessionLimits;
  readonly gate: KeyGate;
  readonly hub: StreamHub;
  readonly signIn: SignInSettings;
  readonly liveSessions: LiveSessionStore;
  /** What is made of each stream on the disk, for the list of streams. */
  readonly recordings: () => Iterable<StreamRecording>;
  /** Where the command line asks for the end of a session. */
  readonly changes: Pick<ChangeFeed, 'on'>;
}

export interface StreamRecording {
  readonly stream: StreamName;
  readonly state: RecordingStatus | 'interrupted';
  /** The code of the error, when it failed. */
  readonly trouble: string | undefined;
}

export interface SessionFigures {
  /** Sessions since the start. */
  readonly opened: number;
  /** Sessions that are open, by door. */
  readonly doors: ReadonlyMap<string, number>;
  /** Bytes of each live publication. */
  readonly streams: ReadonlyMap<string, number>;
  /** Of all publications since the start. */
  readonly receivedBytes: number;
}

export class SessionRegistry implements Component {
  readonly #options: SessionRegistryOptions;
  readonly #signIns: SignInMemory;
  readonly #lines: StrangerLines;
  readonly #sessions = new Set<Session>();
  readonly #figures = new Map<Publishing, { readonly id: string; bytes: number; at: number }>();
  readonly #cancels: (() => void)[] = [];
  #stopped: Promise<void> | undefined;
  #emptied: (() => void) | undefined;
  #lastId = 0;
  /** Received by publications that are over. */
  #finishedBytes = 0;

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#signIns = new SignInMemory(options.clock, options.signIn.apps);
    this.#lines = new LineBudget(options.clock, sessionLimits.strangerLines);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** What operators watch; bytes are of media, as they came. */
  get figures(): SessionFigures {
    const streams = new Map<string, number>();
    for (const { stream, bytes } of this.#figures.keys()) {
      streams.set(stream, (streams.get(stream) ?? 0) + bytes);
    }
    const doors = new Map<string, number>();
    for (const { transport } of this.#sessions)
      doors.set(transport.door, (doors.get(transport.door) ?? 0) + 1);
    const live = [...streams.values()].reduce((sum, bytes) => sum + bytes, 0);
    return { opened: this.#lastId, doors, streams, receivedBytes: this.#finishedBytes + live };
  }

  async start(): Promise<void> {
    const { clock, gate, changes } = this.#options;
    this.#cancels.push(
      clock.every(tickInterval, () => {
        for (const session of this.#sessions) session.tick();
      }),
      clock.every(figuresInterval, () => this.#writeFigures()),
      gate.onWithdrawn((keyId, why, upTo, certificate) => {
        for (const session of this.#sessions) session.keyWithdrawn({ keyId, why, upTo, certificate });
      }),
      changes.on(kickTopic, (stream) => {
        for (const session of this.#sessions) {
          if ([...session.publishings].some((one) => one.stream === stream))
            session.end(new RefusedError('STREAM_KICKED', 'an operator ended the session'), 'kicked');
        }
      }),
    );
  }

  /** Opens a session for a connection that begins to speak RTMP. */
  open(transport: Transport): void {
    if (this.#stopped !== undefined) return transport.destroy();
    const { clock, random, log, limits, gate, hub } = this.#options;
    const session = new Session(transport, {
      id: this.#nextId(),
      clock,
      random,
      log,
      limits,
      gate,
      hub,
      signIns: this.#signIns,
      lines: this.#lines,
      onPublishing: (_, publishing) => this.#begin(session, publishing),
      onUnpublished: (_, publishing) => this.#finish(publishing),
      onEnd: () => {
        this.#sessions.delete(session);
        if (this.#sessions.size === 0) this.#emptied?.();
      },
    });
    this.#sessions.add(session);
    session.start();
  }

  /** Tells every peer, and resolves when the last file is sealed and the last connection is gone. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    for (const session of this.#sessions) {
      session.end(new RefusedError('SHUTTING_DOWN', 'the appliance is stopping'), 'shutdown');
    }
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
    for (const cancel of this.#cancels.splice(0)) cancel();
  }

  #begin(session: Session, publishing: Publishing): void {
    const { clock, liveSessions } = this.#options;
    const id = this.#listedId(session);
    this.#figures.set(publishing, { id, bytes: 0, at: clock.monotonic() });
    const { address, port } = session.transport.peer;
    this.#store(
      liveSessions.begin({
        sessionId: id,
        stream: publishing.stream,
        door: session.transport.door,
        remote: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
        encoder: publishing.encoder,
        since: publishing.since,
      }),
    );
  }

  #finish(publishing: Publishing): void {
    const listed = this.#figures.get(publishing);
    if (listed === undefined) return;
    this.#figures.delete(publishing);
    this.#finishedBytes += publishing.bytes;
    this.#store(this.#options.liveSessions.end(listed.id));
  }

  /** The session's own, unless it publishes a second stream: each has its line in the list. */
  #listedId(session: Session): string {
    const taken = new Set([...this.#figures.values()].map(({ id }) => id));
    let id = session.id;
    for (let count = 2; taken.has(id); count += 1) id = `${session.id}.${count}`;
    return id;
  }

  #writeFigures(): void {
    const now = this.#options.clock.monotonic();
    const recordings = new Map<StreamName, StreamRecording>();
    for (const recording of this.#options.recordings()) recordings.set(recording.stream, recording);
    for (const session of this.#sessions) {
      for (const publishing of session.publishings) {
        const last = this.#figures.get(publishing);
        if (last === undefined || now <= last.at) continue;
        const bitrate = ((publishing.bytes - last.bytes) * 8000) / (now - last.at);
        last.bytes = publishing.bytes;
        last.at = now;
        const { encoder, videoCodec, audioCodec } = publishing;
        const { state, trouble } = recordings.get(publishing.stream) ?? {};
        this.#options.liveSessions.update(last.id, {
          encoder,
          videoCodec,
          audioCodec,
          bitrate,
          recording: state === 'interrupted' ? 'recording' : state,
          recordingError: trouble,
        });
      }
    }
  }

  // The list is for looking at; a database in trouble must not cost a stream.
  #store(written: Promise<void>): void {
    written.catch((error: unknown) => {
      this.#options.log.warn('stream-list.failed', {
        reason: error instanceof Error ? error.message : String(error),
      });
    });
  }

  #nextId(): string {
    this.#lastId += 1;
    return `s${this.#lastId.toString(36)}${Buffer.from(this.#options.random.bytes(3)).toString('hex')}`;
  }
}
