// What the door allows before anybody has shown a key. Those an operator may change are in the configuration
// (`limits`); docs/limits.md lists both.

export const doorLimits = {
  /** Bytes of a ClientHello that are looked through for a server name. */
  clientHelloSize: 16 * 1024,
  /** TLS records that a ClientHello may be spread over to be looked through. */
  clientHelloRecords: 64,
  /** Bytes read from a client that spoke clear HTTP to a port without it, before it is told so. */
  strayHttpSize: 8 * 1024,
  /** Bytes of an HTTP request's headers. */
  httpHeaderSize: 8 * 1024,
  /** Milliseconds in which an HTTP request's headers must arrive. */
  httpHeadersTime: 10_000,
  /** Milliseconds in which a whole HTTP request must arrive. */
  httpRequestTime: 30_000,
  /** Log lines of one event in a minute, of those that any stranger can cause. */
  strangerLines: 60,
} as const;
