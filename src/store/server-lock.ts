// One server per data folder. A second one would take the recordings of the first for leftovers of a crash and
// repair them while they are written.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../errors.ts';
import { type FileLock, tryLock } from './file-lock.ts';

export type ServerLock = FileLock;

/** Takes the folder for this process. @throws SetupError DATA_FOLDER_IN_USE, DATA_FOLDER_UNUSABLE */
export function lockForServing(folder: string): ServerLock {
  const lock = tryLockIn(folder);
  if (lock !== undefined) return lock;
  throw new SetupError('DATA_FOLDER_IN_USE', `another server is running on ${folder}`, {
    hint: 'stop that one first, or give this one another folder with --data-dir',
  });
}

/** Whether a server runs on the folder at this moment. @throws SetupError DATA_FOLDER_UNUSABLE */
export function serverRuns(folder: string): boolean {
  if (!existsSync(join(folder, 'server.lock'))) return false;
  const lock = tryLockIn(folder);
  lock?.release();
  return lock === undefined;
}

function tryLockIn(folder: string): FileLock | undefined {
  try {
    return tryLock(join(folder, 'server.lock'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SetupError('DATA_FOLDER_UNUSABLE', `the data folder ${folder} cannot be locked: ${reason}`, {
      hint: 'choose another folder with --data-dir or dataDir, or give this user the right to write there',
      cause: error,
    });
  }
}
