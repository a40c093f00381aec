// Finishes a recording that nobody finished: cuts the torn or zero-filled tail, writes the head that was never
// written, takes the final name. It may be killed at any point and begin again: until the rename nothing is done
// that a second run would not do once more.
import { constants } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { ResourceError, SetupError, systemCodeOf } from '../errors.ts';
import { finalHead, headLength, type ClientMetadata } from '../flv/file-head.ts';
import { FileSummary } from '../flv/file-summary.ts';
import { anyMetadataOf, SalvageReader, type Hole } from '../flv/salvage-reader.ts';
import { fileHeaderLength, previousTagSizeLength, tagSize, writeTag } from '../flv/tag-writer.ts';
import { TagType } from '../flv/tag.ts';
import type { RecordingGap } from './open-recording.ts';
import { readPieces, scanRecording } from './recording-scan.ts';
import type { RecordingVault } from './recording-vault.ts';

/** A file header says where the tags begin; a larger number is damage. */
const longestHeader = 1024;

export interface RepairedRecording {
  readonly durationMs: number;
  readonly bytes: number;
  /** Bytes of the torn or zero-filled tail that were cut off. */
  readonly cutBytes: number;
  /** As marked in the file. */
  readonly gaps: readonly RecordingGap[];
}

/** Repairs `path` + `.part`. Undefined: it held no whole tag and was removed. Throws ResourceError, and what `signal` says. */
export async function repairRecording(
  vault: RecordingVault,
  path: string,
  signal?: AbortSignal,
): Promise<RepairedRecording | undefined> {
  const { file, stored } = await vault.reopen(path);
  try {
    const { summary, wholeBytes, client, gaps } = await scanRecording(stored, signal);
    if (summary.tags === 0) {
      await file.discard();
      return undefined;
    }
    const cutBytes = file.length - wholeBytes;
    if (cutBytes > 0) await file.truncate(wholeBytes);
    await file.patch(0, finalHead(client, summary, wholeBytes));
    await file.seal();
    return { durationMs: summary.durationMs, bytes: wholeBytes, cutBytes, gaps };
  } finally {
    await file.close();
  }
}

/** Measures a file that has its final name already: the process was killed before it could note the fact. */
export async function measureRecording(
  vault: RecordingVault,
  path: string,
  signal?: AbortSignal,
): Promise<RepairedRecording> {
  const handle = await vault.open(path);
  try {
    const { summary, wholeBytes, gaps } = await scanRecording(handle, signal);
    return { durationMs: summary.durationMs, bytes: wholeBytes, cutBytes: 0, gaps };
  } finally {
    await handle.close();
  }
}

export interface SalvagedFile {
  readonly bytes: number;
  readonly durationMs: number;
  readonly tags: number;
  /** What of the original is in no whole tag. */
  readonly holes: readonly Hole[];
}

/**
 * Writes what is whole in any FLV file to a new one, with metadata and an index; the original is only read. Throws
 * SetupError NOT_FOUND or ARGUMENT_INVALID (no FLV, or the output exists), ResourceError.
 */
export async function salvageFile(input: string, output: string): Promise<SalvagedFile> {
  const source = await open(input, constants.O_RDONLY).catch((error: unknown) => {
    throw new SetupError('NOT_FOUND', `${input} cannot be read: ${reasonOf(error)}`, { cause: error });
  });
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const target = await open(output, flags, 0o600).catch((error: unknown) => {
      throw new SetupError('ARGUMENT_INVALID', `${output} cannot be made: ${reasonOf(error)}`, {
        hint: 'Name another file with -o, or remove this one first.',
        cause: error,
      });
    });
    try {
      return await salvage(source, target, input);
    } catch (error) {
      await unlink(output).catch(() => undefined); // half a repair must not pass for a recording
      throw error;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function salvage(source: FileHandle, target: FileHandle, name: string): Promise<SalvagedFile> {
  const summary = new FileSummary();
  let client: ClientMetadata | undefined;
  let position = headLength;
  let ready: Uint8Array[] = [];
  const begin = await beginOfTags(source);
  const reader = new SalvageReader(({ type, role, timestamp, body }, at) => {
    if (type === TagType.ScriptData) {
      const metadata = anyMetadataOf(body);
      if (metadata !== undefined) client ??= metadata;
      // What says something of the file is said anew, and the filling of a head of ours is no part of the stream.
      if (metadata !== undefined || at + tagSize(body.length) === headLength) return;
    }
    const bytes = new Uint8Array(tagSize(body.length));
    writeTag(bytes, 0, type, timestamp, body);
    summary.add(type, role, timestamp, position, body);
    position += bytes.length;
    ready.push(bytes);
  }, begin);
  const flush = async () => {
    const bytes = Buffer.concat(ready);
    ready = [];
    await writeAt(target, bytes, position - bytes.length);
  };
  for await (const piece of readPieces(source, begin, Infinity)) {
    reader.push(piece);
    await flush();
  }
  reader.end();
  await flush();
  if (summary.tags === 0) {
    throw new SetupError('ARGUMENT_INVALID', `${name} is no FLV file: nothing in it is a whole tag`, {
      hint: 'Penstock repairs FLV; an mp4 or mkv file needs another tool.',
    });
  }
  await writeAt(target, finalHead(client, summary, position), 0);
  await target.datasync();
  return { bytes: position, durationMs: summary.durationMs, tags: summary.tags, holes: reader.holes };
}

/** Behind the file header and PreviousTagSize0 (FLV E.2, E.3); 0 when there is no header. */
async function beginOfTags(source: FileHandle): Promise<number> {
  const header = Buffer.alloc(fileHeaderLength);
  const { bytesRead } = await source.read(header, 0, header.length, 0);
  if (bytesRead < header.length || header.toString('latin1', 0, 3) !== 'FLV') return 0;
  const offset = header.readUInt32BE(5);
  return (offset <= longestHeader ? Math.max(offset, 9) : 9) + previousTagSizeLength;
}

async function writeAt(target: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  try {
    while (written < bytes.length) {
      written += (await target.write(bytes, written, bytes.length - written, position + written))
        .bytesWritten;
    }
  } catch (error) {
    throw new ResourceError(
      'RECORDING_WRITE_FAILED',
      `the repaired file cannot be written: ${reasonOf(error)}`,
      {
        hint: 'Name a file on another volume with -o.',
        cause: error,
      },
    );
  }
}

function reasonOf(error: unknown): string {
  return systemCodeOf(error) ?? String(error);
}
