// Who is on the air, where other processes can see it: `penstock stream list` asks here. A server keeps one row with
// all of its sessions and a heartbeat on it; a row without one belongs to a server that crashed, and is neither
// listed nor kept.
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { StreamName } from '../ops/names.ts';
import type { Store } from './store.ts';

const heartbeatMs = 2000;
const silenceMs = 10_000;
/** Sessions come and go in bunches: they are written down at most so often, in milliseconds. */
const shortestPauseMs = 200;

/** What is made of a stream on the disk; null where nobody records it. */
export type RecordingStatus = 'recording' | 'stalled' | 'failed';

/** One entry of `penstock stream list --json`. */
interface LiveSession {
  readonly stream: StreamName;
  readonly sessionId: string;
  readonly door: string;
  /** Address and port of the encoder. */
  readonly remote: string;
  readonly encoder: string;
  /** ISO 8601. */
  readonly since: string;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  /** Bits per second. */
  readonly bitrate: number | null;
  readonly recording: RecordingStatus | null;
  /** The code of the error, when it `failed`. */
  readonly recordingError: string | null;
}

interface NewLiveSession {
  readonly sessionId: string;
  readonly stream: StreamName;
  readonly door: string;
  readonly remote: string;
  readonly encoder: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface LiveSessionFigures {
  readonly encoder?: string | undefined;
  readonly videoCodec?: string | undefined;
  readonly audioCodec?: string | undefined;
  /** Bits per second. */
  readonly bitrate?: number | undefined;
  /** Undefined: nobody records it. */
  readonly recording: RecordingStatus | undefined;
  readonly recordingError: string | undefined;
}

export interface LiveSessionStore {
  /** Resolves when others can see it. */
  begin(session: NewLiveSession): Promise<void>;
  /**
   * Leaves out figures that are not given; does nothing when the session has ended. Others see it with the next
   * heartbeat: one write for all sessions, where a write for each would cost a busy server dearly.
   */
  update(sessionId: string, figures: LiveSessionFigures): void;
  /** Resolves when others no longer see it. */
  end(sessionId: string): Promise<void>;
  /** Sessions of every living server, the oldest first. */
  list(): Promise<readonly LiveSession[]>;
  /** Ends what this server began. Idempotent. */
  close(): Promise<void>;
}

export interface LiveSessionStoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** One run of one server process; a command that only lists may leave it out. */
  readonly serverId?: string;
}

export function openLiveSessionStore(options: LiveSessionStoreOptions): LiveSessionStore {
  return new SqlLiveSessionStore(options);
}

class SqlLiveSessionStore implements LiveSessionStore {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #serverId: string;
  readonly #own = new Map<string, LiveSession>();
  #cancelBeat: CancelTimer | undefined;
  #writtenAt = -Infinity;
  #writing: { readonly written: Promise<void>; readonly cancel: () => void } | undefined;

  constructor({ store, clock, log, serverId = '' }: LiveSessionStoreOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#serverId = serverId;
  }

  async begin({ sessionId, since, ...rest }: NewLiveSession): Promise<void> {
    this.#own.set(sessionId, {
      ...rest,
      sessionId,
      since: new Date(since).toISOString(),
      videoCodec: null,
      audioCodec: null,
      bitrate: null,
      recording: null,
      recordingError: null,
    });
    this.#cancelBeat ??= this.#clock.every(heartbeatMs, () => void this.#beat());
    await this.#writeSoon();
  }

  update(sessionId: string, figures: LiveSessionFigures): void {
    const session = this.#own.get(sessionId);
    if (session === undefined) return;
    const { encoder, videoCodec, audioCodec, bitrate, recording, recordingError } = figures;
    this.#own.set(sessionId, {
      ...session,
      encoder: encoder ?? session.encoder,
      videoCodec: videoCodec ?? session.videoCodec,
      audioCodec: audioCodec ?? session.audioCodec,
      bitrate: bitrate === undefined ? session.bitrate : Math.round(bitrate),
      recording: recording ?? null,
      recordingError: recordingError ?? null,
    });
  }

  async end(sessionId: string): Promise<void> {
    if (this.#own.delete(sessionId)) await this.#writeSoon();
  }

  async list(): Promise<readonly LiveSession[]> {
    const [oldest, newest] = this.#heardBetween();
    const rows = await this.#store.db
      .selectFrom('live_servers')
      .select('sessions')
      .where('updated_at', '>=', oldest)
      .where('updated_at', '<=', newest)
      .execute();
    const sessions = rows.flatMap((row) => JSON.parse(row.sessions) as LiveSession[]);
    return sessions.toSorted((one, other) =>
      `${one.since} ${one.sessionId}` < `${other.since} ${other.sessionId}` ? -1 : 1,
    );
  }

  async close(): Promise<void> {
    if (this.#cancelBeat === undefined) return; // nothing was begun, or all is over
    this.#cancelBeat();
    this.#cancelBeat = undefined;
    this.#own.clear();
    this.#writing?.cancel();
    await this.#store.db.deleteFrom('live_servers').where('server_id', '=', this.#serverId).execute();
  }

  // Also heartbeats from the future count as silence: the clock was set back, and living servers write anew.
  #heardBetween(): readonly [oldest: number, newest: number] {
    const now = this.#clock.now();
    return [now - silenceMs, now + silenceMs];
  }

  // The whole row, so that one which another server took for dead (this process was stopped for a while) returns.
  async #beat(): Promise<void> {
    try {
      await this.#write();
    } catch (error) {
      this.#log.warn('heartbeat.failed', { reason: String(error) });
    }
  }

  /** At once after a pause, else when the pause is over; those who ask meanwhile share one write. */
  #writeSoon(): Promise<void> {
    if (this.#writing !== undefined) return this.#writing.written;
    const pause = this.#writtenAt + shortestPauseMs - this.#clock.monotonic();
    if (pause <= 0) return this.#sweepAndWrite();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = this.#clock.after(pause, () => {
      this.#writing = undefined;
      this.#sweepAndWrite().then(resolve, reject);
    });
    const cancel = () => {
      stop();
      this.#writing = undefined;
      resolve();
    };
    this.#writing = { written: promise, cancel };
    return promise;
  }

  async #sweepAndWrite(): Promise<void> {
    this.#writtenAt = this.#clock.monotonic();
    const [oldest, newest] = this.#heardBetween();
    await this.#store.db
      .deleteFrom('live_servers')
      .where((row) => row.or([row('updated_at', '<', oldest), row('updated_at', '>', newest)]))
      .execute();
    await this.#write();
  }

  async #write(): Promise<void> {
    const row = {
      server_id: this.#serverId,
      sessions: JSON.stringify([...this.#own.values()]),
      updated_at: this.#clock.now(),
    };
    await this.#store.db.replaceInto('live_servers').values(row).execute();
  }
}
