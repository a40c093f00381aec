// How full the volume of the recordings is: looked at every few seconds, told when it changes. Between warning and
// stopping there is room for retention to act, and the way back needs more room than the way in, so that nothing
// flutters. Leaves out what is done about it (retention/, recorder/).
import { ResourceError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';

/** `low`: less than twice `minFreeSpace` is free. `stop`: less than that itself, so nothing more is recorded. */
export type SpaceState = 'ample' | 'low' | 'stop';
export type SpaceListener = (state: SpaceState, freeBytes: number) => void;

export interface SpaceWatchOptions {
  /** Free bytes; Infinity when that cannot be told. Never rejects. */
  readonly measure: () => Promise<number>;
  /** Bytes; 0 = nobody minds. */
  readonly minFreeSpace: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds from look to look. 100 streams of 8 Mbit/s write 500 MB in this time. */
const interval = 5000;
const spaceHint =
  'Free space on the recording volume, set recorder.retention, or lower recorder.minFreeSpace.';
/** What must be free again, in units of `minFreeSpace`. */
const backFromStop = 1.25;
const lowBelow = 2;
const backFromLow = 2.5;

/** `free` and `least` in bytes. pure. */
export function nextSpaceState(state: SpaceState, free: number, least: number): SpaceState {
  if (free < least * (state === 'stop' ? backFromStop : 1)) return 'stop';
  return free < least * (state === 'ample' ? lowBelow : backFromLow) ? 'low' : 'ample';
}

export class SpaceWatch {
  readonly #options: SpaceWatchOptions;
  readonly #listeners = new Set<SpaceListener>();
  #state: SpaceState = 'ample';
  #freeBytes = Infinity;
  #cancel: CancelTimer | undefined;

  constructor(options: SpaceWatchOptions) {
    this.#options = options;
  }

  get state(): SpaceState {
    return this.#state;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  onChange(listener: SpaceListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    if (this.#options.minFreeSpace === 0) return;
    this.#cancel ??= this.#options.clock.every(interval, () => void this.check());
    await this.check();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Looks now. Throws ResourceError DISK_FULL where nothing more may be recorded. */
  async assertRoom(): Promise<void> {
    if (this.#options.minFreeSpace === 0 || (await this.check()) !== 'stop') return;
    throw new ResourceError('DISK_FULL', `only ${this.freeBytes} bytes are free on the recording volume`, {
      hint: spaceHint,
    });
  }

  /** Looks now. Never throws. */
  async check(): Promise<SpaceState> {
    const { measure, minFreeSpace, log } = this.#options;
    const freeBytes = await measure();
    const state = nextSpaceState(this.#state, freeBytes, minFreeSpace);
    this.#freeBytes = freeBytes;
    if (state === this.#state) return state;
    const before = this.#state;
    this.#state = state;
    const hint = spaceHint;
    const facts = { freeBytes, minFreeSpace };
    if (state === 'stop') log.error('space.exhausted', { ...facts, hint });
    else if (state === 'ample') log.info('space.regained', facts);
    else if (before === 'ample') log.warn('space.nearly-used', { ...facts, hint });
    for (const listener of this.#listeners) listener(state, freeBytes);
    return state;
  }
}
