// Recordings at rest and in the making: a file and a row in the catalogue each, kept in step. The recorder opens
// and seals them, the download room and the command line read them, and what a killed server left is recovered.
// Leaves out what is recorded when.
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { ResourceError, SetupError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId, RecordingId, StreamName } from '../ops/names.ts';
import type { Random } from '../ops/random.ts';
import type { Schema } from '../store/schema.ts';
import { CatalogueStore, type RecordingEntry, type RecordingFilter } from './catalogue-store.ts';
import { OpenRecording, type InterruptedRecording, type RecordingRequest } from './open-recording.ts';
import { fileExists, freeSpace, listStreamFiles, removeFile } from './recording-file.ts';
import {
  eventOf,
  makeRecordingId,
  manifestSuffix,
  parseRecordingFileName,
  partSuffix,
  recordingPath,
  segmentId,
  segmentOf,
  signatureSuffix,
} from './recording-name.ts';
import { measureLive, readPieces } from './recording-scan.ts';
import { RecordingVault, type StoredFile, type VaultEncryption } from './recording-vault.ts';
import { Recovery, type LostRecording, type RecoveredRecording } from './recovery.ts';
import { SpaceWatch, type SpaceListener, type SpaceState } from './space-watch.ts';

export interface ArchiveOptions {
  /** The recordings folder; made when the first recording needs it. */
  readonly folder: string;
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Bytes that must be free on the volume for a recording to begin; 0 = whatever there is. */
  readonly minFreeSpace: number;
  /** How new recordings are encrypted, and encrypted ones are read. */
  readonly encryption?: VaultEncryption | undefined;
}

/** Milliseconds between two looks whether something waits to be repaired once more. */
const repairTick = 5000;

/** A recording opened for reading; close it. */
export interface ReadableRecording {
  readonly entry: RecordingEntry;
  readonly handle: StoredFile;
  /** Bytes that may be read: all of a finished file, whole tags of one in the making. */
  readonly size: number;
  close(): Promise<void>;
}

export class Archive {
  readonly folder: string;
  readonly vault: RecordingVault;
  readonly catalogue: CatalogueStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #space: SpaceWatch;
  readonly #recovery: Recovery;
  /** What this process is writing. */
  readonly #open = new Map<RecordingId, OpenRecording>();
  /** The last recording of each stream that an earlier server left unfinished, until another is done. */
  readonly #leftBehind = new Map<StreamName, LostRecording>();
  readonly #finishedListeners = new Set<(id: RecordingId) => void>();
  readonly #stopping = new AbortController();
  #recovering: Promise<unknown> = Promise.resolve();
  #isRecovering = false;
  #stopRetrying: CancelTimer | undefined;

  constructor({ folder, db, clock, random, log, minFreeSpace, encryption }: ArchiveOptions) {
    this.folder = folder;
    this.vault = new RecordingVault(folder, encryption);
    this.catalogue = new CatalogueStore(db);
    this.#clock = clock;
    this.#random = random;
    this.#space = new SpaceWatch({ measure: () => freeSpace(folder), minFreeSpace, clock, log });
    this.#recovery = new Recovery({
      vault: this.vault,
      catalogue: this.catalogue,
      clock,
      log,
      isOpen: (id) => this.#open.has(id),
      finished: (id) => this.#tellFinished(id),
    });
  }

  /** How full the volume is, as of a few seconds ago; `ample` where nobody watches. */
  get spaceState(): SpaceState {
    return this.#space.state;
  }

  /** Bytes free on the volume when it was last looked at; Infinity when that cannot be told. */
  get freeBytes(): number {
    return this.#space.freeBytes;
  }

  /** How many recordings this process is writing. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Called when spaceState changes. Returns what ends it. */
  onSpace(listener: SpaceListener): () => void {
    return this.#space.onChange(listener);
  }

  /** Called when a recording is finished: sealed, or recovered. Returns what ends it. */
  onFinished(listener: (id: RecordingId) => void): () => void {
    this.#finishedListeners.add(listener);
    return () => void this.#finishedListeners.delete(listener);
  }

  /**
   * Looks at the volume every few seconds until stop(), and tries again what could not be repaired; for the process
   * that serves.
   */
  async watchSpace(): Promise<void> {
    this.#stopRetrying ??= this.#clock.every(repairTick, () => {
      void this.#repairBeside(() => this.#recovery.retry(this.#stopping.signal));
    });
    await this.#space.start();
  }

  /** Looks at the volume now. Never throws. */
  async measureSpace(): Promise<SpaceState> {
    return this.#space.check();
  }

  /** Ends what runs beside: the watch, and a recovery, which goes on at the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#space.stop();
    this.#stopRetrying?.();
    this.#stopping.abort();
    await this.#recovering.catch(() => undefined);
  }

  /**
   * Opens a recording: the file is there when this resolves. `startedAt` in ms since the Unix epoch.
   * Throws ResourceError DISK_FULL, RECORDING_OPEN_FAILED or STORE_FAILED.
   */
  async create(request: RecordingRequest): Promise<OpenRecording> {
    const { stream, keyId, startedAt, origin } = request;
    const before = request.continues === undefined ? undefined : eventOf(request.continues);
    const id =
      before === undefined
        ? makeRecordingId((length) => this.#random.bytes(length))
        : segmentId(before, await this.#nextSegment(before, stream));
    const path = recordingPath(stream, startedAt, id);
    const file = await this.vault.create(stream, path);
    let locked = false;
    try {
      await this.#space.assertRoom();
      locked = before !== undefined && (await this.#isLocked(before));
      await this.catalogue.add({ id, stream, keyId, state: 'recording', startedAt, path, locked, origin });
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
      sealed: async ({ durationMs, gaps }, bytes) => {
        const endedAt = this.#clock.now();
        this.#leftBehind.delete(stream);
        await this.catalogue.finish(id, { state: 'complete', endedAt, durationMs, bytes, gaps });
        this.#tellFinished(id);
      },
      discarded: async () => void (await this.catalogue.remove(id)),
      broken: async () => {
        const lost = { id, stream, keyId, startedAt, path, locked, origin };
        this.#leftBehind.delete(stream);
        await this.#recovery.recover(lost, { endedAt: this.#clock.now() });
      },
      closed: () => void this.#open.delete(id),
    });
    this.#open.set(id, recording);
    this.#recovery.hurry(stream);
    if (before === undefined) this.#leftBehind.delete(stream);
    return recording;
  }

  /**
   * What an earlier server was recording of this stream, with this key, when it was killed at `since` (ms since the
   * Unix epoch) or later, if no other event of the stream has begun since then. Its repair may be under way still.
   */
  async findInterrupted(
    stream: StreamName,
    keyId: KeyId,
    since: number,
  ): Promise<InterruptedRecording | undefined> {
    const lost = this.#leftBehind.get(stream);
    if (lost?.keyId !== keyId) return undefined;
    const entry = await this.catalogue.find(lost.id);
    const endedAt = entry?.state === 'recording' ? await this.#lastWrite(entry) : entry?.endedAt;
    return endedAt === undefined || endedAt < since ? undefined : { id: lost.id, endedAt };
  }

  /** Oldest first; recordings in the making with what is safely written so far. */
  async list(filter: RecordingFilter = {}): Promise<readonly RecordingEntry[]> {
    const entries = await this.catalogue.list(filter);
    const live: RecordingEntry[] = [];
    for (const entry of entries) live.push(await this.#withProgress(entry));
    return live;
  }

  async find(id: RecordingId): Promise<RecordingEntry | undefined> {
    const entry = await this.catalogue.find(id);
    return entry === undefined ? undefined : this.#withProgress(entry);
  }

  /** The segments of the event that a recording belongs to, in their order; empty when there is none. */
  async listEvent(id: RecordingId): Promise<readonly RecordingEntry[]> {
    const entries = await this.list({ event: eventOf(id) });
    return entries.toSorted((one, other) => one.segment - other.segment);
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

  /**
   * Deletes file, manifest and row. False when there is no such recording. Throws SetupError ARGUMENT_INVALID for
   * one that is in the making or locked, ResourceError.
   */
  async remove(id: RecordingId): Promise<boolean> {
    const entry = await this.catalogue.find(id);
    if (entry === undefined) return false;
    if (entry.state === 'recording') {
      throw new SetupError('ARGUMENT_INVALID', `${id} is still being recorded`, {
        hint: `End the stream first: penstock stream kick ${entry.stream}`,
      });
    }
    if (entry.locked) {
      throw new SetupError('ARGUMENT_INVALID', `${id} is locked`, {
        hint: `Unlock it first: penstock recording unlock ${id}`,
      });
    }
    // The file first: a row without a file says what is missing, a file without a row is forgotten.
    await removeFile(this.folder, entry.path);
    for (const suffix of [manifestSuffix, signatureSuffix])
      await removeFile(this.folder, entry.path + suffix);
    await this.catalogue.bury(entry, this.#clock.now());
    return true;
  }

  /** Is the file of a recording where it should be? */
  async hasFile({ path, state }: RecordingEntry): Promise<boolean> {
    return fileExists(this.folder, state === 'recording' ? path + partSuffix : path);
  }

  /** Absolute path of the file as it is called now. */
  pathOf(entry: RecordingEntry): string {
    return join(this.folder, entry.path) + (entry.state === 'recording' ? partSuffix : '');
  }

  /**
   * Finishes what a server that is gone left unfinished; only in the process that holds the server's lock, and
   * before anything new is recorded. One file after the other; one that resists is logged and left for the next start.
   */
  async recover(): Promise<readonly RecoveredRecording[]> {
    return this.#recoverAll(await this.#recovery.findLost());
  }

  /**
   * The same, but waits for it `patience` milliseconds at most: so many files, or so large ones, are repaired beside
   * what follows. Until its turn comes a recording is listed as it was found, as `recording`.
   */
  async beginRecovery(patience: number): Promise<void> {
    const lost = await this.#recovery.findLost();
    for (const one of lost) this.#leftBehind.set(one.stream, one);
    const recovering = this.#repairBeside(async () => {
      await this.#recovery.checkKey();
      await this.#recoverAll(lost);
    });
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#clock.after(patience, resolve);
      recovering.then(() => resolve(), reject).finally(cancel);
    });
  }

  /** One at a time; resolves at once when another is at it. */
  #repairBeside(repair: () => Promise<unknown>): Promise<unknown> {
    if (this.#isRecovering) return Promise.resolve();
    this.#isRecovering = true;
    this.#recovering = repair().finally(() => {
      this.#isRecovering = false;
    });
    return this.#recovering;
  }

  async #recoverAll(lost: Awaited<ReturnType<Recovery['findLost']>>): Promise<readonly RecoveredRecording[]> {
    const recovered: RecoveredRecording[] = [];
    const { signal } = this.#stopping;
    for (const one of lost) {
      if (signal.aborted) break;
      recovered.push(await this.#recovery.recover(one, { signal }));
    }
    return recovered;
  }

  #tellFinished(id: RecordingId): void {
    for (const listener of this.#finishedListeners) listener(id);
  }

  /** A number that no segment of the event ever had, as far as catalogue and folder know. */
  async #nextSegment(event: RecordingId, stream: StreamName): Promise<number> {
    const files = await listStreamFiles(this.folder, stream);
    const onDisk = files
      .map((file) => parseRecordingFileName(file)?.id)
      .filter((id) => id !== undefined && eventOf(id) === event)
      .map((id) => (id === undefined ? 0 : segmentOf(id)));
    return Math.max(1, await this.catalogue.lastSegment(event), ...onDisk) + 1;
  }

  /** A new segment is locked when the one before it is. */
  async #isLocked(event: RecordingId): Promise<boolean> {
    const segments = await this.catalogue.list({ event });
    return segments.toSorted((one, other) => one.segment - other.segment).at(-1)?.locked ?? false;
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

  /** Milliseconds since the Unix epoch; undefined when the file is not there. */
  async #lastWrite({ path }: RecordingEntry): Promise<number | undefined> {
    try {
      const handle = await this.vault.open(path + partSuffix);
      const { mtimeMs } = await handle.stat();
      await handle.close();
      return mtimeMs;
    } catch {
      return undefined;
    }
  }

  async #openFile(entry: RecordingEntry): Promise<StoredFile> {
    // Sealing renames the file before the row says so: look under the other name too.
    const names = [entry.path, entry.path + partSuffix];
    if (entry.state === 'recording') names.reverse();
    for (const name of names) {
      try {
        return await this.vault.open(name);
      } catch (error) {
        if (error instanceof ResourceError) throw error; // it is there, and cannot be read
      }
    }
    throw new SetupError('NOT_FOUND', `the file of recording ${entry.id} cannot be read`, {
      hint: `It should be ${this.pathOf(entry)}; restore it, or forget it with: penstock recording delete ${entry.id}`,
    });
  }
}
