// Recordings at rest and in the making: a file and a row in the catalogue each, kept in step. The recorder opens
// and seals them, the download room and the command line read them, and what a killed server left is recovered.
// Leaves out what is recorded when.
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { ApplianceError, ResourceError, SetupError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { parseStreamName, type KeyId, type RecordingId, type StreamName } from '../ops/names.ts';
import type { Random } from '../ops/random.ts';
import type { Schema } from '../store/schema.ts';
import { CatalogueStore, type RecordingEntry, type RecordingFilter } from './catalogue-store.ts';
import {
  createRecordingFile,
  fileExists,
  freeSpace,
  listPartFiles,
  openForReading,
  removeFile,
} from './recording-file.ts';
import { makeRecordingId, parseRecordingFileName, partSuffix, recordingPath } from './recording-name.ts';
import { OpenRecording, type RecordingRequest } from './open-recording.ts';
import { measureRecording, repairRecording, type RepairedRecording } from './recording-repair.ts';
import { measureLive, readPieces } from './recording-scan.ts';

export interface ArchiveOptions {
  /** The recordings folder; made when the first recording needs it. */
  readonly folder: string;
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Bytes that must be free on the volume for a recording to begin; 0 = whatever there is. */
  readonly minFreeSpace: number;
}

/** A recording opened for reading; close it. */
export interface ReadableRecording {
  readonly entry: RecordingEntry;
  readonly handle: FileHandle;
  /** Bytes that may be read: all of a finished file, whole tags of one in the making. */
  readonly size: number;
  close(): Promise<void>;
}

export class Archive {
  readonly folder: string;
  readonly #catalogue: CatalogueStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #minFreeSpace: number;
  /** What this process is writing. */
  readonly #open = new Map<RecordingId, OpenRecording>();

  constructor({ folder, db, clock, random, log, minFreeSpace }: ArchiveOptions) {
    this.folder = folder;
    this.#catalogue = new CatalogueStore(db);
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#minFreeSpace = minFreeSpace;
  }

  /**
   * Opens a recording: the file is there when this resolves. `startedAt` in ms since the Unix epoch.
   * Throws ResourceError DISK_FULL, RECORDING_OPEN_FAILED or STORE_FAILED.
   */
  async create({ stream, keyId, startedAt }: RecordingRequest): Promise<OpenRecording> {
    const id = makeRecordingId((length) => this.#random.bytes(length));
    const path = recordingPath(stream, startedAt, id);
    const file = await createRecordingFile(this.folder, path);
    try {
      await this.#assertSpace();
      await this.#catalogue.add({
        id,
        stream,
        keyId,
        state: 'recording',
        startedAt,
        endedAt: undefined,
        durationMs: undefined,
        bytes: undefined,
        sha256: undefined,
        path,
      });
    } catch (error) {
      await file.discard();
      throw error;
    }
    const recording = new OpenRecording({
      id,
      stream,
      keyId,
      startedAt,
      file,
      sealed: async ({ durationMs }, bytes) => {
        await this.#catalogue.finish(id, {
          state: 'complete',
          endedAt: this.#clock.now(),
          durationMs,
          bytes,
        });
      },
      discarded: async () => void (await this.#catalogue.remove(id)),
      broken: () => this.#recover({ id, stream, keyId, startedAt, path }, this.#clock.now()),
      closed: () => void this.#open.delete(id),
    });
    this.#open.set(id, recording);
    return recording;
  }

  /** Oldest first; recordings in the making with what is safely written so far. */
  async list(filter: RecordingFilter = {}): Promise<readonly RecordingEntry[]> {
    const entries = await this.#catalogue.list(filter);
    const live: RecordingEntry[] = [];
    for (const entry of entries) live.push(await this.#withProgress(entry));
    return live;
  }

  async find(id: RecordingId): Promise<RecordingEntry | undefined> {
    const entry = await this.#catalogue.find(id);
    return entry === undefined ? undefined : this.#withProgress(entry);
  }

  /** Undefined when there is no such recording. Throws SetupError NOT_FOUND when its file is gone. */
  async openForRead(id: RecordingId): Promise<ReadableRecording | undefined> {
    const entry = await this.find(id);
    if (entry === undefined) return undefined;
    const handle = await this.#openFile(entry);
    // A file in the making may have been sealed since; its size is then larger than what was asked for: no harm.
    const size = entry.state === 'recording' ? (entry.bytes ?? 0) : (await handle.stat()).size;
    return { entry, handle, size, close: () => handle.close() };
  }

  /** Bytes `start` to `end` (not included); nothing when there is no such recording. */
  async *read(
    id: RecordingId,
    range: { readonly start: number; readonly end: number } = { start: 0, end: Infinity },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const readable = await this.openForRead(id);
    if (readable === undefined) return;
    try {
      yield* readPieces(readable.handle, range.start, Math.min(range.end, readable.size));
    } finally {
      await readable.close();
    }
  }

  /** False when there is no such recording. Throws SetupError ARGUMENT_INVALID for one in the making. */
  async remove(id: RecordingId): Promise<boolean> {
    const entry = await this.#catalogue.find(id);
    if (entry === undefined) return false;
    if (entry.state === 'recording') {
      throw new SetupError('ARGUMENT_INVALID', `${id} is still being recorded`, {
        hint: `End the stream first: penstock stream kick ${entry.stream}`,
      });
    }
    // The file first: a row without a file says what is missing, a file without a row is forgotten.
    await removeFile(this.folder, entry.path);
    return this.#catalogue.remove(id);
  }

  /** Absolute path of the file as it is called now. */
  pathOf(entry: RecordingEntry): string {
    return join(this.folder, entry.path) + (entry.state === 'recording' ? partSuffix : '');
  }

  /**
   * Finishes what a server that is gone left unfinished; call it before the doors open, and only in the process
   * that serves. One file after the other; one that resists is logged and left for the next start.
   */
  async recover(): Promise<void> {
    for (const entry of await this.#catalogue.list({ state: 'recording' })) {
      if (!this.#open.has(entry.id)) await this.#recover(entry);
    }
    for (const path of await listPartFiles(this.folder)) {
      const stray = await this.#identify(path);
      if (stray !== undefined && !this.#open.has(stray.id)) await this.#recover(stray);
    }
  }

  /** Never throws: a file that cannot be repaired must not keep the appliance from starting. */
  async #recover(lost: LostRecording, endedAt?: number): Promise<void> {
    const { id, stream, path } = lost;
    try {
      let repaired: RepairedRecording | undefined;
      let reason = 'empty';
      if (await fileExists(this.folder, path + partSuffix)) {
        repaired = await repairRecording(this.folder, path);
      } else if (await fileExists(this.folder, path)) {
        repaired = await measureRecording(this.folder, path);
      } else reason = 'file missing';
      if (repaired !== undefined) {
        await this.#noteRecovered(lost, repaired, endedAt);
        return;
      }
      await this.#catalogue.remove(id);
      this.#log.warn('recording.removed', { recording: id, stream, reason });
    } catch (error) {
      const known = error instanceof ApplianceError;
      this.#log.error('recovery.failed', {
        recording: id,
        stream,
        code: known ? error.code : undefined,
        reason: error instanceof Error ? error.message : String(error),
        hint: known ? error.hint : undefined,
        bug: known ? undefined : true,
      });
    }
  }

  async #noteRecovered(
    lost: LostRecording,
    repaired: RepairedRecording,
    endedAt: number | undefined,
  ): Promise<void> {
    const { id, stream, keyId, startedAt, path } = lost;
    const { durationMs, bytes, cutBytes } = repaired;
    const end = endedAt ?? startedAt + durationMs;
    const outcome = { state: 'recovered', endedAt: end, durationMs, bytes } as const;
    if ((await this.#catalogue.find(id)) === undefined) {
      await this.#catalogue.add({ id, stream, keyId, startedAt, ...outcome, sha256: undefined, path });
    } else await this.#catalogue.finish(id, outcome);
    this.#log.info('recording.recovered', { recording: id, stream, durationMs, bytes, cutBytes });
  }

  /** Whose a `.part` file is, by its path; undefined for a file that is not named like ours. */
  async #identify(path: string): Promise<LostRecording | undefined> {
    const slash = path.lastIndexOf('/');
    const stream = parseStreamName(path.slice(0, slash));
    const name = parseRecordingFileName(path.slice(slash + 1));
    if (stream === undefined || name === undefined) return undefined;
    const entry = await this.#catalogue.find(name.id);
    return entry ?? { id: name.id, stream, keyId: undefined, startedAt: name.startedAt, path };
  }

  async #withProgress(entry: RecordingEntry): Promise<RecordingEntry> {
    if (entry.state !== 'recording') return entry;
    const open = this.#open.get(entry.id);
    if (open !== undefined) return { ...entry, bytes: open.bytes, durationMs: open.durationMs };
    try {
      const handle = await this.#openFile(entry);
      try {
        return { ...entry, ...(await measureLive(handle)) };
      } finally {
        await handle.close();
      }
    } catch {
      return entry; // gone between two looks
    }
  }

  async #openFile(entry: RecordingEntry): Promise<FileHandle> {
    // Sealing renames the file before the row says so: look under the other name too.
    const names = [entry.path, entry.path + partSuffix];
    if (entry.state === 'recording') names.reverse();
    for (const name of names) {
      const handle = await openForReading(this.folder, name).catch(() => undefined);
      if (handle !== undefined) return handle;
    }
    throw new SetupError('NOT_FOUND', `the file of recording ${entry.id} cannot be read`, {
      hint: `It should be ${this.pathOf(entry)}; restore it, or forget it with: penstock recording delete ${entry.id}`,
    });
  }

  async #assertSpace(): Promise<void> {
    if (this.#minFreeSpace === 0) return;
    const free = await freeSpace(this.folder);
    if (free >= this.#minFreeSpace) return;
    throw new ResourceError('DISK_FULL', `only ${free} bytes are free on the recording volume`, {
      hint: 'Free space on the recording volume, set recorder.retention, or lower recorder.minFreeSpace.',
    });
  }
}

interface LostRecording {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly keyId: KeyId | undefined;
  readonly startedAt: number;
  readonly path: string;
}
