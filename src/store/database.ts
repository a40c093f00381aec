// The only place of node:sqlite. Opens the database file for more than one process (a server and the command
// line), and fits node's DatabaseSync to the better-sqlite3 shape that kysely's SqliteDialect expects.
// Calls are synchronous on the event loop: 5–50 µs a query, a few ms at a WAL checkpoint.
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, SqliteDialect, type SqliteDatabase } from 'kysely';
import { ApplianceError, ResourceError, SetupError } from '../errors.ts';
import { migrate } from './migrations.ts';
import type { Schema } from './schema.ts';

/** Oldest SQLite that two processes may write through one WAL file: 3.51.3 mends the WAL-reset corruption. */
const oldestSqlite = '3.51.3';
/** How long a statement waits for another process's transaction, which takes a few ms. Blocks the event loop. */
const busyTimeoutMs = 5000;

export interface Database {
  readonly db: Kysely<Schema>;
  /** Differs from the last answer when another connection has committed since. Costs some µs. */
  dataVersion(): number;
  close(): Promise<void>;
}

/**
 * Opens the file, makes it (0600, its folder 0700) when there is none, and migrates it.
 * Throws SetupError STORE_UNUSABLE or RUNTIME_TOO_OLD. Later failures come as ResourceError STORE_FAILED.
 */
export function openDatabase(path: string): Database {
  assertSqlite(process.versions['sqlite'] ?? '0');
  let sqlite: DatabaseSync | undefined;
  try {
    makePrivateFile(path);
    sqlite = new DatabaseSync(path, { timeout: busyTimeoutMs });
    prepareFile(sqlite);
  } catch (error) {
    sqlite?.close();
    throw explain(error, path);
  }
  return wrap(sqlite);
}

/** Throws SetupError RUNTIME_TOO_OLD when this SQLite could corrupt a file that two processes write. */
export function assertSqlite(version: string): void {
  if (version.localeCompare(oldestSqlite, 'en', { numeric: true }) >= 0) return;
  throw new SetupError(
    'RUNTIME_TOO_OLD',
    `This Node.js has SQLite ${version}; ${oldestSqlite} or newer is needed.`,
    { hint: 'Start Penstock with scripts/penstock, or with Node.js 24.15 or newer.' },
  );
}

function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // SQLite gives its -wal and -shm files the mode of the main file, so it must be right before SQLite comes.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function prepareFile(sqlite: DatabaseSync): void {
  sqlite.exec('PRAGMA journal_mode = WAL');
  // A commit outlives kill -9 in any mode; NORMAL may lose the last ones at a power cut, but never damages the
  // file. That suits heartbeats and last-used marks. What must stay (a revoked key!) asks for FULL, see store.ts.
  sqlite.exec('PRAGMA synchronous = NORMAL');
  sqlite.exec('PRAGMA foreign_keys = ON');
  migrate({
    run: (sql) => sqlite.exec(sql),
    readVersion: () => Number(sqlite.prepare('PRAGMA user_version').get()?.['user_version']),
  });
}

function wrap(sqlite: DatabaseSync): Database {
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: forKysely(sqlite) }) });
  const version = sqlite.prepare('PRAGMA data_version');
  return {
    db,
    dataVersion: () => guard(() => Number(version.get()?.['data_version'])),
    close: async () => {
      await db.destroy();
      if (sqlite.isOpen) sqlite.close();
    },
  };
}

function forKysely(sqlite: DatabaseSync): SqliteDatabase {
  return {
    close: () => sqlite.close(),
    prepare: (sql) => {
      // A deferred transaction that reads first can fail at its first write; ours are all made to write.
      const statement = guard(() => sqlite.prepare(sql === 'begin' ? 'begin immediate' : sql));
      const values = (parameters: readonly unknown[]) => parameters as readonly SQLInputValue[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => guard(() => statement.all(...values(parameters))),
        run: (parameters) => guard(() => statement.run(...values(parameters))),
        iterate: (parameters) => guard(() => statement.iterate(...values(parameters))),
      };
    },
  };
}

// SQLite's messages name tables and columns, never values: safe to log.
function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    throw new ResourceError('STORE_FAILED', `The database could not be read or written: ${error.message}.`, {
      hint: 'Check that the data folder is writable and has free space.',
      cause: error,
    });
  }
}

function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}

function explain(error: unknown, path: string): unknown {
  if (error instanceof ApplianceError || !(error instanceof Error) || !('code' in error)) return error;
  const damaged = isSqliteError(error) && /not a database|malformed/.test(error.message);
  return new SetupError(
    'STORE_UNUSABLE',
    damaged
      ? `The database ${path} is damaged: ${error.message}.`
      : `The database ${path} cannot be opened: ${error.message}.`,
    {
      hint: damaged
        ? 'Restore it from a backup, or move it away to begin with an empty one.'
        : 'Check that the file and its folder belong to the user that Penstock runs as and are writable.',
      cause: error,
    },
  );
}
