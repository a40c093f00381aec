// The HTTP side of RTMPT (RTMPE 4): finds the tunnel of a request, refuses before reading what is too large or not
// its sender's, and writes answers as short as clients allow. Sequences and bytes are the tunnel's own business.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ApplianceError } from '../errors.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { TlsFacts } from '../ops/origin.ts';
import type { Random } from '../ops/random.ts';
import { tunnelLimits } from '../tunnel/tunnel-limits.ts';
import { parseTunnelRequest, type TunnelRequest } from '../tunnel/tunnel-request.ts';
import { Admission, type AdmissionLimits, type Entry } from './admission.ts';
import type { Peer, RtmpDoor, Transport } from '../transport/transport.ts';
import { type Carrier, type Exchange, TunnelTransport } from '../transport/tunnel-transport.ts';

/** Bytes of a tunnel's name: nobody guesses it, and clients take 63 characters at most. RTMPE 4.2 */
const idLength = 16;
const tickInterval = 500;

export interface TunnelServerOptions {
  readonly limits: AdmissionLimits & { readonly handshakeTimeout: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onTransport: (transport: Transport) => void;
  readonly wrongDoor: (door: RtmpDoor) => string;
  /** A limit of connections is reached. */
  readonly onFull: (address: string) => void;
}

/** The connection that a request came by. */
export interface TunnelVisitor {
  readonly peer: Peer;
  readonly tls: TlsFacts | undefined;
  /** DER, if the client has shown one. */
  readonly certificate?: Uint8Array | undefined;
  /** Doors that its listener accepts; the same set for all connections of a listener. */
  readonly accept: ReadonlySet<string>;
  readonly entry: Entry;
}

interface Tunnel {
  readonly transport: TunnelTransport;
  readonly visitor: TunnelVisitor;
  admitted: boolean;
}

interface HttpCarrier extends Carrier {
  holds: number;
}

/** Whether a listener takes tunnels at all, inside TLS or in the clear. */
export function acceptsTunnels(accept: ReadonlySet<string>, tls: boolean): boolean {
  return tls ? accept.has('rtmpts') : accept.has('rtmpt') || accept.has('rtmpte');
}

export class TunnelServer {
  readonly #options: TunnelServerOptions;
  /** Counted by the limits of connections, apart from the connections that carry them. */
  readonly #admission: Admission;
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #carriers = new WeakMap<Socket, HttpCarrier>();
  #cancelTick: CancelTimer | undefined;

  constructor(options: TunnelServerOptions) {
    this.#options = options;
    this.#admission = new Admission(options.limits);
  }

  /** How many tunnels are open. */
  get size(): number {
    return this.#tunnels.size;
  }

  /** False when the request is none of a tunnel's: somebody else has to answer it. */
  handle(request: IncomingMessage, response: ServerResponse, visitor: TunnelVisitor): boolean {
    let parsed: TunnelRequest | undefined;
    try {
      parsed = parseTunnelRequest(request.method ?? '', request.url ?? '');
    } catch (error) {
      this.#refuse(response, 400, visitor, error);
      return true;
    }
    if (parsed === undefined) return false;
    if (acceptsTunnels(visitor.accept, visitor.tls !== undefined))
      this.#handle(parsed, request, response, visitor);
    else refuseInWords(response, this.#options.wrongDoor(visitor.tls !== undefined ? 'rtmpts' : 'rtmpt'));
    return true;
  }

  /** Tunnels that no session has ended by now. */
  stop(): void {
    for (const { transport } of this.#tunnels.values()) transport.destroy();
    this.#cancelTick?.();
  }

  #handle(
    parsed: TunnelRequest,
    request: IncomingMessage,
    response: ServerResponse,
    visitor: TunnelVisitor,
  ): void {
    const tunnel = 'id' in parsed ? this.#find(parsed.id, visitor) : undefined;
    const length = request.headers['content-length'];
    // Encoded bodies have no length; Node has refused by now what has both.
    if (length === undefined) return this.#refuse(response, 411, visitor);
    const { bodySize, bodySizeBeforeAuth } = tunnelLimits;
    const limit = tunnel?.admitted === true ? bodySize : bodySizeBeforeAuth;
    if (Number(length) > limit) return this.#refuse(response, 413, visitor);
    if (parsed.type === 'ident') this.#refuse(response, 404, visitor, undefined, true); // clients go on. RTMPE 4.1
    else if (parsed.type === 'open') this.#open(request, response, visitor);
    else if (tunnel === undefined) this.#refuse(response, 404, visitor);
    else {
      if (tunnel.admitted) visitor.entry.admit();
      tunnel.transport.take(parsed.type, parsed.sequence, this.#exchange(request, response, visitor));
    }
  }

  /** A tunnel belongs to the address, the listener and the client certificate that it was opened by. RTMPE 4.3 */
  #find(id: string, { peer, tls, accept, certificate }: TunnelVisitor): Tunnel | undefined {
    const tunnel = this.#tunnels.get(id);
    const owner = tunnel?.visitor;
    const same =
      owner?.peer.address === peer.address &&
      (owner.tls === undefined) === (tls === undefined) &&
      owner.accept === accept &&
      sameBytes(owner.certificate, certificate);
    return same ? tunnel : undefined;
  }

  #open(request: IncomingMessage, response: ServerResponse, visitor: TunnelVisitor): void {
    const exchange = this.#exchange(request, response, visitor);
    exchange.read(() => {
      const { clock, random, limits, onTransport, onFull, wrongDoor } = this.#options;
      const entry = this.#admission.enter(visitor.peer.address);
      if (entry === undefined) {
        onFull(visitor.peer.address);
        return this.#refuse(response, 503, visitor);
      }
      const id = Buffer.from(random.bytes(idLength)).toString('base64url');
      const transport = new TunnelTransport({
        peer: visitor.peer,
        tls: visitor.tls,
        certificate: visitor.certificate,
        handshakeTimeout: limits.handshakeTimeout,
        refusalOf: (door) => (visitor.accept.has(door) ? undefined : wrongDoor(door)),
        clock,
        onTransport,
        onAdmit: () => {
          entry.admit();
          tunnel.admitted = true;
        },
        onGone: (untold) => {
          entry.leave();
          this.#tunnels.delete(id);
          this.#logUntold(visitor, untold);
          if (this.#tunnels.size > 0) return;
          this.#cancelTick?.();
          this.#cancelTick = undefined;
        },
      });
      const tunnel: Tunnel = { transport, visitor, admitted: false };
      this.#tunnels.set(id, tunnel);
      this.#cancelTick ??= clock.every(tickInterval, () => {
        for (const one of this.#tunnels.values()) one.transport.tick();
      });
      exchange.answer(Buffer.from(`${id}\n`)); // exactly one line feed. RTMPE 4.2
    });
  }

  #exchange(request: IncomingMessage, response: ServerResponse, visitor: TunnelVisitor): Exchange {
    const { socket } = request;
    const carrier = this.#carrierOf(socket);
    return {
      carrier,
      read: (done) => readBody(request, done),
      hold: () => {
        carrier.holds += 1;
        // At the end of each request Node begins to read again, so the pause comes after what it parses just now.
        setImmediate(() => void (carrier.holds > 0 && socket.pause()));
      },
      release: () => {
        carrier.holds -= 1;
        if (carrier.holds === 0) socket.resume();
      },
      answer: (body) => {
        // An encoder may be silent for longer than a browser.
        response.once('finish', () => void socket.setTimeout(tunnelLimits.idleTime));
        answer(response, body);
      },
      refuse: () => this.#refuse(response, 404, visitor),
    };
  }

  #carrierOf(socket: Socket): HttpCarrier {
    const known = this.#carriers.get(socket);
    if (known !== undefined) return known;
    const carrier: HttpCarrier = { closedAt: undefined, holds: 0 };
    this.#carriers.set(socket, carrier);
    socket.once('close', () => (carrier.closedAt = this.#options.clock.monotonic()));
    return carrier;
  }

  /** Hangs up as well, unless told otherwise: a client that never reads has to notice. RTMPE 4.2 */
  #refuse(
    response: ServerResponse,
    status: number,
    { peer }: TunnelVisitor,
    error?: unknown,
    goOn = false,
  ): void {
    const code = error instanceof ApplianceError ? error.code : undefined;
    this.#options.log.debug('tunnel-request.refused', { peer: peer.address, status, code });
    response.sendDate = false;
    response.writeHead(status, { 'Content-Length': 0, ...(goOn ? {} : { Connection: 'close' }) }).end();
  }

  #logUntold({ peer }: TunnelVisitor, error: ApplianceError | undefined): void {
    if (error === undefined) return;
    const { code, message: reason } = error;
    this.#options.log.info('tunnel.ended', { peer: peer.address, code, reason });
  }
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}

/** librtmp wants this spelling, a length and nothing chunked; every byte more fills buffers it never reads. RTMPE 4.2 */
function answer(response: ServerResponse, body: Uint8Array): void {
  response.sendDate = false;
  response.removeHeader('Connection'); // and with it Keep-Alive
  response.writeHead(200, { 'Content-Type': 'application/x-fcs', 'Content-Length': body.length });
  response.end(body);
}

/**
 * Calls back with the whole body; never when the peer breaks off. Memory grows with what has arrived, not with what
 * was promised, nor with the number of pieces: each would cost a kilobyte, and a body may drip in byte by byte.
 */
function readBody(request: IncomingMessage, done: (body: Uint8Array) => void): void {
  const promised = Number(request.headers['content-length']);
  let body: Buffer = Buffer.alloc(0);
  let length = 0;
  request.on('data', (piece: Buffer) => {
    const whole = piece.length === promised;
    if (length + piece.length > body.length) {
      const grown = whole ? piece : Buffer.alloc(Math.min(promised, 2 * (length + piece.length)));
      body.copy(grown, 0, 0, length);
      body = grown;
    }
    if (!whole) piece.copy(body, length);
    length += piece.length;
  });
  request.on('end', () => done(body.subarray(0, length)));
}

export function refuseInWords(response: ServerResponse, words: string): void {
  const body = Buffer.from(`${words}\n`);
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
    Connection: 'close',
  };
  response.writeHead(421, headers).end(body);
}
