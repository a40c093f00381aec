// Finds what a server that is gone left unfinished, and finishes it: rows that still say `recording`, and files
// that no row knows, `.part` or of late. What resists, because its volume takes nothing or is away, is tried again now and then.
// Leaves out how a file is mended (recording-repair.ts) and when this is done (archive.ts).
import { failureFields, ResourceError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { parseStreamName, type RecordingId, type StreamName } from '../ops/names.ts';
import type { CatalogueStore, RecordingEntry } from './catalogue-store.ts';
import { fileExists, listFiles } from './recording-file.ts';
import { parseRecordingFileName, partSuffix } from './recording-name.ts';
import { measureRecording, repairRecording, type RepairedRecording } from './recording-repair.ts';
import type { RecordingVault } from './recording-vault.ts';

/** Milliseconds from one attempt at a file that resists to the next; twice as long after each, up to the longest. */
const retryInterval = 5000;
const longestRetryInterval = 5 * 60_000;
/** Files that are tried again at most; what is beyond waits for the next start. */
const mostResisting = 1000;

/** Recordings that are opened at the start to see whether the key fits, the newest ones. */
const examined = 20;

/** Milliseconds before the last row in which a file may have lost its own; a segment may have begun long ago. */
const forgetfulTime = 24 * 3600_000;

/** What its row says of it, or without one its name. */
export type LostRecording = Pick<RecordingEntry, 'id' | 'stream' | 'keyId' | 'startedAt' | 'path'> &
  Partial<Pick<RecordingEntry, 'locked' | 'origin'>>;

export interface RecoveredRecording {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly outcome: 'recovered' | 'removed' | 'failed' | 'interrupted';
  /** What was mended, or why not. */
  readonly repaired?: RepairedRecording;
  readonly reason?: string;
}

export interface RecoveryParts {
  readonly vault: RecordingVault;
  readonly catalogue: CatalogueStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Is this process writing it? */
  isOpen(id: RecordingId): boolean;
  finished(id: RecordingId): void;
}

export interface RecoverOptions {
  /** Milliseconds since the Unix epoch, where that is known. */
  readonly endedAt?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Resisting {
  readonly lost: LostRecording;
  readonly endedAt: number | undefined;
  readonly delay: number;
  /** Monotonic milliseconds. */
  retryAt: number;
}

export class Recovery {
  readonly #parts: RecoveryParts;
  readonly #resisting = new Map<RecordingId, Resisting>();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Oldest first. */
  async findLost(): Promise<readonly LostRecording[]> {
    const { catalogue, vault } = this.#parts;
    const lost = new Map<RecordingId, LostRecording>();
    for (const entry of await catalogue.list({ state: 'recording' })) lost.set(entry.id, entry);
    const [newest] = await catalogue.newest(1);
    const latest = Math.max(
      newest?.startedAt ?? -Infinity,
      ...[...lost.values()].map((one) => one.startedAt),
    );
    for (const file of await listFiles(vault.folder, '')) {
      const isPart = file.endsWith(partSuffix);
      if (!isPart && !isRecent(file, latest)) continue;
      const stray = await this.#identify(isPart ? file.slice(0, -partSuffix.length) : file);
      if (stray === undefined || lost.has(stray.id)) continue;
      if (isPart || (await catalogue.find(stray.id)) === undefined) lost.set(stray.id, stray);
    }
    return [...lost.values()].filter(({ id }) => !this.#parts.isOpen(id));
  }

  /** Says once, and not when somebody needs one of them, that recordings are encrypted with another key. */
  async checkKey(): Promise<void> {
    const { catalogue, vault, log } = this.#parts;
    for (const { id, stream, path } of await catalogue.newest(examined)) {
      try {
        await (await vault.open(path)).close();
      } catch (error) {
        if (!(error instanceof ResourceError) || error.code !== 'ENCRYPTION_KEY_WRONG') continue;
        const { code, message: reason, hint } = error;
        log.error('encryption-key.doubted', { recording: id, stream, code, reason, hint });
        return;
      }
    }
  }

  /** Tries again what resisted, where it is time to, one file after the other. Never throws. */
  async retry(signal?: AbortSignal): Promise<void> {
    for (const [id, { lost, endedAt, retryAt }] of this.#resisting) {
      if (signal?.aborted === true) return;
      if (retryAt > this.#parts.clock.monotonic() || this.#parts.isOpen(id)) continue;
      await this.recover(lost, { endedAt, signal });
    }
  }

  /** The disk takes files of this stream: what resisted there is tried at the next `retry`. */
  hurry(stream: StreamName): void {
    for (const resisting of this.#resisting.values()) {
      if (resisting.lost.stream === stream) resisting.retryAt = 0;
    }
  }

  /** Never throws: a file that cannot be repaired must not keep the appliance from starting. */
  async recover(lost: LostRecording, { endedAt, signal }: RecoverOptions = {}): Promise<RecoveredRecording> {
    const { id, stream, path } = lost;
    const { vault, catalogue, log } = this.#parts;
    const { folder } = vault;
    try {
      let repaired: RepairedRecording | undefined;
      let reason = 'empty';
      if (await fileExists(folder, path + partSuffix)) {
        repaired = await repairRecording(vault, path, signal);
      } else if (await fileExists(folder, path)) {
        repaired = await measureRecording(vault, path, signal);
      } else reason = 'file missing';
      if (repaired !== undefined) {
        await this.#noteRecovered(lost, repaired, endedAt);
        this.#resisting.delete(id);
        this.#parts.finished(id);
        return { id, stream, outcome: 'recovered', repaired };
      }
      await catalogue.remove(id);
      // Removed by somebody, or away with its volume: should it be there again, its row comes back.
      if (reason === 'empty') this.#resisting.delete(id);
      else if (!this.#resist(lost, endedAt)) return { id, stream, outcome: 'removed', reason };
      log.warn('recording.removed', { recording: id, stream, reason });
      return { id, stream, outcome: 'removed', reason };
    } catch (error) {
      // A later attempt, or the next start, begins it again.
      if (signal?.aborted === true) return { id, stream, outcome: 'interrupted' };
      const fields = failureFields(error);
      if (this.#resist(lost, endedAt)) log.error('recovery.failed', { recording: id, stream, ...fields });
      return { id, stream, outcome: 'failed', reason: fields.reason };
    }
  }

  /** Notes when to try again; is this the first time that it resists, so that there is something to say? */
  #resist(lost: LostRecording, endedAt: number | undefined): boolean {
    const before = this.#resisting.get(lost.id);
    if (before === undefined && this.#resisting.size >= mostResisting) return true;
    const delay = before === undefined ? retryInterval : Math.min(before.delay * 2, longestRetryInterval);
    const retryAt = this.#parts.clock.monotonic() + delay;
    this.#resisting.set(lost.id, { lost, endedAt, delay, retryAt });
    return before === undefined;
  }

  async #noteRecovered(
    lost: LostRecording,
    repaired: RepairedRecording,
    endedAt: number | undefined,
  ): Promise<void> {
    const { id, stream, startedAt } = lost;
    const { catalogue, log } = this.#parts;
    const { durationMs, bytes, cutBytes, gaps } = repaired;
    // Media time stands still while an encoder or the disk is away.
    const away = gaps.map(({ missing, reason }) => (reason === 'timestamps' ? 0 : Math.max(0, missing)));
    const end = endedAt ?? startedAt + durationMs + away.reduce((sum, missing) => sum + missing, 0);
    const outcome = { state: 'recovered', endedAt: end, durationMs, bytes, gaps } as const;
    if ((await catalogue.find(id)) === undefined) {
      await catalogue.add({ ...lost, ...outcome });
    } else await catalogue.finish(id, outcome);
    log.info('recording.recovered', { recording: id, stream, durationMs, bytes, cutBytes });
  }

  /** Whose a file is, by its path without `.part`; undefined for a file that is not named like ours. */
  async #identify(path: string): Promise<LostRecording | undefined> {
    const slash = path.lastIndexOf('/');
    const stream = parseStreamName(path.slice(0, slash));
    const name = parseRecordingFileName(path.slice(slash + 1));
    if (stream === undefined || name === undefined) return undefined;
    const entry = await this.#parts.catalogue.find(name.id);
    return entry ?? { id: name.id, stream, keyId: undefined, startedAt: name.startedAt, path };
  }
}

/**
 * Did a finished file begin so late that a power cut may have taken its row, with the last words of the database?
 * `latest`: when the last recording that has a row began; without any the database was lost, which is for reindex.
 */
function isRecent(path: string, latest: number): boolean {
  const name = parseRecordingFileName(path.slice(path.lastIndexOf('/') + 1));
  return name !== undefined && latest !== -Infinity && name.startedAt >= latest - forgetfulTime;
}
