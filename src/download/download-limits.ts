// What a downloading peer may do, each with its reason. docs/limits.md lists them, and a house test compares.

export const downloadLimits = {
  /**
   * Milliseconds in which a peer must take `chunkSize` bytes, or the download ends: a peer that does not read
   * would hold a file and its buffers open for ever.
   */
  stallTimeout: 60_000,
  /** Bytes read ahead for one download: what each costs in memory, beside the socket's own buffer. */
  chunkSize: 256 * 1024,
  /** Milliseconds that a signed link may live at most: who has it needs no token. */
  linkLife: 24 * 60 * 60_000,
} as const;
