// Slows guessing down, per address (IPv6: per /64; SECURITY 3 "Guessing"). A bucket of tokens refills over a
// minute; each failure takes some out, and who has emptied the bucket is locked out, for longer each time.
// Pure over a Clock: no timers, and memory is bounded.
import type { Clock } from '../ops/clock.ts';
import { addressGroup } from '../ops/address.ts';
import { keysLimits } from './keys-limits.ts';

const refillMs = 60_000;

interface Suspect {
  tokens: number;
  /** Monotonic ms at which `tokens` was right. */
  at: number;
  lockedUntil: number;
  /** Lockouts in a row. */
  lockouts: number;
}

export class GuessLimiter {
  readonly #clock: Clock;
  /** The one that was quiet for longest first. */
  readonly #suspects = new Map<string, Suspect>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isLockedOut(address: string): boolean {
    const suspect = this.#suspects.get(addressGroup(address));
    return suspect !== undefined && this.#clock.monotonic() < suspect.lockedUntil;
  }

  /**
   * Counts a failure; while the address is locked out it changes nothing. Answers the milliseconds of the
   * lockout that it brought about, or undefined.
   */
  fail(address: string, weight: number): number | undefined {
    const now = this.#clock.monotonic();
    const suspect = this.#recall(addressGroup(address), now);
    if (now < suspect.lockedUntil) return undefined;
    const refill = ((now - suspect.at) / refillMs) * keysLimits.guesses;
    suspect.tokens = Math.min(keysLimits.guesses, suspect.tokens + refill) - weight;
    suspect.at = now;
    if (suspect.tokens > 0) return undefined;

    if (now - suspect.lockedUntil > keysLimits.longestLockout) suspect.lockouts = 0;
    const duration = Math.min(keysLimits.firstLockout * 2 ** suspect.lockouts, keysLimits.longestLockout);
    suspect.lockouts += 1;
    suspect.lockedUntil = now + duration;
    return duration;
  }

  /** Milliseconds that the answer to a failure should wait: the first is answered at once, as a typo would be. */
  delay(address: string): number {
    const suspect = this.#suspects.get(addressGroup(address));
    if (suspect === undefined) return 0;
    const now = this.#clock.monotonic();
    if (now < suspect.lockedUntil) return keysLimits.longestDelay;
    const failures = keysLimits.guesses - suspect.tokens;
    if (failures <= 1) return 0;
    return Math.min(keysLimits.firstDelay * 2 ** (Math.ceil(failures) - 2), keysLimits.longestDelay);
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#suspects.size;
  }

  #recall(group: string, now: number): Suspect {
    const suspect = this.#suspects.get(group) ?? {
      tokens: keysLimits.guesses,
      at: now,
      lockedUntil: -Infinity,
      lockouts: 0,
    };
    this.#suspects.delete(group);
    this.#suspects.set(group, suspect);
    const [quietest] = this.#suspects.keys();
    if (this.#suspects.size > keysLimits.guessingAddresses && quietest !== undefined) {
      this.#suspects.delete(quietest);
    }
    return suspect;
  }
}
