// A clock whose hands the test turns.
import type { CancelTimer, Clock } from '../../src/ops/clock.ts';

interface Timer {
  at: number;
  readonly every: number | undefined;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly #timers = new Set<Timer>();

  /** `now` is in milliseconds since the Unix epoch. */
  constructor(now = Date.UTC(2026, 10, 22, 13, 5, 9)) {
    this.#now = now;
  }

  /** How many timers are waiting: 0 when nothing was left behind. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(milliseconds: number, callback: () => void): CancelTimer {
    return this.#add({ at: this.#monotonic + milliseconds, every: undefined, callback });
  }

  every(milliseconds: number, callback: () => void): CancelTimer {
    return this.#add({ at: this.#monotonic + milliseconds, every: milliseconds, callback });
  }

  /** Lets time pass and fires what becomes due, in order of time. */
  advance(milliseconds: number): void {
    const end = this.#monotonic + milliseconds;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#moveTo(Math.max(next.at, this.#monotonic));
      if (next.every === undefined) this.#timers.delete(next);
      else next.at += next.every;
      next.callback();
    }
    this.#moveTo(end);
  }

  /** Forgets all timers, as the end of a process does. */
  silence(): void {
    this.#timers.clear();
  }

  /** Sets the wall clock alone, as an administrator or NTP would. */
  setNow(now: number): void {
    this.#now = now;
  }

  /** The earliest timer, of equals the oldest. Tests let months pass by the second, so nothing is sorted. */
  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    return next;
  }

  #moveTo(monotonic: number): void {
    this.#now += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }

  #add(timer: Timer): CancelTimer {
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
}
