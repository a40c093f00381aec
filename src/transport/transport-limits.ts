// What one connection may cost on its way out. docs/limits.md lists it.

export const transportLimits = {
  /** Bytes that may wait to be sent to one peer before it is dropped. */
  writeQueue: 1024 * 1024,
  /** Milliseconds that a closed connection may take to hang up, so that the last words arrive. */
  lingerTime: 2_000,
} as const;
