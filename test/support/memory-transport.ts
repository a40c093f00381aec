// A transport without a network: what the peer sends waits while the session does not read, and what the session
// writes is kept for the peer.
import type { TlsFacts } from '../../src/ops/origin.ts';
import type { Peer, Receiver, RtmpDoor, Transport } from '../../src/transport/transport.ts';
import { testOrigin } from './test-origin.ts';

export interface MemoryTransportOptions {
  readonly door?: RtmpDoor;
  readonly peer?: Peer;
  readonly acceptedAt?: number;
  readonly refusal?: string | undefined;
  /** Whether the peer hangs up when it is closed upon, as it should; true unless told. */
  readonly polite?: boolean;
}

export class MemoryTransport implements Transport {
  readonly door: RtmpDoor;
  readonly peer: Peer;
  readonly tls: boolean;
  readonly tlsFacts: TlsFacts | undefined;
  readonly acceptedAt: number;
  readonly refusal?: string;
  readonly #polite: boolean;
  #receiver: Receiver | undefined;
  #waiting: Uint8Array[] = [];
  #written: Uint8Array[] = [];
  #state: 'open' | 'closed' | 'destroyed' | 'ended' = 'open';
  paused = false;
  /** How often pause() and resume() were called. */
  readonly calls = { pause: 0, resume: 0, admit: 0 };

  constructor(options: MemoryTransportOptions = {}) {
    this.door = options.door ?? 'rtmps';
    this.tls = this.door === 'rtmps';
    this.tlsFacts = this.tls ? testOrigin.tls : undefined;
    this.peer = options.peer ?? { address: '192.0.2.7', port: 50_123 };
    this.acceptedAt = options.acceptedAt ?? 0;
    if (options.refusal !== undefined) this.refusal = options.refusal;
    this.#polite = options.polite ?? true;
  }

  get state(): 'open' | 'closed' | 'destroyed' | 'ended' {
    return this.#state;
  }

  // What the session does.

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#flush();
  }

  pause(): void {
    this.calls.pause += 1;
    this.paused = true;
  }

  resume(): void {
    this.calls.resume += 1;
    this.paused = false;
    this.#flush();
  }

  admit(): void {
    this.calls.admit += 1;
  }

  write(bytes: readonly Uint8Array[]): void {
    if (this.#state === 'open') this.#written.push(...bytes);
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.paused = false;
    this.#waiting = [];
    if (this.#polite) queueMicrotask(() => this.hangUp());
  }

  destroy(): void {
    this.#state = 'destroyed';
    queueMicrotask(() => this.hangUp());
  }

  // What the peer does.

  send(bytes: Uint8Array): void {
    this.#waiting.push(new Uint8Array(bytes));
    this.#flush();
  }

  /** Delivers although reading is paused: a read that was under way. */
  sendUnderWay(bytes: Uint8Array): void {
    this.#receiver?.bytes(new Uint8Array(bytes));
  }

  /** The connection ends, or breaks. */
  hangUp(error?: Error): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#state = 'ended';
    receiver?.end(error);
  }

  /** What the session wrote since the last time. */
  take(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#written.splice(0)));
  }

  #flush(): void {
    while (!this.paused && this.#state === 'open' && this.#receiver !== undefined) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) return;
      this.#receiver.bytes(bytes);
      bytes.fill(0xee); // it was only borrowed
    }
  }
}
