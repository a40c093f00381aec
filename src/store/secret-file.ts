// A random secret in a file of its own (the pepper of the key hashes), apart from the database: neither a
// stolen database nor a stolen secret file is enough to check a guess (SECURITY 3).
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SetupError } from '../errors.ts';
import type { Random } from '../ops/random.ts';

export interface SecretFileOptions {
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  readonly random: Random;
  /** What to keep, where random bytes alone will not do; `length` bytes. */
  readonly make?: () => Uint8Array;
}

/**
 * Answers the bytes in the file; makes the file (0600) first when there is none. Processes that start at the
 * same time agree on one secret. Throws SetupError SECRET_FILE_UNUSABLE when the file cannot be read or
 * written, is not of that length, or others may read it: it is then never replaced.
 */
export function openSecretFile({ path, length, random, make }: SecretFileOptions): Uint8Array {
  try {
    return (
      readSecret(path, length) ??
      makeSecret(path, make?.() ?? random.bytes(length), random) ??
      mustRead(path, length)
    );
  } catch (error) {
    if (error instanceof SetupError) throw error;
    throw new SetupError(
      'SECRET_FILE_UNUSABLE',
      `The secret file ${path} cannot be used: ${String(error)}.`,
      {
        hint: 'Check that the file and its folder belong to the user that Penstock runs as.',
        cause: error,
      },
    );
  }
}

function readSecret(path: string, length: number): Uint8Array | undefined {
  const file = openUnless('ENOENT', () => openSync(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const mode = fstatSync(file).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new SetupError(
        'SECRET_FILE_UNUSABLE',
        `The secret file ${path} has mode ${mode.toString(8)}: others than its owner may use it.`,
        { hint: `If nobody can have read it, run: chmod 600 ${path}` },
      );
    }
    const secret = readFileSync(file);
    if (secret.length !== length) {
      throw new SetupError(
        'SECRET_FILE_UNUSABLE',
        `The secret file ${path} holds ${secret.length} bytes instead of ${length}.`,
        {
          hint: 'Restore it from the backup that belongs to the database; with another one no key is valid.',
        },
      );
    }
    return secret;
  } finally {
    closeSync(file);
  }
}

// Written whole under a name of its own, then linked: link() fails when the name is taken, so the first of two
// processes wins and no reader ever sees half a secret. Undefined when another process was first.
function makeSecret(path: string, secret: Uint8Array, random: Random): Uint8Array | undefined {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${Buffer.from(random.bytes(8)).toString('hex')}.tmp`;
  try {
    writeFileSync(draft, secret, { flag: 'wx', mode: 0o600, flush: true });
    if (openUnless('EEXIST', () => (linkSync(draft, path), true)) === undefined) return undefined;
    syncFolder(dirname(path));
    return secret;
  } finally {
    unlinkSync(draft);
  }
}

function mustRead(path: string, length: number): Uint8Array {
  const secret = readSecret(path, length);
  if (secret === undefined) throw new Error('it came and went');
  return secret;
}

// The name must survive a power cut before the first digest is made with the secret.
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function openUnless<T>(code: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === code) return undefined;
    throw error;
  }
}
