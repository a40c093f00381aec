// A lock that processes agree on by a file. Node has no file locks, but SQLite has: a transaction held open on a
// small file of its own. The system lets go of it when the process ends, however it ends.
import { DatabaseSync } from 'node:sqlite';

export interface FileLock {
  /** Idempotent. */
  release(): void;
}

/** Undefined when somebody else holds it. Throws what SQLite says when the file cannot be used at all. */
export function tryLock(path: string): FileLock | undefined {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw error;
  }
  const held = lock;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}
