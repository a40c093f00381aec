// The catalogue: one row in the table `recordings` for every recording, live or at rest. Leaves out the files.
import type { Kysely, Selectable } from 'kysely';
import type { KeyId, RecordingId, StreamName } from '../ops/names.ts';
import type { Schema } from '../store/schema.ts';

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
}

/** Oldest first; `after` goes on behind an entry of the page before. Times in ms since the Unix epoch. */
export interface RecordingFilter {
  readonly stream?: StreamName | undefined;
  readonly since?: number | undefined;
  readonly state?: RecordingState | undefined;
  readonly after?: { readonly startedAt: number; readonly id: RecordingId } | undefined;
  readonly limit?: number | undefined;
}

/** What is known when a recording ends. */
export interface RecordingOutcome {
  readonly state: 'complete' | 'recovered';
  readonly endedAt: number;
  readonly durationMs: number;
  readonly bytes: number;
}

/** Every method throws ResourceError STORE_FAILED when the database does not answer. */
export class CatalogueStore {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async add(entry: RecordingEntry): Promise<void> {
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
      })
      .where('id', '=', id)
      .execute();
  }

  async find(id: RecordingId): Promise<RecordingEntry | undefined> {
    const row = await this.#db.selectFrom('recordings').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toEntry(row);
  }

  async list(filter: RecordingFilter = {}): Promise<readonly RecordingEntry[]> {
    const { stream, since, state, after, limit } = filter;
    let query = this.#db.selectFrom('recordings').selectAll().orderBy('started_at').orderBy('id');
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

  /** False when there was none. */
  async remove(id: RecordingId): Promise<boolean> {
    const result = await this.#db.deleteFrom('recordings').where('id', '=', id).executeTakeFirst();
    return result.numDeletedRows > 0n;
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
  };
}

function toRow(entry: RecordingEntry): Row {
  return {
    id: entry.id,
    stream: entry.stream,
    key_id: entry.keyId ?? null,
    state: entry.state,
    started_at: entry.startedAt,
    ended_at: entry.endedAt ?? null,
    duration_ms: entry.durationMs ?? null,
    bytes: entry.bytes ?? null,
    sha256: entry.sha256 ?? null,
    path: entry.path,
  };
}
