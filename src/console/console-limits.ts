// What a peer may ask of the HTTP API, each with its reason. docs/limits.md lists them, and a house test compares.

export const consoleLimits = {
  /** Bytes of a request body: the largest, a new key with its list of address blocks, takes a few kilobytes. */
  bodySize: 64 * 1024,
  /** Entries on one page of a list: what one answer may cost in memory. */
  pageSize: 1000,
  /** Label sets of one metric that are told apart; the others are summed up. */
  metricSeries: 1000,
} as const;
