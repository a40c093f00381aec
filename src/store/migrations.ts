// How the database file comes to its present shape: numbered steps, forward only, each written once and never
// edited after a release. `user_version` in the file's header counts the steps done.
import { SetupError } from '../errors.ts';

/** The three calls of a database connection that migrating needs. */
export interface MigratableDatabase {
  run(sql: string): void;
  readVersion(): number;
}

/**
 * Brings the file up to date. Two processes may start at once: the write lock is taken before the version is
 * read again, so each step happens once, and all of them or none.
 * Throws SetupError STORE_UNUSABLE when the file was written by a newer version of this program.
 */
export function migrate(database: MigratableDatabase, steps: readonly string[] = migrations): void {
  if (isCurrent(database.readVersion(), steps.length)) return;
  database.run('BEGIN IMMEDIATE');
  try {
    const version = database.readVersion();
    if (!isCurrent(version, steps.length)) {
      for (const step of steps.slice(version)) database.run(step);
      database.run(`PRAGMA user_version = ${steps.length}`);
    }
    database.run('COMMIT');
  } catch (error) {
    database.run('ROLLBACK');
    throw error;
  }
}

function isCurrent(version: number, newest: number): boolean {
  if (version > newest) {
    throw new SetupError(
      'STORE_UNUSABLE',
      `The database is at version ${version}, this program knows versions up to ${newest}.`,
      {
        hint: 'Run the newer version of Penstock that wrote it, or restore the backup made before the upgrade.',
      },
    );
  }
  return version === newest;
}

const migrations: readonly string[] = [
  `
  CREATE TABLE stream_keys (
    id                TEXT PRIMARY KEY,
    stream            TEXT NOT NULL,
    role              TEXT NOT NULL,
    digest            TEXT NOT NULL,
    pepper_version    INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    not_before        INTEGER,
    expires_at        INTEGER,
    allow             TEXT NOT NULL DEFAULT '[]',
    require           TEXT NOT NULL DEFAULT 'any',
    max_bitrate       INTEGER,
    max_session_ms    INTEGER,
    note              TEXT,
    state             TEXT NOT NULL DEFAULT 'active',
    last_used_at      INTEGER,
    last_used_from    TEXT,
    last_used_encoder TEXT,
    last_used_door    TEXT
  ) STRICT;

  CREATE TABLE api_tokens (
    id             TEXT PRIMARY KEY,
    digest         TEXT NOT NULL,
    pepper_version INTEGER NOT NULL,
    scopes         TEXT NOT NULL,
    note           TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER
  ) STRICT;

  -- key_id is no foreign key: a recording found on disk outlives what the database knew about its key.
  CREATE TABLE recordings (
    id          TEXT PRIMARY KEY,
    stream      TEXT NOT NULL,
    key_id      TEXT,
    state       TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    duration_ms INTEGER,
    bytes       INTEGER,
    sha256      TEXT,
    path        TEXT NOT NULL UNIQUE
  ) STRICT;
  CREATE INDEX recordings_by_start ON recordings (started_at, id);
  CREATE INDEX recordings_by_stream ON recordings (stream, started_at);

  CREATE TABLE live_sessions (
    session_id  TEXT PRIMARY KEY,
    server_id   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    door        TEXT NOT NULL,
    remote      TEXT NOT NULL,
    encoder     TEXT NOT NULL,
    since       INTEGER NOT NULL,
    video_codec TEXT,
    audio_codec TEXT,
    bitrate     INTEGER,
    updated_at  INTEGER NOT NULL
  ) STRICT;

  -- AUTOINCREMENT: a number is never given twice, even after old rows were pruned.
  CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    topic   TEXT NOT NULL,
    subject TEXT NOT NULL,
    at      INTEGER NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE stream_keys ADD COLUMN codecs TEXT NOT NULL DEFAULT '[]';
  -- Which secret of the key is the present one, counted from 1, and the one before it with the end of its grace.
  ALTER TABLE stream_keys ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE stream_keys ADD COLUMN previous_digest TEXT;
  ALTER TABLE stream_keys ADD COLUMN previous_pepper_version INTEGER;
  ALTER TABLE stream_keys ADD COLUMN previous_until INTEGER;
  ALTER TABLE stream_keys ADD COLUMN previous_used_at INTEGER;
  ALTER TABLE stream_keys ADD COLUMN previous_used_from TEXT;
  ALTER TABLE stream_keys ADD COLUMN previous_used_encoder TEXT;
  ALTER TABLE stream_keys ADD COLUMN previous_used_door TEXT;

  CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    action TEXT NOT NULL,
    source TEXT NOT NULL,
    key_id TEXT,
    stream TEXT,
    door   TEXT,
    detail TEXT
  ) STRICT;
  CREATE INDEX audit_by_time ON audit (at);
  -- Append-only: nothing is edited, and only what a million newer lines have pushed out may be pruned.
  CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    WHEN old.seq > (SELECT max(seq) FROM audit) - 1000000
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  `,
  `
  -- Certificates of encoders (client-certificates/). What is not in here opens nothing, whoever signed it.
  CREATE TABLE client_certificates (
    serial     TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;
  `,
  `
  -- Segments of one event, where media is missing, and where it came from (JSON).
  ALTER TABLE recordings ADD COLUMN event TEXT NOT NULL DEFAULT '';
  UPDATE recordings SET event = id;
  ALTER TABLE recordings ADD COLUMN segment INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE recordings ADD COLUMN gaps TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE recordings ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE recordings ADD COLUMN origin TEXT;
  ALTER TABLE recordings ADD COLUMN codecs TEXT NOT NULL DEFAULT '[]';
  CREATE INDEX recordings_by_event ON recordings (event, segment);

  -- What is gone by somebody's will: its number is never given again, and a chain of segments knows why it begins late.
  CREATE TABLE removed_recordings (
    id         TEXT PRIMARY KEY,
    event      TEXT NOT NULL,
    segment    INTEGER NOT NULL,
    sha256     TEXT,
    removed_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX removed_by_event ON removed_recordings (event, segment);
  `,
  `
  -- What a password is checked against (keys/sign-in-verifier.ts), sealed; secrets made before have none.
  ALTER TABLE stream_keys ADD COLUMN verifiers TEXT;
  ALTER TABLE stream_keys ADD COLUMN previous_verifiers TEXT;
  `,
  `
  -- One row for each server that runs, however many streams it has: a row for each stream, written every two seconds,
  -- took more of a busy server than its disk.
  DROP TABLE live_sessions;
  CREATE TABLE live_servers (
    server_id  TEXT PRIMARY KEY,
    sessions   TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT;
  `,
];
