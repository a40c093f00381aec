// A Transport over one TCP or TLS socket. It delivers borrowed reads, turns every failure into one end(), and
// never lets an exception of a receiver out: that would end the process, not the connection.
import type { Socket } from 'node:net';
import { TransportError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { TlsFacts } from '../ops/origin.ts';
import { transportLimits } from './transport-limits.ts';
import type { PacedConnection, ReadPacer } from './read-pacer.ts';
import { deliverReads } from './static-reads.ts';
import type { Peer, Receiver, RtmpDoor, Transport } from './transport.ts';

export interface SocketTransportOptions {
  readonly socket: Socket;
  /** What was read from the socket already. */
  readonly first: Uint8Array;
  readonly door: RtmpDoor;
  readonly peer: Peer;
  /** What TLS agreed on; undefined outside it. */
  readonly tls: TlsFacts | undefined;
  readonly certificate?: Uint8Array | undefined;
  readonly acceptedAt: number;
  readonly refusal: string | undefined;
  readonly clock: Clock;
  readonly pacer: ReadPacer;
  readonly staticReads: boolean;
  /** Called when the peer has shown a good key. */
  readonly onAdmit: () => void;
}

export class SocketTransport implements Transport {
  readonly door: RtmpDoor;
  readonly peer: Peer;
  readonly tls: boolean;
  readonly tlsFacts: TlsFacts | undefined;
  readonly certificate: Uint8Array | undefined;
  readonly acceptedAt: number;
  readonly refusal?: string;
  readonly #options: SocketTransportOptions;
  readonly #socket: Socket;
  #receiver: Receiver | undefined;
  #reads: PacedConnection | undefined;
  #paused = false;
  #closing = false;
  #error: Error | undefined;
  #cancelLinger: CancelTimer | undefined;

  constructor(options: SocketTransportOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.door = options.door;
    this.peer = options.peer;
    this.tls = options.tls !== undefined;
    this.tlsFacts = options.tls;
    this.certificate = options.certificate;
    this.acceptedAt = options.acceptedAt;
    if (options.refusal !== undefined) this.refusal = options.refusal;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const socket = this.#socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error ??= new TransportError('PEER_GONE', error.code ?? error.message, { cause: error });
      socket.destroy(); // Node leaves a socket open whose TLS failed after the handshake
    });
    socket.on('end', () => {
      this.#end();
      // The writable side may still be waiting for a peer that is gone, or that never reads.
      this.#linger();
      socket.destroySoon();
    });
    socket.on('close', () => {
      this.#cancelLinger?.();
      this.#end();
    });
    const reads = deliverReads(socket, (borrowed) => this.#deliver(borrowed), this.#options.staticReads);
    this.#reads = Object.assign(reads, { moved: 0, paused: this.#paused });
    this.#deliver(this.#options.first);
    if (!this.#paused) this.#reads.start();
  }

  pause(): void {
    this.#setPaused(true);
    this.#reads?.stop();
  }

  resume(): void {
    this.#setPaused(false);
    this.#reads?.start();
  }

  admit(): void {
    this.#options.onAdmit();
    if (!this.#closing && this.#reads !== undefined) this.#options.pacer.add(this.#reads);
  }

  write(bytes: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (this.#closing || !socket.writable || bytes.length === 0) return;
    socket.cork();
    for (const piece of bytes) socket.write(piece);
    socket.uncork();
    if (socket.writableLength > transportLimits.writeQueue) {
      this.#error ??= new TransportError('WRITE_STALLED', 'the peer does not read what it is sent');
      this.destroy();
    }
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#leavePacer();
    if (this.#socket.destroyed) return;
    this.#socket.end();
    // Input that nobody read would turn our last words into a reset, so it is read and dropped for a while.
    this.resume();
    this.#linger();
  }

  destroy(): void {
    this.#closing = true;
    this.#leavePacer();
    this.#socket.destroy();
  }

  #deliver(borrowed: Uint8Array): void {
    if (this.#reads !== undefined) this.#reads.moved += borrowed.length;
    if (this.#closing) return;
    try {
      this.#receiver?.bytes(borrowed);
    } catch (error) {
      this.#error ??= error instanceof Error ? error : new Error(String(error));
      this.destroy();
    }
  }

  #end(): void {
    this.#closing = true;
    this.#leavePacer();
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end(this.#error);
  }

  #linger(): void {
    this.#cancelLinger ??= this.#options.clock.after(transportLimits.lingerTime, () =>
      this.#socket.destroy(),
    );
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    if (this.#reads !== undefined) this.#reads.paused = paused;
  }

  #leavePacer(): void {
    if (this.#reads !== undefined) this.#options.pacer.remove(this.#reads);
  }
}
