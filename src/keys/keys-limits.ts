// What bounds guessing (SECURITY 3 "Guessing"). Nothing here locks a key: only an address is locked out.

export const keysLimits = {
  /** Wrong keys from one address (IPv6: /64), at once or within a minute, before it is locked out. */
  guesses: 10,
  /** What one text that is no key, or a mistyped one, counts against one wrong key: it cannot open anything. */
  malformedWeight: 0.25,
  /** Milliseconds of the first lockout; each further one lasts twice as long. */
  firstLockout: 60_000,
  /** Milliseconds of the longest lockout; as long without one makes the next one a first one again. */
  longestLockout: 3_600_000,
  /** Addresses remembered; beyond them the one that was quiet for longest is forgotten. */
  guessingAddresses: 65_536,
  /** Milliseconds that the second wrong key waits for its answer; each further one waits twice as long. */
  firstDelay: 500,
  /** Milliseconds of the longest such wait. */
  longestDelay: 4000,
  /** Milliseconds that a sign-in challenge may be answered. */
  challengeTime: 60_000,
  /** Characters of what an encoder says of itself that are kept with its key. */
  encoderLength: 128,
} as const;
