// A Transport over an RTMPT tunnel: requests come in by any number of connections, and what they carry is one
// connection to a session. Turns the hands of a TunnelSession (tunnel/): when bodies are read, how long answers are
// held back, and when a tunnel is over. Knows HTTP only as an Exchange.
import { ApplianceError, ProtocolError, TransportError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { TlsFacts } from '../ops/origin.ts';
import { tunnelLimits } from '../tunnel/tunnel-limits.ts';
import type { TunnelVerb } from '../tunnel/tunnel-request.ts';
import { TunnelSession } from '../tunnel/tunnel-session.ts';
import { transportLimits } from './transport-limits.ts';
import { sniff } from './sniff-rule.ts';
import type { Peer, Receiver, RtmpDoor, Transport } from './transport.ts';

/** A TCP connection that carries requests. */
export interface Carrier {
  /** Monotonic milliseconds; undefined while it is open. */
  closedAt: number | undefined;
}

/** One HTTP request whose head has arrived, and its answer. */
export interface Exchange {
  readonly carrier: Carrier;
  /** Reads the body and calls back with it; never when the peer breaks off. */
  read(done: (body: Uint8Array) => void): void;
  /** Stops the reading of the connection behind this request, and goes on with it. */
  hold(): void;
  release(): void;
  answer(body: Uint8Array): void;
  /** The tunnel is gone. */
  refuse(): void;
}

export interface TunnelTransportOptions {
  readonly peer: Peer;
  /** What TLS agreed on with the connection that opened the tunnel; undefined outside it. */
  readonly tls: TlsFacts | undefined;
  readonly certificate?: Uint8Array | undefined;
  /** Milliseconds from now in which the first tunnelled byte has to come. */
  readonly handshakeTimeout: number;
  readonly refusalOf: (door: RtmpDoor) => string | undefined;
  readonly clock: Clock;
  /** The first byte has said what this is. */
  readonly onTransport: (transport: Transport) => void;
  /** Called when the peer has shown a good key. */
  readonly onAdmit: () => void;
  /** Called once when the tunnel is over; with the error when no session has been told of it. */
  readonly onGone: (untold?: ApplianceError) => void;
}

interface Waiting {
  readonly verb: TunnelVerb;
  readonly sequence: number;
  readonly exchange: Exchange;
}

export class TunnelTransport implements Transport {
  readonly peer: Peer;
  readonly tls: boolean;
  readonly tlsFacts: TlsFacts | undefined;
  readonly certificate: Uint8Array | undefined;
  readonly acceptedAt: number;
  readonly #options: TunnelTransportOptions;
  readonly #session = new TunnelSession<Exchange>();
  #door: RtmpDoor | undefined;
  #receiver: Receiver | undefined;
  /** What came before the session had started to listen. */
  #early: Uint8Array | undefined;
  /** Arrived while nothing is read. */
  #unread: Waiting[] = [];
  #carrier: Carrier | undefined;
  #lastRequest: number;
  #gapSince: number | undefined;
  #lingerUntil: number | undefined;
  #cancelPoll: CancelTimer | undefined;
  #paused = false;
  #driving = false;
  #over = false;

  constructor(options: TunnelTransportOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.tls = options.tls !== undefined;
    this.tlsFacts = options.tls;
    this.certificate = options.certificate;
    this.acceptedAt = this.#lastRequest = options.clock.monotonic();
  }

  /** Known once the first byte has come, which is before anybody gets to see this transport. */
  get door(): RtmpDoor {
    return this.#door ?? (this.tls ? 'rtmpts' : 'rtmpt');
  }

  get refusal(): string | undefined {
    return this.#options.refusalOf(this.door);
  }

  /** A request of this tunnel has begun to arrive. */
  take(verb: TunnelVerb, sequence: number, exchange: Exchange): void {
    if (this.#over) return exchange.refuse();
    this.#lastRequest = this.#options.clock.monotonic();
    this.#carrier = exchange.carrier;
    if (!this.#paused) return this.#read({ verb, sequence, exchange });
    if (this.#unread.length >= tunnelLimits.waitingRequests) {
      exchange.refuse();
      return this.#fail(new ProtocolError('TUNNEL_OUT_OF_ORDER', 'too many requests wait to be read'));
    }
    this.#unread.push({ verb, sequence, exchange });
    exchange.hold();
  }

  /** Looks at the clock. Called about twice a second. */
  tick(): void {
    const now = this.#options.clock.monotonic();
    const { handshakeTimeout } = this.#options;
    const closedAt = this.#carrier?.closedAt;
    this.#gapSince = this.#session.gapped ? (this.#gapSince ?? now) : undefined;
    if (this.#lingerUntil !== undefined && now >= this.#lingerUntil) this.#finish();
    else if (this.#door === undefined && now >= this.acceptedAt + handshakeTimeout) {
      this.#finish(new TransportError('HANDSHAKE_TIMEOUT', 'nothing came through the tunnel'));
    } else if (this.#gapSince !== undefined && now >= this.#gapSince + tunnelLimits.gapTime) {
      this.#finish(new ProtocolError('TUNNEL_OUT_OF_ORDER', 'a missing request never came'));
    } else if (closedAt !== undefined && now >= closedAt + tunnelLimits.graceTime) {
      this.#finish(new TransportError('PEER_GONE', 'the connection that carried the tunnel is gone'));
    } else if (this.#silent && now >= this.#lastRequest + tunnelLimits.idleTime) {
      this.#finish(new TransportError('IDLE_TIMEOUT', 'no request came through the tunnel for too long'));
    }
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.#deliver(early);
    this.#drive();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#readAll();
    this.#drive();
  }

  admit(): void {
    this.#session.admit();
    this.#options.onAdmit();
  }

  write(bytes: readonly Uint8Array[]): void {
    if (this.#over || this.#lingerUntil !== undefined || bytes.length === 0) return;
    this.#session.write(bytes);
    if (this.#session.outputSize > tunnelLimits.outputSize) {
      return this.#finish(new TransportError('WRITE_STALLED', 'the peer does not fetch what it is sent'));
    }
    this.#drive();
  }

  /** The last words are fetched by a request that waits already, or by the next one. */
  close(): void {
    if (this.#over || this.#lingerUntil !== undefined) return;
    this.#lingerUntil = this.#options.clock.monotonic() + transportLimits.lingerTime;
    this.#paused = false;
    this.#readAll();
    this.#drive();
  }

  destroy(): void {
    this.#finish();
  }

  get #silent(): boolean {
    return this.#session.silent && this.#unread.length === 0;
  }

  #read({ verb, sequence, exchange }: Waiting): void {
    exchange.read((body) => {
      if (this.#over) return exchange.refuse();
      this.#lastRequest = this.#options.clock.monotonic();
      try {
        this.#session.receive({ verb, sequence, body }, exchange);
      } catch (error) {
        exchange.refuse();
        this.#fail(error);
        return;
      }
      this.#drive();
    });
  }

  #readAll(): void {
    for (const waiting of this.#unread.splice(0)) {
      waiting.exchange.release();
      this.#read(waiting);
    }
  }

  #drive(): void {
    if (this.#driving) return; // a receiver that writes or closes comes back to the loop below
    this.#driving = true;
    while (!this.#paused && !this.#over && this.#early === undefined) {
      const step = this.#session.next();
      if (step === undefined) break;
      if (step.type === 'answer') this.#answer(step.exchange, step.body);
      else if (step.type === 'bytes') this.#deliver(step.bytes);
      else this.#finish();
    }
    this.#driving = false;
    if (this.#over) return;
    if (this.#lingerUntil !== undefined && this.#session.outputSize === 0) return this.#finish();
    if (this.#session.polling) this.#awaitOutput();
  }

  #answer(exchange: Exchange, body: Uint8Array): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
    exchange.answer(body);
  }

  #awaitOutput(): void {
    this.#cancelPoll ??= this.#options.clock.after(tunnelLimits.pollTime, () => {
      this.#session.endPoll();
      this.#drive();
    });
  }

  #deliver(bytes: Uint8Array): void {
    if (this.#lingerUntil !== undefined) return;
    if (this.#door === undefined && !this.#recognise(bytes[0] ?? 0)) return;
    if (this.#receiver === undefined) {
      this.#early = bytes;
      this.#options.onTransport(this);
      return;
    }
    try {
      this.#receiver.bytes(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** C0 says which of the doors this is; inside TLS the handshake makes no difference. */
  #recognise(first: number): boolean {
    const kind = sniff(first);
    if (kind !== 'rtmp' && kind !== 'rtmpe') {
      this.#finish(new TransportError('PROTOCOL_UNKNOWN', 'the tunnel carries something that is not RTMP'));
      return false;
    }
    this.#door = this.tls ? 'rtmpts' : kind === 'rtmpe' ? 'rtmpte' : 'rtmpt';
    return true;
  }

  #fail(error: unknown): void {
    this.#finish(error instanceof Error ? error : new Error(String(error)));
  }

  #finish(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelPoll?.();
    for (const { exchange } of this.#unread.splice(0)) {
      exchange.release();
      exchange.refuse();
    }
    for (const exchange of this.#session.abandon()) exchange.refuse();
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#options.onGone(receiver === undefined && error instanceof ApplianceError ? error : undefined);
    // Never inside a call of the session's own: it has not done yet what belongs before its end.
    queueMicrotask(() => receiver?.end(error));
  }
}
