// Finds what a server that is gone left unfinished, and finishes it: rows that still say `recording`, and `.part`
// files that no row knows. Leaves out how a file is mended (recording-repair.ts) and when this is done (archive.ts).
import { ApplianceError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { parseStreamName, type KeyId, type RecordingId, type StreamName } from '../ops/names.ts';
import type { CatalogueStore } from './catalogue-store.ts';
import { fileExists, listFiles } from './recording-file.ts';
import { parseRecordingFileName, partSuffix } from './recording-name.ts';
import { measureRecording, repairRecording, type RepairedRecording } from './recording-repair.ts';
import type { RecordingVault } from './recording-vault.ts';

export interface LostRecording {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly keyId: KeyId | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly path: string;
}

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
  readonly log: Log;
  /** Is this process writing it? */
  isOpen(id: RecordingId): boolean;
  finished(id: RecordingId): void;
}

export class Recovery {
  readonly #parts: RecoveryParts;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Oldest first. */
  async findLost(): Promise<readonly LostRecording[]> {
    const { catalogue, vault } = this.#parts;
    const lost = new Map<RecordingId, LostRecording>();
    for (const entry of await catalogue.list({ state: 'recording' })) lost.set(entry.id, entry);
    for (const path of await listFiles(vault.folder, partSuffix)) {
      const stray = await this.#identify(path);
      if (stray !== undefined && !lost.has(stray.id)) lost.set(stray.id, stray);
    }
    return [...lost.values()].filter(({ id }) => !this.#parts.isOpen(id));
  }

  /** Never throws: a file that cannot be repaired must not keep the appliance from starting. */
  async recover(
    lost: LostRecording,
    { endedAt, signal }: { readonly endedAt?: number; readonly signal?: AbortSignal } = {},
  ): Promise<RecoveredRecording> {
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
        this.#parts.finished(id);
        return { id, stream, outcome: 'recovered', repaired };
      }
      await catalogue.remove(id);
      log.warn('recording.removed', { recording: id, stream, reason });
      return { id, stream, outcome: 'removed', reason };
    } catch (error) {
      // The next start begins it again.
      if (signal?.aborted === true) return { id, stream, outcome: 'interrupted' };
      const known = error instanceof ApplianceError;
      const reason = error instanceof Error ? error.message : String(error);
      log.error('recovery.failed', {
        recording: id,
        stream,
        code: known ? error.code : undefined,
        reason,
        hint: known ? error.hint : undefined,
        bug: known ? undefined : true,
      });
      return { id, stream, outcome: 'failed', reason };
    }
  }

  async #noteRecovered(
    lost: LostRecording,
    repaired: RepairedRecording,
    endedAt: number | undefined,
  ): Promise<void> {
    const { id, stream, keyId, startedAt, path } = lost;
    const { catalogue, log } = this.#parts;
    const { durationMs, bytes, cutBytes, gaps } = repaired;
    const end = endedAt ?? startedAt + durationMs;
    const outcome = { state: 'recovered', endedAt: end, durationMs, bytes, gaps } as const;
    if ((await catalogue.find(id)) === undefined) {
      await catalogue.add({ id, stream, keyId, startedAt, ...outcome, path });
    } else await catalogue.finish(id, outcome);
    log.info('recording.recovered', { recording: id, stream, durationMs, bytes, cutBytes });
  }

  /** Whose a `.part` file is, by its path; undefined for a file that is not named like ours. */
  async #identify(part: string): Promise<LostRecording | undefined> {
    const path = part.slice(0, -partSuffix.length);
    const slash = path.lastIndexOf('/');
    const stream = parseStreamName(path.slice(0, slash));
    const name = parseRecordingFileName(path.slice(slash + 1));
    if (stream === undefined || name === undefined) return undefined;
    const entry = await this.#parts.catalogue.find(name.id);
    return entry ?? { id: name.id, stream, keyId: undefined, startedAt: name.startedAt, path };
  }
}
