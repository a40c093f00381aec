// Time as an argument: rooms take a Clock, so that tests turn its hands instead of sleeping.

/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since the Unix epoch: for names, logs and expiry. May step back. */
  now(): number;
  /** Milliseconds that never step back: for deadlines and pacing. */
  monotonic(): number;
  /** Calls back once, after at least so many milliseconds. Does not keep the process alive. */
  after(milliseconds: number, callback: () => void): CancelTimer;
  /** Calls back again and again. Does not keep the process alive. */
  every(milliseconds: number, callback: () => void): CancelTimer;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds).unref();
    return () => clearTimeout(timer);
  },
  every: (milliseconds, callback) => {
    const timer = setInterval(callback, milliseconds).unref();
    return () => clearInterval(timer);
  },
};
