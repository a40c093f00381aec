// Deletes what retention says, every few minutes and at once when space is short, one recording after the other.
// Each leaves a line in the log and in the audit log. Leaves out the decision (retention-rule.ts).
import type { Archive } from '../archive/archive.ts';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { failureFields } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import type { Log } from '../ops/log.ts';
import type { AuditLog } from '../store/audit-log.ts';
import {
  judgeRetention,
  oldestToGo,
  type RetentionReason,
  type RetentionRules,
  type RetentionVerdict,
} from './retention-rule.ts';

/** Milliseconds between two rounds. */
const roundInterval = 5 * 60_000;
/** The same while the volume is not ample: what ages meanwhile may be what is missing. */
const pressedInterval = 30_000;

export interface RetentionSettings extends RetentionRules {
  /** Whether any finished recording that is not locked may go, the oldest first, when the volume is full. */
  readonly deleteWhenFull: boolean;
}

export interface RetentionParts {
  readonly archive: Pick<Archive, 'list' | 'remove' | 'spaceState' | 'measureSpace' | 'onSpace'>;
  readonly settings: RetentionSettings;
  readonly audit: Pick<AuditLog, 'note'>;
  readonly clock: Clock;
  readonly log: Log;
  /** For the audit log. */
  readonly source: 'server' | 'cli';
}

/** Deletes what the rules say; answers what is gone. One that resists is logged and the others still go. */
export async function pruneRecordings(parts: RetentionParts): Promise<readonly RetentionVerdict[]> {
  const { archive, settings, clock } = parts;
  const verdicts = judgeRetention(await archive.list(), settings, clock.now());
  const gone: RetentionVerdict[] = [];
  for (const verdict of verdicts)
    if (await removeOne(parts, verdict.entry, verdict.reason)) gone.push(verdict);
  return gone;
}

export class RetentionKeeper implements Component {
  readonly #parts: RetentionParts;
  #cancelTimer: CancelTimer | undefined;
  #stopListening: (() => void) | undefined;
  #round: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #lastRound = -Infinity;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** The first round runs beside what follows. */
  async start(): Promise<void> {
    const { archive, clock } = this.#parts;
    this.#stopListening = archive.onSpace((state) => {
      if (state !== 'ample') this.#run();
    });
    this.#cancelTimer = clock.every(pressedInterval, () => {
      const due = clock.monotonic() - this.#lastRound >= roundInterval;
      if (due || archive.spaceState !== 'ample') this.#run();
    });
    this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#stopListening?.();
    await this.#round;
  }

  #run(): void {
    if (this.#round !== undefined) {
      this.#again = true;
      return;
    }
    this.#lastRound = this.#parts.clock.monotonic();
    this.#round = this.#runOnce().finally(() => {
      this.#round = undefined;
      if (this.#again && !this.#stopped) {
        this.#again = false;
        this.#run();
      }
    });
  }

  async #runOnce(): Promise<void> {
    const { log } = this.#parts;
    try {
      await pruneRecordings(this.#parts);
      await this.#makeRoom();
    } catch (error) {
      log.error('retention.failed', failureFields(error));
    }
  }

  async #makeRoom(): Promise<void> {
    const { archive, settings } = this.#parts;
    if (!settings.deleteWhenFull || archive.spaceState === 'ample') return;
    const tried = new Set<string>();
    while (!this.#stopped && (await archive.measureSpace()) !== 'ample') {
      const left = (await archive.list()).filter(({ id }) => !tried.has(id));
      const oldest = oldestToGo(left);
      if (oldest === undefined) return;
      tried.add(oldest.id);
      await removeOne(this.#parts, oldest, 'disk-full');
    }
  }
}

async function removeOne(
  { archive, audit, log, source }: RetentionParts,
  { id, stream, bytes, startedAt }: RecordingEntry,
  reason: RetentionReason,
): Promise<boolean> {
  try {
    if (!(await archive.remove(id))) return false;
  } catch (error) {
    log.error('retention.failed', { recording: id, stream, ...failureFields(error) });
    return false;
  }
  const begun = new Date(startedAt).toISOString();
  audit.note({
    action: 'recording.expired',
    source,
    stream,
    detail: `recording ${id} of ${begun}: ${reason}`,
  });
  log.info('recording.expired', { recording: id, stream, bytes, reason });
  return true;
}
