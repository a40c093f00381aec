// Gathers the reads of many publishing connections: a live stream's cost is wake-ups, not bytes, and one
// read of 100 ms of video costs little more than one of 5 ms (PERFORMANCE 2, 3.3). A timer lets all of them
// read; after the reads of that turn of the event loop, those that moved little are stopped until the next.
// With few connections there is nothing to gain, so they read at once.
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { ReadSwitch } from './static-reads.ts';

/** From this many paced connections on, reads are gathered. */
const fewestPaced = 9;
/** A connection that moved this much since the last turn is sending at full speed and is left alone. */
const fullSpeedBytes = 256 * 1024;

export interface PacedConnection extends ReadSwitch {
  /** Bytes read since the pacer last looked; the pacer sets it to 0. */
  moved: number;
  /** Stopped for another reason; the pacer leaves it so. */
  paused: boolean;
}

export class ReadPacer {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #afterReads: (callback: () => void) => void;
  readonly #connections = new Set<PacedConnection>();
  #cancel: CancelTimer | undefined;

  /** `interval` in milliseconds; 0 never gathers. `afterReads` calls back once this turn's reads are done. */
  constructor(clock: Clock, interval: number, afterReads: (callback: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#interval = interval;
    this.#afterReads = afterReads;
  }

  add(connection: PacedConnection): void {
    this.#connections.add(connection);
    if (this.#interval > 0 && this.#connections.size >= fewestPaced) {
      this.#cancel ??= this.#clock.every(this.#interval, () => this.#turn());
    }
  }

  remove(connection: PacedConnection): void {
    if (!this.#connections.delete(connection)) return;
    if (!connection.paused) connection.start();
    if (this.#connections.size >= fewestPaced || this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    this.#startAll();
  }

  #turn(): void {
    this.#startAll();
    this.#afterReads(() => {
      if (this.#cancel === undefined) return;
      for (const connection of this.#connections) {
        if (connection.moved < fullSpeedBytes) connection.stop();
        connection.moved = 0;
      }
    });
  }

  #startAll(): void {
    for (const connection of this.#connections) {
      if (!connection.paused) connection.start();
    }
  }
}
