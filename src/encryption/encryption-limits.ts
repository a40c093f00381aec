// Bounds on what the place of the key may answer.

export const encryptionLimits = {
  /** Characters of the file or the answer that holds the key. */
  keyLength: 1024,
  /** Milliseconds in which the command that fetches the key must answer. */
  commandTimeout: 10_000,
} as const;
