// The development authority on disk (layout: certs/README.md). The folder appears whole or not at all, and a
// file is replaced in one step (temporary file, fsync, rename), so neither a crash nor a second process that
// starts at the same moment can leave half of anything. Judges nothing: what is read may be damaged.
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Secret } from '../bytes/secret.ts';
import { SetupError } from '../errors.ts';
import type { Random } from '../ops/random.ts';
import type { DevelopmentAuthority } from './development-authority.ts';

export interface DevelopmentFiles {
  readonly authority: DevelopmentAuthority;
  readonly leafKeyPem: Secret;
  /** Empty when there is none. */
  readonly leafPem: string;
}

const leftoverPrefix = '.new-';
/** A temporary file this old (milliseconds) belongs to a process that died. */
const leftoverAge = 3_600_000;

export class CertificateStore {
  readonly authorityFile: string;
  readonly leafFile: string;
  readonly #root: string;
  readonly #development: string;
  readonly #random: Random;

  /** `root` is the certificates folder; it is made when absent. */
  constructor(root: string, random: Random) {
    this.#root = root;
    this.#random = random;
    this.#development = join(root, 'development');
    this.authorityFile = join(this.#development, 'ca.pem');
    this.leafFile = join(this.#development, 'leaf.pem');
  }

  /**
   * What the folder holds: 'absent' when there is nothing at all, 'incomplete' when the authority or the leaf's
   * key is missing or is no file. `now` (milliseconds since the epoch) tells leftovers from work in progress.
   */
  readDevelopment(now: number): Promise<DevelopmentFiles | 'absent' | 'incomplete'> {
    return this.#guarded(async () => {
      await mkdir(this.#root, { recursive: true, mode: 0o700 });
      await this.#sweep(now);
      const entries = await readdir(this.#development).catch(unlessMissing(undefined));
      if (entries === undefined) {
        const exists = await stat(this.#development).then(() => true, unlessMissing(false));
        return exists ? 'incomplete' : 'absent';
      }
      if (entries.length === 0) return 'absent';
      const [certificatePem, authorityKey, leafPem, leafKey] = await Promise.all([
        readText(this.authorityFile),
        readText(join(this.#development, 'ca.key')),
        readText(this.leafFile),
        readText(join(this.#development, 'leaf.key')),
      ]);
      if (certificatePem === undefined || authorityKey === undefined || leafKey === undefined)
        return 'incomplete';
      // A copy or a restore may have opened them to others.
      await this.#tighten();
      return {
        authority: { certificatePem, keyPem: new Secret(authorityKey) },
        leafKeyPem: new Secret(leafKey),
        leafPem: leafPem ?? '',
      };
    });
  }

  /** False when another process was first; its files stand, and are to be read. */
  createDevelopment(files: DevelopmentFiles): Promise<boolean> {
    return this.#guarded(async () => {
      const folder = this.#temporaryPath();
      await mkdir(folder, { mode: 0o700 });
      try {
        await writeSynced(join(folder, 'ca.pem'), files.authority.certificatePem, 0o644);
        await writeSynced(join(folder, 'ca.key'), files.authority.keyPem.reveal(), 0o600);
        await writeSynced(join(folder, 'leaf.pem'), files.leafPem, 0o644);
        await writeSynced(join(folder, 'leaf.key'), files.leafKeyPem.reveal(), 0o600);
        await syncFolder(folder);
        await rename(folder, this.#development);
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error))) return false;
        throw error;
      }
      await syncFolder(this.#root);
      return true;
    });
  }

  saveLeaf(pem: string): Promise<void> {
    return this.#guarded(() => this.#replace(this.leafFile, pem, 0o644));
  }

  saveLeafKey(pem: Secret): Promise<void> {
    return this.#guarded(() => this.#replace(join(this.#development, 'leaf.key'), pem.reveal(), 0o600));
  }

  /** Renames the folder; returns its new path, or undefined when another process was first. */
  setDevelopmentAside(now: number): Promise<string | undefined> {
    return this.#guarded(async () => {
      const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(':', '-');
      const aside = `${this.#development}.damaged-${stamp}Z-${this.#suffix()}`;
      const moved = await rename(this.#development, aside).then(() => true, unlessMissing(false));
      await syncFolder(this.#root);
      return moved ? aside : undefined;
    });
  }

  async #replace(path: string, text: string, mode: number): Promise<void> {
    const temporary = this.#temporaryPath();
    try {
      await writeSynced(temporary, text, mode);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(dirname(path));
  }

  async #tighten(): Promise<void> {
    const wanted = [
      [this.#development, 0o700],
      [join(this.#development, 'ca.key'), 0o600],
      [join(this.#development, 'leaf.key'), 0o600],
    ] as const;
    for (const [path, mode] of wanted) {
      if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, mode);
    }
  }

  async #sweep(now: number): Promise<void> {
    for (const name of await readdir(this.#root)) {
      if (!name.startsWith(leftoverPrefix)) continue;
      const path = join(this.#root, name);
      const changed = await stat(path).then(({ mtimeMs }) => mtimeMs, unlessMissing(now));
      if (now - changed > leftoverAge) await rm(path, { recursive: true, force: true });
    }
  }

  #temporaryPath(): string {
    return join(this.#root, `${leftoverPrefix}${this.#suffix()}`);
  }

  #suffix(): string {
    return Buffer.from(this.#random.bytes(6)).toString('hex');
  }

  /** What the file system refuses is the operator's to mend. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new SetupError(
        'DATA_FOLDER_UNUSABLE',
        `the certificates folder ${this.#root} cannot be used (${codeOf(error)})`,
        {
          hint: 'certsDir must name a folder that this user may read and write, on a volume that is not full',
          cause: error,
        },
      );
    }
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    return unlessMissing(undefined)(error);
  }
}

/** Turns "there is no such file (or folder)" into a value; any other error stays one. */
function unlessMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error))) return value;
    throw error;
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
