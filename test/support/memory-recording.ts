// A recording in memory whose disk can be told to stall or to fail. Every state that the file ever had at the end
// of a write is kept, because a process may be killed at each of them.
import { ResourceError } from '../../src/errors.ts';
import type { RecordingId, StreamName } from '../../src/ops/names.ts';
import type { RecordingTarget } from '../../src/recorder/recording-writer.ts';
import type { RecordingEnding, RecordingGap } from '../../src/archive/open-recording.ts';

export class MemoryRecording implements RecordingTarget {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly startedAt = Date.UTC(2026, 10, 22, 13, 5, 9);
  durationMs = 0;
  gaps: readonly RecordingGap[] = [];
  /** Sizes of all appends. */
  readonly appends: number[] = [];
  readonly patches: number[] = [];
  syncs = 0;
  outcome: 'sealed' | 'discarded' | 'abandoned' | undefined;
  /** Bytes that the disk takes before it is full. */
  room = Infinity;
  #bytes = Buffer.alloc(0);
  #stalled: (() => void)[] | undefined;

  constructor(id = '0000000000000001', stream = 'live/a') {
    this.id = id as RecordingId;
    this.stream = stream as StreamName;
  }

  get bytes(): number {
    return this.#bytes.length;
  }

  /** What is on the disk. */
  get file(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** Writes do not come back until `unstall`. */
  stall(): void {
    this.#stalled ??= [];
  }

  unstall(): void {
    const waiting = this.#stalled ?? [];
    this.#stalled = undefined;
    for (const go of waiting) go();
  }

  /** Lets the write under way come back, and no other. */
  step(): void {
    this.#stalled?.shift()?.();
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#disk();
    if (this.#bytes.length + bytes.length > this.room) throw full();
    this.appends.push(bytes.length);
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#disk();
    if (offset + bytes.length > this.#bytes.length) throw new Error('a patch beyond the end');
    this.patches.push(offset);
    this.#bytes.set(bytes, offset);
  }

  async datasync(): Promise<void> {
    await this.#disk();
    this.syncs += 1;
  }

  async seal(ending: RecordingEnding): Promise<void> {
    this.#finish('sealed');
    this.durationMs = ending.durationMs;
    this.gaps = ending.gaps;
  }

  async discard(): Promise<void> {
    this.#finish('discarded');
  }

  async abandon(): Promise<void> {
    this.#finish('abandoned');
  }

  #finish(outcome: 'sealed' | 'discarded' | 'abandoned'): void {
    if (this.outcome !== undefined) throw new Error(`${this.outcome} already`);
    this.outcome = outcome;
  }

  #disk(): Promise<void> {
    const stalled = this.#stalled;
    if (stalled === undefined) return Promise.resolve();
    return new Promise((resolve) => stalled.push(resolve));
  }
}

function full(): ResourceError {
  return new ResourceError('DISK_FULL', 'no space left', { hint: 'make room' });
}
