// What every door hands to a session: bytes in, bytes out, whoever carried them. A raw socket, a TLS socket
// and (later) an RTMPT tunnel look the same from here.

/** The other end, as seen after a trusted proxy was peeled off. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** TLS server name (SNI), when the client sent one. */
  readonly serverName?: string;
}

/** How bytes arrive. The "e" of rtmpe is learnt later, from C0. */
export type Carrier = 'rtmp' | 'rtmps' | 'rtmpt' | 'rtmpts';

export interface Receiver {
  /** BORROWED: valid during this call only. */
  bytes(borrowed: Uint8Array): void;
  /** The peer reads again after write() had answered false. */
  drained(): void;
  /** Called exactly once, when nothing more will arrive; with the error if the connection broke. */
  end(error?: Error): void;
}

export interface Transport {
  readonly carrier: Carrier;
  readonly peer: Peer;
  /** TLS protocol version, such as `TLSv1.3`; undefined in the clear. */
  readonly tlsVersion?: string;
  /** Begins delivery, with what was read so far. */
  start(receiver: Receiver): void;
  /** Really stops reading the socket, so that TCP slows the peer down. */
  pause(): void;
  resume(): void;
  /** Gathers reads of this connection (PERFORMANCE 3.3); 0 = read at once. */
  pace(milliseconds: number): void;
  /** False = buffered beyond the high-water mark; the receiver is told when drained. */
  write(bytes: readonly Uint8Array[]): boolean;
  /** Flushes what was written, then half-closes; destroys the socket when the peer does not follow in time. */
  close(): void;
  /** Drops the connection at once. */
  destroy(): void;
}
