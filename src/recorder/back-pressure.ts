// What a slow disk means for the publisher: holds it back or lets it go on, as the rule says (stall-rule.ts), and
// tells the log of a stall once at its beginning and once at its end.
import type { Subscription } from '../hub/publication.ts';
import type { Log } from '../ops/log.ts';
import type { RecordingId } from '../ops/names.ts';
import type { RecordingWriter } from './recording-writer.ts';
import type { SlabPool } from './slab-pool.ts';
import { StallRule, type StallState } from './stall-rule.ts';

export interface BackPressureOptions {
  readonly pool: SlabPool;
  readonly log: Log;
  /** All that may have something to write. */
  readonly writers: ReadonlySet<RecordingWriter>;
  /** Which recording the log is to name. */
  readonly recording: () => RecordingId;
  /** From now on tags cannot be kept; called once, until `rejoin` said yes. */
  readonly dropping: () => void;
}

export class BackPressure {
  readonly #options: BackPressureOptions;
  readonly #rule = new StallRule();
  #subscription: Subscription | undefined;
  #holding = false;
  #now = 0;
  #stalledAt = 0;
  /** Tags dropped since the stall began. */
  dropped = 0;

  constructor(options: BackPressureOptions) {
    this.#options = options;
  }

  get stalled(): boolean {
    return isStalled(this.#rule.state);
  }

  /** Whom to hold back from now on; undefined: nobody. */
  steer(subscription: Subscription | undefined): void {
    this.#subscription = subscription;
    this.#holding = false;
    this.#applyHold();
  }

  /** Looks how the disk keeps up; `now` in monotonic ms, without it as of the last look. */
  look(now = this.#now): void {
    this.#now = now;
    const before = this.#rule.state;
    const { waiting, full, written } = this.#measure();
    this.#rule.look(now, waiting, full, written, this.#options.pool.waiting);
    if (this.#rule.state !== before) this.#changed(before);
  }

  /** Tags were dropped: can they be kept again? */
  rejoin(): boolean {
    const { waiting, full } = this.#measure();
    if (!this.#rule.mayRejoin(waiting)) return false;
    const before = this.#rule.state;
    this.#rule.rejoin(full);
    this.#changed(before);
    return true;
  }

  /** The disk failed, so nothing waits for it any more. */
  giveUp(): void {
    const before = this.#rule.state;
    if (before === 'dropping') this.#rule.rejoin(false);
    this.look();
    if (this.#rule.state !== before) this.#changed(before);
  }

  #measure(): { readonly waiting: number; readonly full: boolean; readonly written: number } {
    const sum = { waiting: 0, full: false, written: 0 };
    for (const { queue } of this.#options.writers) {
      sum.waiting += queue.waiting;
      sum.full ||= queue.full;
      sum.written += queue.written;
    }
    return sum;
  }

  #changed(before: StallState): void {
    const { state } = this.#rule;
    this.#applyHold();
    if (state === 'dropping') this.#options.dropping();
    if (isStalled(state) === isStalled(before)) return;
    const { log, recording } = this.#options;
    if (isStalled(state)) {
      this.#stalledAt = this.#now;
      this.dropped = 0;
      log.warn('recording.stalled', { recording: recording() });
      return;
    }
    const stalledMs = Math.round(this.#now - this.#stalledAt);
    log.info('recording.unstalled', { recording: recording(), stalledMs, dropped: this.dropped });
  }

  #applyHold(): void {
    const { holds } = this.#rule;
    if (this.#subscription === undefined || holds === this.#holding) return;
    this.#holding = holds;
    if (holds) this.#subscription.hold();
    else this.#subscription.release();
  }
}

function isStalled(state: StallState): boolean {
  return state !== 'clear' && state !== 'held';
}
