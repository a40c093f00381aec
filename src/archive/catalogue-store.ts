// The catalogue: one row in the table `recordings` for every recording, live or at rest. Leaves out the files.
import type { Kysely, Selectable } from 'kysely';
import type { KeyId, RecordingId, StreamName } from '../ops/names.ts';
import type { Origin } from '../ops/origin.ts';
import type { Schema } from '../store/schema.ts';
import type { RecordingGap } from './open-recording.ts';
import { eventOf, segmentOf } from './recording-name.ts';

export type RecordingState = 'recording' | 'complete' | 'recovered';

export interface RecordingEntry {
  readonly id: RecordingId;
  readonly stream: StreamName;
  /** Undefined for a file whose row was lost. */
  readonly keyId: KeyId | undefined;
  readonly state: RecordingState;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  /** Undefined while it is being recorded. */
  readonly durationMs: number | undefined;
  readonly bytes: number | undefined;
  /** Hex; undefined until it was computed. */
  readonly sha256: string | undefined;
  /** Final path below the recordings folder, forward slashes; while it is being recorded plus `.part`. */
  readonly path: string;
  /** The id of the first segment of the event; its own where there is one alone. */
  readonly event: RecordingId;
  /** Counted from 1. */
  readonly segment: number;
  readonly gaps: readonly RecordingGap[];
  /** Neither retention nor a hurried hand deletes it. */
  readonly locked: boolean;
  /** Undefined where nobody knows any more. */
  readonly origin: Origin | undefined;
  /** Names, the video's first; empty until the file was looked into. */
  readonly codecs: readonly string[];
}

/** What must be known of a recording to note it; event and segment are read from its id. */
export type NewRecording = Pick<RecordingEntry, 'id' | 'stream' | 'state' | 'startedAt' | 'path'> &
  Partial<RecordingEntry>;

/** A recording that was deleted. */
export interface RemovedRecording {
  readonly id: RecordingId;
  readonly sha256: string | undefined;
  readonly removedAt: number;
}

/** Oldest first; `after` goes on behind an entry of the page before. Times in ms since the Unix epoch. */
export interface RecordingFilter {
  readonly stream?: StreamName | undefined;
  readonly since?: number | undefined;
  readonly state?: RecordingState | undefined;
  readonly event?: RecordingId | undefined;
  /** Finished, but without a SHA-256. */
  readonly unproven?: boolean | undefined;
  readonly after?: { readonly startedAt: number; readonly id: RecordingId } | undefined;
  readonly limit?: number | undefined;
}

/** What is known when a recording ends. */
export interface RecordingOutcome {
  readonly state: 'complete' | 'recovered';
  readonly endedAt: number;
  readonly durationMs: number;
  readonly bytes: number;
  readonly gaps?: readonly RecordingGap[];
}

/** Every method throws ResourceError STORE_FAILED when the database does not answer. */
export class CatalogueStore {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async add(entry: NewRecording): Promise<void> {
    await this.#db.insertInto('recordings').values(toRow(entry)).execute();
  }

  async finish(id: RecordingId, outcome: RecordingOutcome): Promise<void> {
    await this.#db
      .updateTable('recordings')
      .set({
        state: outcome.state,
        ended_at: outcome.endedAt,
        duration_ms: outcome.durationMs,
        bytes: outcome.bytes,
        ...(outcome.gaps === undefined ? {} : { gaps: JSON.stringify(outcome.gaps) }),
      })
      .where('id', '=', id)
      .execute();
  }

  async find(id: RecordingId): Promise<RecordingEntry | undefined> {
    const row = await this.#db.selectFrom('recordings').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toEntry(row);
  }

  async list(filter: RecordingFilter = {}): Promise<readonly RecordingEntry[]> {
    const { stream, since, state, event, unproven, after, limit } = filter;
    let query = this.#db.selectFrom('recordings').selectAll().orderBy('started_at').orderBy('id');
    if (event !== undefined) query = query.where('event', '=', event);
    if (unproven === true) query = query.where('sha256', 'is', null).where('state', '!=', 'recording');
    if (stream !== undefined) query = query.where('stream', '=', stream);
    if (since !== undefined) query = query.where('started_at', '>=', since);
    if (state !== undefined) query = query.where('state', '=', state);
    if (after !== undefined) {
      query = query.where((where) =>
        where.or([
          where('started_at', '>', after.startedAt),
          where.and([where('started_at', '=', after.startedAt), where('id', '>', after.id)]),
        ]),
      );
    }
    if (limit !== undefined) query = query.limit(limit);
    return (await query.execute()).map(toEntry);
  }

  /** The finished recordings that began last, newest first. */
  async newest(limit: number): Promise<readonly RecordingEntry[]> {
    const rows = await this.#db
      .selectFrom('recordings')
      .selectAll()
      .where('state', '!=', 'recording')
      .orderBy('started_at', 'desc')
      .limit(limit)
      .execute();
    return rows.map(toEntry);
  }

  /** Corrects what is said of a recording; only what is given. */
  async update(id: RecordingId, facts: Partial<RecordingEntry>): Promise<void> {
    const row = toColumns(facts);
    if (Object.keys(row).length === 0) return;
    await this.#db.updateTable('recordings').set(row).where('id', '=', id).execute();
  }

  /** The highest number that a segment of the event ever had; 0 when there was none. */
  async lastSegment(event: RecordingId): Promise<number> {
    const highest = async (table: 'recordings' | 'removed_recordings') => {
      const row = await this.#db
        .selectFrom(table)
        .select(({ fn }) => fn.max('segment').as('segment'))
        .where('event', '=', event)
        .executeTakeFirst();
      return row?.segment ?? 0;
    };
    return Math.max(await highest('recordings'), await highest('removed_recordings'));
  }

  /** The segment before this one, deleted or not, that has the highest number; undefined when there is none. */
  async findBefore(id: RecordingId): Promise<RecordingEntry | RemovedRecording | undefined> {
    const [event, segment] = [eventOf(id), segmentOf(id)];
    const kept = await this.#db
      .selectFrom('recordings')
      .selectAll()
      .where('event', '=', event)
      .where('segment', '<', segment)
      .orderBy('segment', 'desc')
      .limit(1)
      .executeTakeFirst();
    const removed = await this.#db
      .selectFrom('removed_recordings')
      .select(['id', 'segment'])
      .where('event', '=', event)
      .where('segment', '<', segment)
      .orderBy('segment', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (removed !== undefined && removed.segment > (kept?.segment ?? 0)) {
      return this.findRemoved(removed.id as RecordingId);
    }
    return kept && toEntry(kept);
  }

  /** False when there was none. */
  async remove(id: RecordingId): Promise<boolean> {
    const result = await this.#db.deleteFrom('recordings').where('id', '=', id).executeTakeFirst();
    return result.numDeletedRows > 0n;
  }

  /** Takes the row away and remembers that it was there. `at` in ms since the Unix epoch. */
  async bury({ id, event, segment, sha256 }: RecordingEntry, at: number): Promise<void> {
    await this.#db.transaction().execute(async (transaction) => {
      const stone = { id, event, segment, sha256: sha256 ?? null, removed_at: at };
      await transaction.insertInto('removed_recordings').values(stone).orReplace().execute();
      await transaction.deleteFrom('recordings').where('id', '=', id).execute();
    });
  }

  async findRemoved(id: RecordingId): Promise<RemovedRecording | undefined> {
    const row = await this.#db
      .selectFrom('removed_recordings')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : { id, sha256: row.sha256 ?? undefined, removedAt: row.removed_at };
  }
}

type Row = Selectable<Schema['recordings']>;

function toEntry(row: Row): RecordingEntry {
  return {
    id: row.id as RecordingId,
    stream: row.stream as StreamName,
    keyId: (row.key_id as KeyId | null) ?? undefined,
    state: row.state,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
    durationMs: row.duration_ms ?? undefined,
    bytes: row.bytes ?? undefined,
    sha256: row.sha256 ?? undefined,
    path: row.path,
    event: row.event as RecordingId,
    segment: row.segment,
    gaps: JSON.parse(row.gaps) as readonly RecordingGap[],
    locked: row.locked !== 0,
    origin: row.origin === null ? undefined : (JSON.parse(row.origin) as Origin),
    codecs: JSON.parse(row.codecs) as readonly string[],
  };
}

function toRow(entry: NewRecording): Row {
  return {
    key_id: null,
    ended_at: null,
    duration_ms: null,
    bytes: null,
    sha256: null,
    gaps: '[]',
    locked: 0,
    origin: null,
    codecs: '[]',
    ...(toColumns(entry) as Pick<Row, 'id' | 'stream' | 'state' | 'started_at' | 'path'>),
    event: eventOf(entry.id),
    segment: segmentOf(entry.id),
  };
}

/** The columns of what is given. */
function toColumns(entry: Partial<RecordingEntry>): Partial<Row> {
  const { id, stream, keyId, state, startedAt, endedAt, durationMs, bytes, sha256, path } = entry;
  const { gaps, locked, origin, codecs } = entry;
  const columns = {
    id,
    stream,
    key_id: keyId,
    state,
    started_at: startedAt,
    ended_at: endedAt,
    duration_ms: durationMs,
    bytes,
    sha256,
    path,
    gaps: gaps && JSON.stringify(gaps),
    locked: locked === undefined ? undefined : Number(locked),
    origin: origin && JSON.stringify(origin),
    codecs: codecs && JSON.stringify(codecs),
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}
