// One server per data folder. A second one would take the recordings of the first for leftovers of a crash and
// repair them while they are written. Node has no file locks, but SQLite has: a transaction held open on a small
// file of its own. The system lets go of it when the process ends, however it ends.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SetupError } from '../errors.ts';

const lockName = 'server.lock';

export interface ServerLock {
  /** Idempotent. */
  release(): void;
}

/** Takes the folder for this process. @throws SetupError DATA_FOLDER_IN_USE, DATA_FOLDER_UNUSABLE */
export function lockForServing(folder: string): ServerLock {
  const path = join(folder, lockName);
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    throw explain(error, folder);
  }
  const held = lock;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}

/** Whether a server runs on the folder. Makes nothing; what cannot be read is no running server. */
export function isServed(folder: string): boolean {
  const path = join(folder, lockName);
  if (!existsSync(path)) return false;
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path, { timeout: 0, readOnly: true });
    file.prepare('SELECT count(*) FROM sqlite_master').get();
    return false;
  } catch (error) {
    return /locked|busy/i.test(String(error));
  } finally {
    file?.close();
  }
}

function explain(error: unknown, folder: string): SetupError {
  const reason = error instanceof Error ? error.message : String(error);
  if (/locked|busy/i.test(reason)) {
    return new SetupError('DATA_FOLDER_IN_USE', `another server is running on ${folder}`, {
      hint: 'stop that one first, or give this one another folder with --data-dir',
      cause: error,
    });
  }
  return new SetupError('DATA_FOLDER_UNUSABLE', `the data folder ${folder} cannot be locked: ${reason}`, {
    hint: 'choose another folder with --data-dir or dataDir, or give this user the right to write there',
    cause: error,
  });
}
