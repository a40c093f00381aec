// How every process learns what another one changed. A change writes a row here in its own transaction; every
// other connection sees `PRAGMA data_version` move at its next look, at most 250 ms later, and reads the new
// rows. What this process changed itself takes the same road, but is told before the change resolves.
import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Database } from './database.ts';
import type { Schema } from './schema.ts';

/** Told in place of a subject when changes were missed: whoever listens looks at everything again. */
export const anySubject = '*';

const pollIntervalMs = 250;
/** Rows kept. A process that slept through more than these is told `anySubject`. */
const keptChanges = 1000;

/** Notes, inside the transaction, that something changed. */
type Announce = (topic: string, subject: string) => Promise<void>;

export interface ChangeFeed {
  /** Tells each later change of the topic, from this process or another. Returns how to stop listening. */
  on(topic: string, listener: (subject: string) => void): () => void;
  /** Tells what is committed by now, without waiting for the next look. Costs some µs when nothing is new. */
  catchUp(): Promise<void>;
  /**
   * Runs one transaction, which is on the disk and told to local listeners when this resolves. Whatever
   * `announce` was called with is told if and only if the transaction commits.
   */
  change<T>(work: (transaction: Transaction<Schema>, announce: Announce) => Promise<T>): Promise<T>;
}

export interface ChangeFeedOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens the feed at the newest change; call `stop` before the database is closed. */
export async function openChangeFeed(options: ChangeFeedOptions): Promise<ChangeFeed & { stop(): void }> {
  const feed = new PollingChangeFeed(options);
  await feed.start();
  return feed;
}

class PollingChangeFeed implements ChangeFeed {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Map<string, Set<(subject: string) => void>>();
  #cancel: CancelTimer = () => undefined;
  #version = -1;
  #lastSeq = 0;
  #polling = false;
  #failing = false;
  #stopped = false;

  constructor({ database, clock, log }: ChangeFeedOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#version = this.#database.dataVersion();
    this.#lastSeq = await this.#newestSeq();
    this.#cancel = this.#clock.every(pollIntervalMs, () => void this.#poll());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#listeners.clear();
  }

  on(topic: string, listener: (subject: string) => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  async catchUp(): Promise<void> {
    const version = this.#database.dataVersion();
    if (version === this.#version) return;
    await this.#readNew();
    this.#version = version; // only now: a read that failed is tried again at the next look
  }

  async change<T>(work: (transaction: Transaction<Schema>, announce: Announce) => Promise<T>): Promise<T> {
    const result = await this.#database.db.connection().execute(async (connection) => {
      await sql`PRAGMA synchronous = FULL`.execute(connection);
      try {
        return await connection.transaction().execute((transaction) =>
          work(transaction, async (topic, subject) => {
            const row = { topic, subject, at: this.#clock.now() };
            const { insertId } = await transaction.insertInto('changes').values(row).executeTakeFirst();
            const oldest = Number(insertId ?? 0) - keptChanges;
            await transaction.deleteFrom('changes').where('seq', '<=', oldest).execute();
          }),
        );
      } finally {
        await sql`PRAGMA synchronous = NORMAL`.execute(connection);
      }
    });
    await this.#readNew();
    return result;
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      await this.catchUp();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing && !this.#stopped) this.#log.error('store.failed', { reason: String(error) });
      this.#failing = true;
    } finally {
      this.#polling = false;
    }
  }

  // Two of these may be under way at once; who comes second finds the sequence number moved and tells nothing.
  async #readNew(): Promise<void> {
    const rows = await this.#database.db
      .selectFrom('changes')
      .select(['seq', 'topic', 'subject'])
      .where('seq', '>', this.#lastSeq)
      .orderBy('seq')
      .execute();
    const news = rows.filter((row) => row.seq > this.#lastSeq);
    const [first, last] = [news[0], news.at(-1)];
    if (first === undefined || last === undefined) return;
    const missed = first.seq > this.#lastSeq + 1;
    this.#lastSeq = last.seq;
    if (missed) for (const topic of this.#listeners.keys()) this.#tell(topic, anySubject);
    else for (const { topic, subject } of news) this.#tell(topic, subject);
  }

  #tell(topic: string, subject: string): void {
    for (const listener of this.#listeners.get(topic) ?? []) {
      // One that fails must not keep the news (a revoked key) from the others.
      try {
        listener(subject);
      } catch (error) {
        this.#log.error('change-listener.failed', { topic, reason: String(error), bug: true });
      }
    }
  }

  async #newestSeq(): Promise<number> {
    const row = await this.#database.db
      .selectFrom('changes')
      .select(({ fn }) => fn.max('seq').as('seq'))
      .executeTakeFirst();
    return row?.seq ?? 0;
  }
}
