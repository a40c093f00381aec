// The time in which a stream goes on and its recording does not, because the disk failed or is full: a new file is
// tried again and again, less often when what was begun does not last. Leaves out who is told when (take.ts).
import { ApplianceError, failureFields, ResourceError } from '../errors.ts';
import type { Notice } from '../hub/publication.ts';
import type { Log } from '../ops/log.ts';
import type { RecordingTarget } from './recording-writer.ts';
import { recorderLimits } from './recorder-limits.ts';

/** What the publisher is told when an outage begins, and when it is over. */
export const failedNotice: Notice = {
  code: 'NetStream.Record.Failed',
  description: 'The stream goes on, but it is not recorded: the disk of the server failed or is full.',
};
export const resumedNotice: Notice = {
  code: 'NetStream.Record.Start',
  description: 'The stream is recorded again.',
};

export class Outage {
  readonly #open: () => Promise<RecordingTarget>;
  #active = false;
  #code: string | undefined;
  /** The file that waits for a frame to begin with, and since when one could (monotonic ms). */
  #ready: RecordingTarget | undefined;
  #readyAt: number | undefined;
  #opening: Promise<void> | undefined;
  #retryAt = 0;
  #delay: number = recorderLimits.retryInterval;
  #endedAt = -Infinity;
  #over = false;

  /** `open` makes the next file. */
  constructor(open: () => Promise<RecordingTarget>) {
    this.#open = open;
  }

  get active(): boolean {
    return this.#active;
  }

  /** The code of the error that began it; undefined for a mistake of ours, or when there is no outage. */
  get code(): string | undefined {
    return this.#active ? this.#code : undefined;
  }

  /** `now` in monotonic ms. A disk that is full is given time; what else failed may be gone at once. */
  begin(now: number, error: unknown): void {
    const code = error instanceof ApplianceError ? error.code : undefined;
    const lasted = now - this.#endedAt > recorderLimits.longestRetryInterval;
    this.#active = true;
    this.#code = code;
    if (lasted) this.#delay = recorderLimits.retryInterval;
    this.#retryAt = lasted && code !== 'DISK_FULL' ? now : now + this.#delay;
    if (!lasted) this.#slowDown();
  }

  /** Tries when it is time to. */
  tick(now: number): void {
    if (this.#ready !== undefined) this.#readyAt ??= now; // opening may have taken long
    if (!this.#active || this.#ready !== undefined || this.#opening !== undefined || now < this.#retryAt)
      return;
    void this.retry(now).catch(() => undefined); // the next attempt may be luckier
  }

  /** Tries now. Throws what opening throws. */
  async retry(now: number): Promise<void> {
    if (this.#ready !== undefined) return;
    this.#opening ??= this.#try(now).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /** Is there a file, and for how long (ms) has there been one? */
  readySince(now: number): number | undefined {
    if (this.#ready === undefined) return undefined;
    this.#readyAt ??= now;
    return now - this.#readyAt;
  }

  /** The file; the outage is over. */
  end(now: number): RecordingTarget | undefined {
    const ready = this.#ready;
    this.#ready = undefined;
    this.#active = false;
    this.#endedAt = now;
    return ready;
  }

  /** Gives up; a file that was never used is removed. Never throws. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#opening?.catch(() => undefined);
    const ready = this.#ready;
    this.#ready = undefined;
    await ready?.discard().catch(() => undefined);
  }

  async #try(now: number): Promise<void> {
    this.#retryAt = now + this.#delay;
    try {
      const ready = await this.#open();
      this.#readyAt = undefined;
      if (this.#over) await ready.discard();
      else this.#ready = ready;
    } catch (error) {
      this.#slowDown();
      throw error;
    }
  }

  #slowDown(): void {
    this.#delay = Math.min(recorderLimits.longestRetryInterval, this.#delay * 2);
  }
}

/** The volume has less room than is to be left. */
export function noRoom(): ResourceError {
  return new ResourceError('DISK_FULL', 'the recording volume has less than recorder.minFreeSpace left', {
    hint: 'Free space on the recording volume, or set recorder.retention; recording resumes by itself.',
  });
}

/** Tells the log that a recording ended before its time. */
export function reportFailure(log: Log, error: unknown, recording: RecordingTarget | undefined): void {
  log.error('recording.failed', {
    recording: recording?.id,
    ...failureFields(error),
    bytes: recording?.bytes,
  });
}
