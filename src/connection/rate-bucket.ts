// A token bucket: so many per second, gathered over at most one second. Time is an argument. pure.

export class RateBucket {
  readonly #perSecond: number;
  #tokens: number;
  #last: number | undefined;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  /** Takes one; false when there is none left. `now` in milliseconds that never step back. */
  take(now: number): boolean {
    const elapsed = this.#last === undefined ? 0 : now - this.#last;
    this.#last = now;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsed * this.#perSecond) / 1000);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
