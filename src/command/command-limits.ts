// What a peer may do with commands and control messages. The defaults keep real encoders far away from every
// limit; docs/limits.md lists them. pure.

export const commandLimits = {
  /** Longest `app` or publishing name, query included, in UTF-16 code units. */
  nameLength: 512,
  /** Longest `tcUrl`, in UTF-16 code units. */
  urlLength: 1024,
  /** Longest `flashVer` that is kept, in UTF-16 code units; the rest is cut off. */
  flashVerLength: 64,
  /** Message streams that one connection may have open. */
  streams: 8,
  /** Commands and data messages per second, gathered over at most one second. */
  commandsPerSecond: 100,
  /** Control messages per second, gathered over at most one second. */
  controlsPerSecond: 50,
  /** Messages that nobody takes (media without a publication, unknown types) per second, gathered likewise. */
  unheardPerSecond: 1000,
} as const;
