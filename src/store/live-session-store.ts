// Who is on the air, where other processes can see it: `penstock stream list` asks here. A server keeps a
// heartbeat on its rows; rows without one belong to a server that crashed, and are neither listed nor kept.
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import type { LiveSessionTable } from './schema.ts';
import type { Store } from './store.ts';

const heartbeatMs = 2000;
const silenceMs = 10_000;

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
}

interface NewLiveSession {
  readonly sessionId: string;
  readonly stream: StreamName;
  readonly keyId: KeyId;
  readonly door: string;
  readonly remote: string;
  readonly encoder: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

interface LiveSessionFigures {
  readonly encoder?: string | undefined;
  readonly videoCodec?: string | undefined;
  readonly audioCodec?: string | undefined;
  /** Bits per second. */
  readonly bitrate?: number | undefined;
}

export interface LiveSessionStore {
  begin(session: NewLiveSession): Promise<void>;
  /**
   * Leaves out what is not given; does nothing when the session has ended. Others see it with the next
   * heartbeat: one write for all sessions, where a write for each would cost a busy server dearly.
   */
  update(sessionId: string, figures: LiveSessionFigures): void;
  end(sessionId: string): Promise<void>;
  /** Sessions of every living server, the oldest first. */
  list(): Promise<readonly LiveSession[]>;
  /** Ends what this server began. */
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
  readonly #own = new Map<string, LiveSessionTable>();
  #cancel: CancelTimer | undefined;

  constructor({ store, clock, log, serverId = '' }: LiveSessionStoreOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#serverId = serverId;
  }

  async begin({ sessionId, keyId, ...rest }: NewLiveSession): Promise<void> {
    const row: LiveSessionTable = {
      ...rest,
      session_id: sessionId,
      server_id: this.#serverId,
      key_id: keyId,
      video_codec: null,
      audio_codec: null,
      bitrate: null,
      updated_at: this.#clock.now(),
    };
    this.#own.set(sessionId, row);
    this.#cancel ??= this.#clock.every(heartbeatMs, () => void this.#beat());
    const [oldest, newest] = this.#heardBetween();
    await this.#store.db
      .deleteFrom('live_sessions')
      .where((row) => row.or([row('updated_at', '<', oldest), row('updated_at', '>', newest)]))
      .execute();
    await this.#write([row]);
  }

  update(sessionId: string, { encoder, videoCodec, audioCodec, bitrate }: LiveSessionFigures): void {
    const row = this.#own.get(sessionId);
    if (row === undefined) return;
    if (encoder !== undefined) row.encoder = encoder;
    if (videoCodec !== undefined) row.video_codec = videoCodec;
    if (audioCodec !== undefined) row.audio_codec = audioCodec;
    if (bitrate !== undefined) row.bitrate = Math.round(bitrate);
  }

  async end(sessionId: string): Promise<void> {
    this.#own.delete(sessionId);
    await this.#store.db.deleteFrom('live_sessions').where('session_id', '=', sessionId).execute();
  }

  async list(): Promise<readonly LiveSession[]> {
    const [oldest, newest] = this.#heardBetween();
    const rows = await this.#store.db
      .selectFrom('live_sessions')
      .selectAll()
      .where('updated_at', '>=', oldest)
      .where('updated_at', '<=', newest)
      .orderBy('since')
      .orderBy('session_id')
      .execute();
    return rows.map((row) => ({
      stream: row.stream as StreamName,
      sessionId: row.session_id,
      door: row.door,
      remote: row.remote,
      encoder: row.encoder,
      since: new Date(row.since).toISOString(),
      videoCodec: row.video_codec,
      audioCodec: row.audio_codec,
      bitrate: row.bitrate,
    }));
  }

  async close(): Promise<void> {
    this.#cancel?.();
    const ids = [...this.#own.keys()];
    this.#own.clear();
    if (ids.length > 0) {
      await this.#store.db.deleteFrom('live_sessions').where('session_id', 'in', ids).execute();
    }
  }

  // Also heartbeats from the future count as silence: the clock was set back, and living servers write anew.
  #heardBetween(): readonly [oldest: number, newest: number] {
    const now = this.#clock.now();
    return [now - silenceMs, now + silenceMs];
  }

  // Whole rows, so that rows which another server took for dead (this process was stopped for a while) return.
  async #beat(): Promise<void> {
    try {
      for (const row of this.#own.values()) row.updated_at = this.#clock.now();
      await this.#write([...this.#own.values()]);
    } catch (error) {
      this.#log.warn('heartbeat.failed', { reason: String(error) });
    }
  }

  async #write(rows: readonly LiveSessionTable[]): Promise<void> {
    const living = rows.filter((row) => this.#own.get(row.session_id) === row);
    // 12 parameters a row, and SQLite takes 32,766 in one statement.
    for (let start = 0; start < living.length; start += 1000) {
      await this.#store.db
        .replaceInto('live_sessions')
        .values(living.slice(start, start + 1000))
        .execute();
    }
  }
}
