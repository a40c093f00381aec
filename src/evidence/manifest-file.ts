// A manifest and its signature on the disk, beside the recording. Each is written under another name, brought to the
// medium and renamed, the signature first: a manifest that is there is whole and signed.
import { constants } from 'node:fs';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { existingPath, removeFile } from '../archive/recording-file.ts';
import { manifestSuffix, signatureSuffix } from '../archive/recording-name.ts';
import { signatureLength } from './evidence-key.ts';
import { longestManifest } from './manifest.ts';

export interface SignedBytes {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
}

/** Undefined when the manifest is missing or too large; an unreadable signature is empty. `path` below `root`. */
export async function readManifest(root: string, path: string): Promise<SignedBytes | undefined> {
  try {
    return await readManifestOf(await existingPath(root, path));
  } catch {
    return undefined; // the folder is gone, or leads somewhere else
  }
}

/** The same for any file, by its own path. */
export async function readManifestOf(file: string): Promise<SignedBytes | undefined> {
  const manifest = await readSmall(file + manifestSuffix, longestManifest);
  if (manifest === undefined) return undefined;
  return {
    manifest,
    signature: (await readSmall(file + signatureSuffix, signatureLength)) ?? new Uint8Array(0),
  };
}

/** Writes both, in place of what was there. Throws the error of the file system. */
export async function writeManifest(root: string, path: string, signed: SignedBytes): Promise<void> {
  const target = await existingPath(root, path);
  await replace(target + signatureSuffix, signed.signature);
  await replace(target + manifestSuffix, signed.manifest);
}

export async function removeManifest(root: string, path: string): Promise<void> {
  for (const suffix of [manifestSuffix, signatureSuffix]) await removeFile(root, path + suffix);
}

async function readSmall(path: string, most: number): Promise<Uint8Array | undefined> {
  try {
    if ((await stat(path)).size > most) return undefined;
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.tmp`;
  await unlink(draft).catch(() => undefined); // of a process that was killed
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(draft, flags, 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(draft, path);
}
