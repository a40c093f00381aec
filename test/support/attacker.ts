// A peer of ill will. Each has a loopback address of its own, so that the server's log tells what became of it, and
// so that what one of them costs its address costs no other.
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { Duplex } from 'node:stream';

export interface AttackerOptions {
  readonly port: number;
  /** Where it comes from: any of 127.0.0.0/8. */
  readonly address: string;
  readonly tls?: ConnectionOptions;
  /** False: never reads what it is answered. */
  readonly reads?: boolean;
}

export class Attacker {
  readonly socket: Socket;
  /** Bytes it was answered. */
  readonly received: Buffer[] = [];
  /** Resolves when the connection is gone, whoever ended it, with the milliseconds that it lived. */
  readonly closed: Promise<number>;

  constructor({ port, address, tls, reads = true }: AttackerOptions) {
    const began = performance.now();
    const where = { port, host: '127.0.0.1', localAddress: address };
    this.socket = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls });
    this.socket.setNoDelay(true);
    this.socket.on('error', () => undefined);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.closed = promise;
    this.socket.once('close', () => resolve(performance.now() - began));
    if (reads) this.socket.on('data', (bytes: Buffer) => void this.received.push(bytes));
    else this.socket.pause();
  }

  /** Resolves when the connection is there, or gone. */
  async opened(): Promise<void> {
    const { socket } = this;
    if (socket.connecting) await Promise.race([once(socket, 'connect').catch(() => undefined), this.closed]);
  }

  /** Sends without waiting for anything. */
  send(...pieces: readonly (Uint8Array | string)[]): this {
    for (const piece of pieces) if (this.socket.writable) this.socket.write(piece);
    return this;
  }

  /** Resolves when the system has taken the bytes, or the connection is gone. */
  async sent(bytes: Uint8Array): Promise<void> {
    if (!this.socket.writable) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.socket.write(bytes, () => resolve());
    await Promise.race([promise, this.closed]);
  }

  /** Sends one byte after the other, with pauses (ms), until the server has had enough. */
  async drip(bytes: Uint8Array, pause: number): Promise<number> {
    let at = 0;
    const timer = setInterval(
      () => this.send(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)),
      pause,
    );
    return this.closed.finally(() => clearInterval(timer));
  }

  /** Resolves when so many bytes were answered; rejects when the connection ends before. */
  async answered(length: number): Promise<Buffer> {
    let gone = false;
    void this.closed.then(() => (gone = true));
    for (;;) {
      const bytes = Buffer.concat(this.received);
      if (bytes.length >= length) return bytes;
      if (gone) throw new Error(`the connection ended after ${bytes.length} of ${length} bytes`);
      await Promise.race([once(this.socket, 'data'), this.closed]);
    }
  }

  /** Hangs up with a reset in the middle of everything. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

/** What a TLS client says first. */
export async function clientHello(): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const wire = new Duplex({ read: () => undefined, write: (bytes: Buffer) => resolve(bytes) });
  const client = connectTls({ socket: wire, servername: 'localhost' });
  client.on('error', () => undefined);
  const hello = await promise;
  client.destroy();
  return hello;
}
