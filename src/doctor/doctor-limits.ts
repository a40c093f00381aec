// How long the doctor waits for others, and how many of their answers it looks at. docs/limits.md lists them with
// their reasons.

export const doctorLimits = {
  /** Milliseconds for the addresses of a name. */
  nameTime: 5_000,
  /** Milliseconds for one TCP connection. */
  connectTime: 5_000,
  /** Milliseconds for the TLS handshake. */
  tlsTime: 8_000,
  /** Milliseconds for the RTMP handshake, and for the opening of a tunnel. */
  handshakeTime: 8_000,
  /** Milliseconds for the answer to `connect` or `publish`: a server may let a wrong key wait. */
  answerTime: 12_000,
  /** Milliseconds for a connection to end after the last word. */
  leaveTime: 2_000,
  /** Addresses of a name that are tried. */
  addresses: 4,
  /** Bytes of one answer in a tunnel. */
  tunnelAnswer: 1024 * 1024,
} as const;
