// How often the log says what strangers can cause at will, by kind: so many lines a minute, and the first line of a
// later minute says how many were left out. A scan of the internet must not fill the disk; the first ones are told
// at once, because an operator may be at work on a wrong port.
import type { Clock } from './clock.ts';

const minuteMs = 60_000;

export class LineBudget<Kind extends string> {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #perMinute: number;
  readonly #kinds = new Map<Kind, { began: number; said: number; leftOut: number }>();

  constructor(clock: Pick<Clock, 'monotonic'>, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Undefined: this line is for the level debug only. Else the fields it gets: how many were left out before it, if any. */
  take(kind: Kind): { readonly leftOut?: number } | undefined {
    const now = this.#clock.monotonic();
    let minute = this.#kinds.get(kind);
    if (minute === undefined || now - minute.began >= minuteMs) {
      minute = { began: now, said: 0, leftOut: minute?.leftOut ?? 0 };
      this.#kinds.set(kind, minute);
    }
    if (minute.said >= this.#perMinute) {
      minute.leftOut += 1;
      return undefined;
    }
    minute.said += 1;
    const { leftOut } = minute;
    minute.leftOut = 0;
    return leftOut === 0 ? {} : { leftOut };
  }
}
