// What every door hands to a session: bytes in, bytes out, whoever carried them. A raw socket, a TLS socket
// and an RTMPT tunnel look the same from here.
import type { TlsFacts } from '../ops/origin.ts';

/** The other end, as seen after a trusted proxy was peeled off. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** The ways in that carry RTMP, as a listener's `accept` names them. */
export type RtmpDoor = 'rtmp' | 'rtmps' | 'rtmpe' | 'rtmpt' | 'rtmpts' | 'rtmpte';

export interface Receiver {
  /** BORROWED: valid during this call only. */
  bytes(borrowed: Uint8Array): void;
  /** Called exactly once, when nothing more will arrive; with the error if the connection broke. */
  end(error?: Error): void;
}

export interface Transport {
  readonly door: RtmpDoor;
  readonly peer: Peer;
  /** True inside TLS. */
  readonly tls: boolean;
  /** What TLS agreed on; undefined outside it. */
  readonly tlsFacts: TlsFacts | undefined;
  /** DER of the certificate that the client has shown and holds the key of. What it is worth, the key gate says. */
  readonly certificate?: Uint8Array | undefined;
  /** Monotonic milliseconds at which the connection was accepted: deadlines run from here, TLS included. */
  readonly acceptedAt: number;
  /** Why this listener takes no stream through this door, in words that name a better one. */
  readonly refusal?: string | undefined;
  /** Begins delivery, with what was read so far. */
  start(receiver: Receiver): void;
  /** Really stops reading the socket, so that TCP slows the peer down. */
  pause(): void;
  resume(): void;
  /** The peer has shown a good key: it no longer counts as a stranger, and its reads are gathered. */
  admit(): void;
  /** Sends in order. A peer that never reads is dropped when too much waits. */
  write(bytes: readonly Uint8Array[]): void;
  /** Flushes what was written, then half-closes; drops the connection when the peer does not follow in time. */
  close(): void;
  /** Drops the connection at once. */
  destroy(): void;
}
