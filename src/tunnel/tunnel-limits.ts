// What one RTMPT tunnel may hold, and how long it may be silent. docs/limits.md lists them with their reasons.

export const tunnelLimits = {
  /** Bytes of one request's body; a larger one is refused before it is read. */
  bodySize: 1024 * 1024,
  /** The same for who has not shown a good key. */
  bodySizeBeforeAuth: 64 * 1024,
  /** Bytes of requests that have arrived and cannot be taken yet. */
  heldBytes: 2 * 1024 * 1024,
  /** The same for who has not shown a good key. */
  heldBytesBeforeAuth: 128 * 1024,
  /** How far a request may be ahead of the first missing one. */
  heldAhead: 8,
  /** Milliseconds that a missing request may take to come. */
  gapTime: 5_000,
  /** Times that one request may be repeated while it waits for its answer. */
  repeats: 4,
  /** Requests of a tunnel that may be waiting to be read. */
  waitingRequests: 2048,
  /** Bytes that may wait for the peer to fetch them. */
  outputSize: 1024 * 1024,
  /** Milliseconds that an empty answer to `idle` is held back: who asks in vain must not ask all the time. */
  pollTime: 200,
  /** Milliseconds without any request. */
  idleTime: 30_000,
  /** Milliseconds that a tunnel outlives the connection that carried it. */
  graceTime: 4_000,
} as const;
