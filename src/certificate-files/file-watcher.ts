// Says when files have changed, and have been left alone for a moment since. The system's notice of changes is only a
// hint: what counts is what `stat` sees, looked at every few seconds as well, for networked folders give no notice.
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CancelTimer, Clock } from '../ops/clock.ts';

export interface FileWatcherOptions {
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly onChange: () => void;
}

/** Milliseconds between two looks without a notice. */
const pollInterval = 10_000;
/** Milliseconds without a further change: a pair of files is not replaced in one step. */
const settleTime = 500;

export class FileWatcher {
  readonly #options: FileWatcherOptions;
  readonly #watchers: FSWatcher[] = [];
  #cancelPoll: CancelTimer | undefined;
  #cancelSettle: CancelTimer | undefined;
  #seen: string | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: FileWatcherOptions) {
    this.#options = options;
  }

  /** Resolves when it knows what there is now: what changes from then on is told. */
  async start(): Promise<void> {
    const { paths, clock } = this.#options;
    this.#cancelPoll = clock.every(pollInterval, () => this.#look());
    for (const folder of new Set(paths.map((path) => dirname(path)))) {
      try {
        // The folder: a file that is replaced by renaming is another file afterwards.
        const watcher = watch(folder, { persistent: false }, () => this.#look());
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // The folder is not there, or there are too many watchers: the poll remains.
      }
    }
    this.#look();
    await this.#looking;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#cancelPoll?.();
    this.#cancelSettle?.();
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    await this.#looking;
    this.#cancelSettle?.();
  }

  #look(): void {
    this.#looking ??= this.#compare().finally(() => (this.#looking = undefined));
  }

  async #compare(): Promise<void> {
    const { paths, clock, onChange } = this.#options;
    const stamps = (await Promise.all(paths.map(stampOf))).join('\n');
    const before = this.#seen;
    this.#seen = stamps;
    if (before === undefined || before === stamps) return;
    this.#cancelSettle?.();
    this.#cancelSettle = clock.after(settleTime, onChange);
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return 'absent';
  }
}
