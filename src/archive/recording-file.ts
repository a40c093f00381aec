// One recording on the disk, and the only place that opens, writes, renames or removes recordings. Files are
// made with O_EXCL and mode 0600 in folders of 0700, and never through a symbolic link (SECURITY 1 and 3).
// Leaves out what the bytes mean.
import { constants, fdatasync, ftruncate, write, type PathLike } from 'node:fs';
import {
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  statfs,
  unlink,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { ResourceError, systemCodeOf } from '../errors.ts';
import type { StreamName } from '../ops/names.ts';
import { partSuffix } from './recording-name.ts';

/** A recording that is being written or repaired; the name on disk ends in `.part` until it is sealed. */
export interface RecordingFile {
  /** Bytes that are safely handed to the operating system; an append counts when all of it is there. */
  readonly length: number;
  /** All of the bytes or none: what a full disk took of them is cut off again. Throws ResourceError. */
  append(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes that were appended before. Throws ResourceError. */
  patch(offset: number, bytes: Uint8Array): Promise<void>;
  /** Cuts off everything behind `length`. Throws ResourceError. */
  truncate(length: number): Promise<void>;
  /** To the medium itself: outlives a power cut. Throws ResourceError, also when the file is not there any more. */
  datasync(): Promise<void>;
  /** Flushes to the medium, closes, takes the final name. Throws ResourceError; the `.part` file then stays. */
  seal(): Promise<void>;
  /** Closes and leaves the `.part` file for a repair. Idempotent, never throws. */
  close(): Promise<void>;
  /** Closes and removes the file. Never throws. */
  discard(): Promise<void>;
}

/** Makes the file `path` + `.part` (relative, forward slashes) below `root`. Throws ResourceError. */
export async function createRecordingFile(root: string, path: string): Promise<RecordingFile> {
  try {
    const folder = await makeFolder(root, dirname(path));
    const target = join(folder, baseName(path));
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return new DiskFile(await open(target + partSuffix, flags, 0o600), target, 0);
  } catch (error) {
    throw asResourceError(error, 'RECORDING_OPEN_FAILED', 'could not be opened');
  }
}

/** Opens an existing `.part` file for repair. Throws ResourceError. */
export async function reopenRecordingFile(
  root: string,
  path: string,
): Promise<{ readonly file: RecordingFile; readonly handle: FileHandle }> {
  try {
    const target = await existingPath(root, path + partSuffix);
    const handle = await open(target, constants.O_RDWR | constants.O_NOFOLLOW);
    const { size } = await handle.stat();
    return { file: new DiskFile(handle, target.slice(0, -partSuffix.length), size), handle };
  } catch (error) {
    throw asResourceError(error, 'RECORDING_OPEN_FAILED', 'could not be opened');
  }
}

/** Opens a file for reading, `.part` or not as `path` says. Throws the error of the file system (ENOENT…). */
export async function openForReading(root: string, path: string): Promise<FileHandle> {
  return open(await existingPath(root, path), constants.O_RDONLY | constants.O_NOFOLLOW);
}

/** Removes a file, if it is there. */
export async function removeFile(root: string, path: string): Promise<void> {
  try {
    const target = await existingPath(root, path);
    await unlink(target);
    await syncFolder(dirname(target));
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') {
      throw asResourceError(error, 'RECORDING_WRITE_FAILED', 'could not be removed');
    }
  }
}

/** Is there such a file? A symbolic link or a folder is none. */
export async function fileExists(root: string, path: string): Promise<boolean> {
  try {
    return (await lstat(await existingPath(root, path))).isFile();
  } catch {
    return false;
  }
}

/** Relative paths of all files below `root` that end so: APP/NAME/FILE. */
export async function listFiles(root: string, suffix: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const app of await namesIn(root, 'folder')) {
    for (const name of await namesIn(join(root, app), 'folder')) {
      for (const file of await namesIn(join(root, app, name), 'file')) {
        if (file.endsWith(suffix)) paths.push(`${app}/${name}/${file}`);
      }
    }
  }
  return paths;
}

/** Names of the recordings in the folder of a stream, finished or not, without `.part`. */
export async function listStreamFiles(root: string, stream: StreamName): Promise<readonly string[]> {
  const names = await namesIn(join(root, stream), 'file');
  return names.map((name) => (name.endsWith(partSuffix) ? name.slice(0, -partSuffix.length) : name));
}

/** Bytes that are free for us on the volume. Infinity when it cannot be told. */
export async function freeSpace(root: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(root);
    return bavail * bsize;
  } catch (error) {
    // The folder is made when it is needed; until then its parent says what there will be.
    const parent = dirname(root);
    return systemCodeOf(error) === 'ENOENT' && parent !== root ? freeSpace(parent) : Infinity;
  }
}

class DiskFile implements RecordingFile {
  readonly #handle: FileHandle;
  /** Final absolute path, without `.part`. */
  readonly #path: string;
  #length: number;
  #nameSafe = false;
  #closed = false;

  constructor(handle: FileHandle, path: string, length: number) {
    this.#handle = handle;
    this.#path = path;
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#handle.fd, bytes, this.#length);
    } catch (error) {
      await cut(this.#handle.fd, this.#length).catch(() => undefined);
      throw asResourceError(error, 'RECORDING_WRITE_FAILED', 'could not be written');
    }
    this.#length += bytes.length;
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#try(() => writeAll(this.#handle.fd, bytes, offset));
  }

  async truncate(length: number): Promise<void> {
    await this.#try(() => cut(this.#handle.fd, length));
    this.#length = Math.min(this.#length, length);
  }

  async datasync(): Promise<void> {
    await this.#try(async () => {
      await datasync(this.#handle.fd);
      await this.#assertThere();
      if (this.#nameSafe) return;
      // POSIX: a file's own sync says nothing of its name, without which nobody finds it after a power cut.
      await syncFolder(dirname(this.#path));
      this.#nameSafe = true;
    });
  }

  async seal(): Promise<void> {
    await this.#try(async () => {
      await datasync(this.#handle.fd);
      await this.close();
      await this.#refuseOverwriting();
      await rename(this.#path + partSuffix, this.#path);
      await syncFolder(dirname(this.#path));
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close().catch(() => undefined);
  }

  async discard(): Promise<void> {
    await this.close();
    await unlink(this.#path + partSuffix).catch(() => undefined);
  }

  // What is written to a file that somebody removed, or moved with its folder, goes nowhere without an error.
  async #assertThere(): Promise<void> {
    const path = this.#path + partSuffix;
    const [open, there] = await Promise.all([this.#handle.stat(), lstat(path).catch(() => undefined)]);
    if (there?.ino === open.ino && there.dev === open.dev) return;
    throw new ResourceError('RECORDING_WRITE_FAILED', `${path} is gone`, {
      hint: 'Somebody removed or moved the file while it was being written; the stream goes on in a new one.',
    });
  }

  // rename() replaces silently. Names hold 80 random bits, so this can only be somebody's own doing.
  async #refuseOverwriting(): Promise<void> {
    const there = await lstat(this.#path).catch(() => undefined);
    if (there === undefined) return;
    throw new ResourceError('RECORDING_WRITE_FAILED', `${this.#path} exists already`, {
      hint: 'Move the file away; the recording stays beside it as .part and is finished at the next start.',
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw asResourceError(error, 'RECORDING_WRITE_FAILED', 'could not be written');
    }
  }
}

// Callbacks on the descriptor: FileHandle.write costs several µs more, for every slab of every stream.
function writeAll(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (offset: number): void => {
      write(fd, bytes, offset, bytes.length - offset, position + offset, (error, written) => {
        if (error !== null) reject(error);
        else if (offset + written >= bytes.length) resolve();
        else next(offset + written);
      });
    };
    next(0);
  });
}

function cut(fd: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    ftruncate(fd, length, (error) => (error === null ? resolve() : reject(error)));
  });
}

function datasync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** Sorted; symbolic links are neither folders nor files. */
async function namesIn(folder: string, kind: 'folder' | 'file'): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const wanted = entries.filter((entry) => (kind === 'folder' ? entry.isDirectory() : entry.isFile()));
    return wanted.map((entry) => entry.name).sort();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw asResourceError(error, 'RECORDING_OPEN_FAILED', 'could not be looked for');
  }
}

/** Makes `root` and the folders of a relative path below it; answers the real path of the last one. */
async function makeFolder(root: string, relative: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const realRoot = await realpath(root);
  let folder = realRoot;
  for (const name of relative.split('/')) {
    const parent = folder;
    folder = join(folder, name);
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolder(parent);
  }
  await refuseLink(folder);
  return folder;
}

/** Absolute path of what is there; its folder must really be where it seems to be. */
export async function existingPath(root: string, path: string): Promise<string> {
  const realRoot = await realpath(root);
  const target = join(realRoot, path);
  if (!target.startsWith(join(realRoot, sep))) throw new RangeError('a recording lies in its folder');
  await refuseLink(dirname(target));
  return target;
}

async function refuseLink(folder: string): Promise<void> {
  const real = await realpath(folder);
  if (real === folder) return;
  throw new ResourceError('RECORDING_OPEN_FAILED', `${folder} leads through a symbolic link to ${real}`, {
    hint: 'Only the recordings folder itself may be a symbolic link; replace the link by a folder or a mount.',
  });
}

async function syncFolder(path: PathLike): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function baseName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === '' || name.includes(sep)) throw new RangeError('a recording needs a file name');
  return name;
}

function asResourceError(
  error: unknown,
  code: 'RECORDING_OPEN_FAILED' | 'RECORDING_WRITE_FAILED',
  what: string,
): ResourceError {
  if (error instanceof ResourceError) return error;
  const reason = systemCodeOf(error);
  if (reason === 'ENOSPC' || reason === 'EDQUOT') {
    return new ResourceError('DISK_FULL', 'the recording volume has no space left', {
      hint: 'Free space on the recording volume or set recorder.retention; the next recording starts by itself.',
      cause: error,
    });
  }
  return new ResourceError(code, `the recording ${what}: ${reason ?? String(error)}`, {
    hint: 'Check that recorder.directory is mounted, healthy and writable for the user that Penstock runs as.',
    cause: error,
  });
}
