// What is remembered of encoders that may want to sign in (sign-in-memory.ts).

export const sessionLimits = {
  /** Times that the name of the same stream is published without a key before the encoder is asked to sign in. */
  signInHints: 3,
  /** Milliseconds in which these have to come, and for which it is asked then. */
  signInHintTime: 600_000,
  /** Challenges in a row that may stay without an answer before connects are let in again. */
  signInUnanswered: 1,
  /** Milliseconds that a good sign-in, or a good key in the stream key field, is remembered after its last use. */
  signInMemory: 86_400_000,
  /** Encoders remembered; beyond them the one that was quiet for longest is forgotten. */
  signInEncoders: 4096,
  /** Log lines of one event in a minute about the ends of sessions that never published. */
  strangerLines: 60,
} as const;
