// Who did what with keys, tokens and recordings (OWASP ASVS 7): append-only, in the table `audit` and, for other
// programs, as JSON lines in DATADIR/audit.jsonl (0600). Written in batches, so that a flood of refusals costs a
// few writes a second. Never a key: only public ids, and every text escaped and cut as in the log.
import { createHash } from 'node:crypto';
import { appendFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sql, type Selectable } from 'kysely';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import { type Log, safeText } from '../ops/log.ts';
import type { AuditTable } from './schema.ts';
import { storeLimits } from './store-limits.ts';
import type { Store } from './store.ts';

const flushDelayMs = 250;
const minuteMs = 60_000;
/** Rows of one statement: 7 parameters each, and SQLite takes 32,766. */
const batchSize = 1000;

type AuditAction =
  | `key.${'created' | 'rotated' | 'disabled' | 'enabled' | 'revoked' | 'used' | 'refused'}`
  | 'address.locked-out'
  | `token.${'created' | 'revoked' | 'used' | 'refused'}`
  | `certificate.${'issued' | 'renewed' | 'replaced' | 'failed'}`
  | 'authority.created'
  | `client-certificate.${'created' | 'revoked'}`
  | `recording.${'downloaded' | 'deleted' | 'expired' | 'linked' | 'locked' | 'unlocked'}`
  | 'configuration.changed'
  | `server.${'started' | 'stopped'}`;

export interface AuditLine {
  readonly action: AuditAction;
  /** Whose doing: an address, `cli`, `server`, or the public id of an API token as `token ID`. */
  readonly source: string;
  /** Public id of a stream key or an API token. */
  readonly key?: string | undefined;
  readonly stream?: string | undefined;
  readonly door?: string | undefined;
  readonly detail?: string | undefined;
}

/** One line as it is shown: in audit.jsonl, by `audit export` and by `audit list --json`. */
export interface AuditEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly action: string;
  readonly source: string;
  readonly key: string | null;
  readonly stream: string | null;
  readonly door: string | null;
  readonly detail: string | null;
}

export interface AuditLog {
  /** Returns at once; the line is written within 250 ms. Never throws. */
  note(line: AuditLine): void;
  /** Notes the settings a server starts with, when they differ from those it started with the last time. */
  noteSettings(settings: unknown): Promise<void>;
  /** From now on puts audit.jsonl aside when it is full; for the one server of a data folder. */
  keepFile(): void;
  /** The newest `limit` lines, or all since a moment (ms since the epoch), the oldest first. */
  list(range: {
    readonly since?: number | undefined;
    readonly limit?: number;
  }): Promise<readonly AuditEntry[]>;
  /** Every line, the oldest first, a page at a time. */
  all(): AsyncIterable<readonly AuditEntry[]>;
  /** Writes what was noted. Call it before the store is closed. */
  close(): Promise<void>;
}

export interface AuditLogOptions {
  readonly db: Store['db'];
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function openAuditLog(options: AuditLogOptions): AuditLog {
  return new StoredAuditLog(options);
}

type Row = Omit<AuditTable, 'seq'>;

class StoredAuditLog implements AuditLog {
  readonly #db: Store['db'];
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #waiting: Row[] = [];
  #cancelFlush: CancelTimer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #minute = { began: -Infinity, refusals: 0, uncounted: 0 };
  #cancelMinute: CancelTimer | undefined;
  /** What is noted once a minute, and when it was. */
  readonly #repeated = new Map<string, number>();
  #keepsFile = false;
  #unpruned = batchSize;

  constructor({ db, folder, clock, log }: AuditLogOptions) {
    this.#db = db;
    this.#file = join(folder, 'audit.jsonl');
    this.#clock = clock;
    this.#log = log;
  }

  note(line: AuditLine): void {
    if (line.action.endsWith('.refused') && !this.#countRefusal()) return;
    if (isRepeated(line.action) && this.#saidLately(line)) return;
    this.#push(line);
  }

  #push(line: AuditLine): void {
    const text = (value: string | undefined) => (value === undefined ? null : safeText(value));
    this.#waiting.push({
      at: this.#clock.now(),
      action: line.action,
      source: safeText(line.source),
      key_id: text(line.key),
      stream: text(line.stream),
      door: text(line.door),
      detail: text(line.detail),
    });
    this.#cancelFlush ??= this.#clock.after(flushDelayMs, () => void this.#flush());
  }

  async noteSettings(settings: unknown): Promise<void> {
    const digest = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16);
    const detail = `now sha256 ${digest}`;
    const last = await this.#db
      .selectFrom('audit')
      .select('detail')
      .where('action', '=', 'configuration.changed')
      .orderBy('seq', 'desc')
      .executeTakeFirst();
    if (last?.detail !== detail) this.note({ action: 'configuration.changed', source: 'server', detail });
  }

  keepFile(): void {
    this.#keepsFile = true;
  }

  async list({
    since,
    limit,
  }: {
    since?: number | undefined;
    limit?: number;
  }): Promise<readonly AuditEntry[]> {
    let query = this.#db.selectFrom('audit').selectAll().orderBy('seq', 'desc');
    if (since !== undefined) query = query.where('at', '>=', since);
    if (limit !== undefined) query = query.limit(limit);
    return (await query.execute()).toReversed().map(entryOf);
  }

  async *all(): AsyncIterable<readonly AuditEntry[]> {
    let last = 0;
    for (;;) {
      const rows = await this.#db
        .selectFrom('audit')
        .selectAll()
        .where('seq', '>', last)
        .orderBy('seq')
        .limit(batchSize)
        .execute();
      const newest = rows.at(-1);
      if (newest === undefined) return;
      last = newest.seq;
      yield rows.map(entryOf);
    }
  }

  async close(): Promise<void> {
    this.#endMinute();
    await this.#flush();
  }

  /** False when so many were refused in this minute that this one is only counted. */
  #countRefusal(): boolean {
    if (this.#clock.monotonic() - this.#minute.began >= minuteMs) {
      this.#endMinute();
      this.#minute = { began: this.#clock.monotonic(), refusals: 0, uncounted: 0 };
    }
    this.#minute.refusals += 1;
    if (this.#minute.refusals <= storeLimits.auditRefusals) return true;
    this.#minute.uncounted += 1;
    this.#cancelMinute ??= this.#clock.after(minuteMs, () => this.#endMinute());
    return false;
  }

  #endMinute(): void {
    this.#cancelMinute?.();
    this.#cancelMinute = undefined;
    const { uncounted, began } = this.#minute;
    if (uncounted === 0) return;
    this.#minute = { began: -Infinity, refusals: 0, uncounted: 0 };
    const seconds = Math.ceil((this.#clock.monotonic() - began) / 1000);
    const detail = `${uncounted} more refusals within ${seconds} s, not listed one by one`;
    this.#push({ action: 'key.refused', source: 'many', detail });
  }

  #saidLately({ action, source, key, detail }: AuditLine): boolean {
    const now = this.#clock.monotonic();
    const what = `${action} ${source} ${key} ${detail}`;
    const lately = now - (this.#repeated.get(what) ?? -Infinity) < minuteMs;
    if (lately) return true;
    if (this.#repeated.size >= batchSize) {
      for (const [other, at] of this.#repeated) if (now - at >= minuteMs) this.#repeated.delete(other);
      if (this.#repeated.size >= batchSize) this.#repeated.clear();
    }
    this.#repeated.set(what, now);
    return false;
  }

  /** Resolves when everything that was noted before the call is written, or could not be. */
  #flush(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const rows = this.#waiting;
    this.#waiting = [];
    if (rows.length > 0) this.#writing = this.#writing.then(() => this.#write(rows));
    return this.#writing;
  }

  // Two places, and what fails in one is still in the other.
  async #write(rows: readonly Row[]): Promise<void> {
    await this.#orSay(async () => {
      for (let start = 0; start < rows.length; start += batchSize) {
        await this.#db
          .insertInto('audit')
          .values(rows.slice(start, start + batchSize))
          .execute();
      }
      await this.#prune(rows.length);
    });
    await this.#orSay(async () => {
      const text = rows.map((row) => `${JSON.stringify(entryOf(row))}\n`).join('');
      await appendFile(this.#file, text, { mode: 0o600 });
      if (this.#keepsFile && (await stat(this.#file)).size >= storeLimits.auditFileSize)
        await this.#putAside();
    });
  }

  async #orSay(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const hint = 'Check that the data folder is writable and has free space.';
      this.#log.error('audit.failed', { reason: String(error), hint });
    }
  }

  async #prune(added: number): Promise<void> {
    this.#unpruned += added;
    if (this.#unpruned < batchSize) return;
    this.#unpruned = 0;
    await this.#db
      .deleteFrom('audit')
      .where('seq', '<=', sql<number>`(SELECT max(seq) FROM audit) - ${storeLimits.auditLines}`)
      .execute();
  }

  async #putAside(): Promise<void> {
    for (let number: number = storeLimits.auditFiles; number >= 1; number -= 1) {
      const from = number === 1 ? this.#file : `${this.#file}.${number - 1}`;
      await rename(from, `${this.#file}.${number}`).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      });
    }
  }
}

// A script that polls, or a player that fetches a recording piece by piece, is one line a minute.
function isRepeated(action: AuditAction): boolean {
  return action === 'token.used' || action === 'recording.downloaded';
}

function entryOf(row: Row | Selectable<AuditTable>): AuditEntry {
  return {
    time: new Date(row.at).toISOString(),
    action: row.action,
    source: row.source,
    key: row.key_id,
    stream: row.stream,
    door: row.door,
    detail: row.detail,
  };
}
