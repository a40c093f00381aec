// The listeners. One port speaks everything: the first byte says what a connection is, and the same question
// is asked again inside TLS. What a listener does not accept is refused in words that name a better door.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { ChallengeAnswers } from './challenge-answers.ts';
import type { CertificateChooser, TlsPolicy } from '../certificates/tls-policy.ts';
import { SetupError } from '../errors.ts';
import type { AddressBlock } from '../ops/address.ts';
import type { Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import { LineBudget } from '../ops/line-budget.ts';
import type { Log } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import type { AdmissionLimits } from './admission.ts';
import { Arrivals, type StrangerLine, type Visitor } from './arrivals.ts';
import { doorLimits } from './door-limits.ts';
import { ReadPacer } from '../transport/read-pacer.ts';
import { sniff } from '../transport/sniff-rule.ts';
import { SocketTransport } from '../transport/socket-transport.ts';
import { staticReadsWork } from '../transport/static-reads.ts';
import { transportLimits } from '../transport/transport-limits.ts';
import { certificateOf, tlsFactsOf, TlsTerminator } from './tls-terminator.ts';
import type { RtmpDoor, Transport } from '../transport/transport.ts';
import { acceptsTunnels, refuseInWords, TunnelServer, type TunnelVisitor } from './tunnel-server.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Names of doors: those of RtmpDoor, http and https. */
  readonly accept: readonly string[];
}

export interface DoorOptions {
  readonly listeners: readonly ListenerOptions[];
  readonly limits: AdmissionLimits & { /** Milliseconds from accept. */ readonly handshakeTimeout: number };
  /** Milliseconds over which the reads of publishers are gathered; 0 = read at once. */
  readonly ingestLatency: number;
  readonly tls: TlsPolicy;
  readonly certificates: CertificateChooser & { onRenewed(listener: () => void): () => void };
  /** What an ACME authority is to find at this moment. */
  readonly challenges: Pick<ChallengeAnswers, 'contextFor' | 'pageAt'>;
  /** Who must begin with a PROXY header, and is believed. */
  readonly trustedProxies: readonly AddressBlock[];
  /** Whether an address is locked out: its connections are closed as soon as they are accepted. */
  readonly turnsAway?: (address: string) => boolean;
  /** A URL that works for a client that came through the wrong door, as in `rtmps://ingest.example.com/live`. */
  readonly betterUrl: (wanted: 'rtmp' | 'http') => string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onTransport: (transport: Transport) => void;
  readonly onRequest: (
    request: IncomingMessage,
    response: ServerResponse,
    guest: { readonly address: string; admit(): void },
  ) => void;
}

export class DoorServer implements Component {
  readonly #options: DoorOptions;
  readonly #arrivals: Arrivals;
  readonly #lines: LineBudget<StrangerLine>;
  readonly #pacer: ReadPacer;
  readonly #servers: Server[] = [];
  readonly #tls: TlsTerminator<Visitor>;
  readonly #https: HttpServer;
  readonly #clearHttp: HttpServer;
  readonly #tunnels: TunnelServer;
  /** Who came by the connections that the HTTP servers have. */
  readonly #httpVisitors = new WeakMap<Socket, TunnelVisitor>();
  #staticReads = false;
  #failed = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#lines = new LineBudget(options.clock, doorLimits.strangerLines);
    this.#arrivals = new Arrivals({
      ...options,
      lines: this.#lines,
      onVisitor: (socket, visitor) => this.#sniff(socket, visitor, false),
    });
    this.#pacer = new ReadPacer(options.clock, options.ingestLatency);
    this.#tls = new TlsTerminator({
      policy: options.tls,
      certificates: options.certificates,
      challenges: options.challenges,
      clock: options.clock,
      random: options.random,
      log: options.log,
      onSecured: (socket, visitor) => this.#sniff(socket, visitor, true),
    });
    this.#tunnels = new TunnelServer({
      ...options,
      wrongDoor: (door) => this.#wrongDoor(door),
      onFull: (address) => this.#arrivals.refuse(address),
    });
    this.#https = httpServer((request, response) => this.#answer(request, response, 'https'));
    this.#clearHttp = httpServer((request, response) => this.#answer(request, response, 'http'));
  }

  /** Host and port of each listener, in the order of the options; real ports once started. */
  get addresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.#options.listeners.map((listener, index) => {
      const address = this.#servers[index]?.address();
      const port = typeof address === 'object' && address !== null ? address.port : listener.port;
      return { host: listener.host, port };
    });
  }

  /** What operators watch: TCP connections and tunnels that are open, and who was turned away so far. */
  get figures() {
    return {
      ...this.#arrivals.admission.counts,
      tunnels: this.#tunnels.size,
      refused: this.#arrivals.refused,
    };
  }

  /** @throws SetupError PORT_IN_USE, LISTEN_FAILED */
  async start(): Promise<void> {
    this.#staticReads = await staticReadsWork();
    if (!this.#staticReads)
      this.#options.log.warn('reads.degraded', { reason: 'this Node.js has no user buffers' });
    for (const listener of this.#options.listeners) this.#servers.push(await this.#listen(listener));
  }

  /** Stops accepting. Connections that are open stay so: their sessions end them. */
  stopAccepting(): void {
    for (const server of this.#servers) server.close();
  }

  /** Sessions are over by now; who is still here has not got as far, or speaks HTTP. */
  async stop(): Promise<void> {
    this.#tls.stop();
    this.#tunnels.stop();
    this.#arrivals.stop();
    await Promise.all(
      [...this.#servers, this.#https, this.#clearHttp].map(
        (server) => new Promise<void>((resolve) => void server.close(() => resolve())),
      ),
    );
  }

  async #listen(listener: ListenerOptions): Promise<Server> {
    const accept = new Set(listener.accept);
    const server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) =>
      this.#arrivals.take(socket, accept),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (server.listening) return this.#acceptFailed(error);
      const where = `${listener.host}:${listener.port}`;
      if (error.code === 'EADDRINUSE') {
        const hint = 'stop the other process, or choose another address under "listeners"';
        reject(new SetupError('PORT_IN_USE', `${where} is taken by another process`, { hint, cause: error }));
      } else {
        reject(
          new SetupError('LISTEN_FAILED', `cannot listen on ${where}: ${error.message}`, { cause: error }),
        );
      }
    });
    server.listen({ host: listener.host, port: listener.port, backlog: 1024 }, resolve);
    await promise;
    return server;
  }

  #sniff(socket: Socket, visitor: Visitor, tls: boolean): void {
    const look = () => {
      const first = socket.read() as Buffer | null;
      if (first === null) return; // the end, or nothing yet
      socket.removeListener('readable', look);
      this.#route(socket, first, visitor, tls);
    };
    socket.on('readable', look);
  }

  #route(socket: Socket, first: Buffer, visitor: Visitor, tls: boolean): void {
    const kind = sniff(first[0] ?? 0);
    if (kind === 'rtmp') return this.#takeRtmp(socket, first, visitor, tls ? 'rtmps' : 'rtmp');
    if (kind === 'rtmpe') return this.#takeRtmp(socket, first, visitor, tls ? 'rtmps' : 'rtmpe');
    if (kind === 'http') return this.#takeHttp(socket, first, visitor, tls);
    if (kind === 'tls' && !tls) return this.#tls.take(socket, first, visitor);
    socket.destroy();
    const { log } = this.#options;
    const fields = { code: 'PROTOCOL_UNKNOWN', peer: visitor.peer.address, firstByte: first[0] ?? 0 };
    const line = this.#lines.take('garbled');
    if (line === undefined) log.debug('connection.garbled', fields);
    else log.info('connection.garbled', { ...fields, ...line });
  }

  #takeRtmp(socket: Socket, first: Buffer, visitor: Visitor, door: RtmpDoor): void {
    visitor.taken();
    const { clock, onTransport } = this.#options;
    const transport = new SocketTransport({
      socket,
      first,
      door,
      peer: visitor.peer,
      tls: door === 'rtmps' ? tlsFactsOf(socket) : undefined,
      certificate: door === 'rtmps' ? certificateOf(socket) : undefined,
      acceptedAt: visitor.acceptedAt,
      refusal: visitor.accept.has(door) ? undefined : this.#wrongDoor(door),
      clock,
      pacer: this.#pacer,
      staticReads: this.#staticReads,
      onAdmit: () => visitor.entry.admit(),
    });
    onTransport(transport);
  }

  #takeHttp(socket: Socket, first: Buffer, visitor: Visitor, tls: boolean): void {
    visitor.taken();
    const { accept } = visitor;
    const door = tls ? 'https' : 'http';
    if (!accept.has(door) && !acceptsTunnels(accept, tls)) {
      const tunnel = /^POST \/(?:fcs|open|send|idle|close)\//.test(first.toString('latin1', 0, 16));
      return this.#answerStrayHttp(socket, tunnel ? (tls ? 'rtmpts' : 'rtmpt') : door);
    }
    const secured = tls
      ? { tls: tlsFactsOf(socket), certificate: certificateOf(socket) }
      : { tls: undefined };
    this.#httpVisitors.set(socket, { ...visitor, ...secured });
    socket.unshift(first);
    (tls ? this.#https : this.#clearHttp).emit('connection', socket);
  }

  #answer(request: IncomingMessage, response: ServerResponse, door: 'http' | 'https'): void {
    const visitor = this.#httpVisitors.get(request.socket);
    if (visitor === undefined || this.#tunnels.handle(request, response, visitor)) return;
    if (!visitor.accept.has(door)) return refuseInWords(response, this.#wrongDoor(door));
    if (door === 'https') {
      const { peer, entry } = visitor;
      const guest = { address: peer.address, admit: () => entry.admit() };
      return this.#options.onRequest(request, response, guest);
    }
    const page = this.#options.challenges.pageAt(request.url ?? '');
    if (page !== undefined) {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(page); // RFC 8555 8.3
      return;
    }
    const target = this.#options.betterUrl('http');
    if (target === undefined) response.writeHead(403).end();
    else response.writeHead(308, { Location: redirection(target, request.url ?? '') }).end();
  }

  #answerStrayHttp(socket: Socket, door: 'http' | 'https' | 'rtmpt' | 'rtmpts'): void {
    const body = `${this.#wrongDoor(door)}\n`;
    const head = [
      'HTTP/1.1 421 Misdirected Request',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    let swallowed = 0; // unread input would turn the answer into a reset
    socket.on('data', (bytes: Buffer) => {
      swallowed += bytes.length;
      if (swallowed > doorLimits.strayHttpSize) socket.destroy();
    });
    const cancel = this.#options.clock.after(transportLimits.lingerTime, () => socket.destroy());
    socket.once('close', cancel);
  }

  #wrongDoor(door: RtmpDoor | 'http' | 'https'): string {
    const url = this.#options.betterUrl(door.startsWith('rtmp') ? 'rtmp' : 'http');
    return `${doorNames[door]} is switched off here${url === undefined ? '' : `; use ${url}`}`;
  }

  #acceptFailed(error: Error): void {
    if (this.#failed++ % 100 === 0) {
      this.#options.log.error('listener.failed', {
        reason: error.message,
        hint: 'see what the system is short of: file descriptors (ulimit -n) or memory',
        failedSoFar: this.#failed,
      });
    }
  }
}

const doorNames = {
  rtmp: 'clear-text RTMP',
  rtmpe: 'RTMPE',
  rtmps: 'RTMPS',
  rtmpt: 'clear-text RTMPT',
  rtmpts: 'RTMPTS',
  rtmpte: 'RTMPTE',
  http: 'clear-text HTTP',
  https: 'HTTPS',
} as const;

/** The same path at our own host. What is no path (RFC 9112 3.2) must lead nowhere else, nor end the process. */
function redirection(target: string, path: string): string {
  return `${new URL(target).origin}${path.startsWith('/') ? path : '/'}`;
}

function httpServer(listener: RequestListener): HttpServer {
  const server = createHttpServer(
    {
      maxHeaderSize: doorLimits.httpHeaderSize,
      headersTimeout: doorLimits.httpHeadersTime,
      requestTimeout: doorLimits.httpRequestTime,
      connectionsCheckingInterval: 1000,
    },
    listener,
  );
  // A server that never listens never checks its connections for slow ones: it has to be told that it does.
  server.emit('listening');
  return server;
}
