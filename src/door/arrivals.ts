// From an accepted socket to a visitor: whose address is known (a trusted proxy tells the real one, PROXY protocol),
// who is within the limits and not locked out, and whose handshake deadline runs, whatever bytes come.
import type { Socket } from 'node:net';
import { type AddressBlock, blockContains, parseAddress } from '../ops/address.ts';
import type { Clock } from '../ops/clock.ts';
import type { LineBudget } from '../ops/line-budget.ts';
import type { Log } from '../ops/log.ts';
import { Admission, type AdmissionLimits, type Entry } from './admission.ts';
import { parseProxyHeader } from './proxy-header.ts';
import type { Peer } from '../transport/transport.ts';

/** What any stranger can make the log say. */
export type StrangerLine = 'refused' | 'garbled' | 'timed-out' | 'proxy-garbled';

/** One accepted TCP connection on its way through sniffing and TLS. */
export interface Visitor {
  readonly peer: Peer;
  /** Doors of the listener it came to. */
  readonly accept: ReadonlySet<string>;
  /** Monotonic milliseconds. */
  readonly acceptedAt: number;
  readonly entry: Entry;
  /** Ends the deadline that runs until a session or the HTTP server takes over. */
  readonly taken: () => void;
}

export interface ArrivalsOptions {
  readonly limits: AdmissionLimits & { /** Milliseconds from accept. */ readonly handshakeTimeout: number };
  /** Who must begin with a PROXY header, and is believed. */
  readonly trustedProxies: readonly AddressBlock[];
  /** Whether an address is locked out: its connections are closed as soon as they are accepted. */
  readonly turnsAway?: (address: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly lines: LineBudget<StrangerLine>;
  readonly onVisitor: (socket: Socket, visitor: Visitor) => void;
}

export class Arrivals {
  readonly admission: Admission;
  readonly #options: ArrivalsOptions;
  /** Every open connection. */
  readonly #sockets = new Set<Socket>();
  readonly #refused = { TOO_MANY_CONNECTIONS: 0, ADDRESS_LOCKED_OUT: 0 };

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.admission = new Admission(options.limits);
  }

  take(socket: Socket, accept: ReadonlySet<string>): void {
    socket.on('error', () => undefined); // whoever takes the socket over listens as well; until then, just 'close'
    const address = socket.remoteAddress;
    if (address === undefined) {
      socket.destroy(); // it hung up before it was looked at
      return;
    }
    const { clock, limits } = this.#options;
    const own: Peer = { address, port: socket.remotePort ?? 0 };
    const acceptedAt = clock.monotonic();
    const taken = clock.after(limits.handshakeTimeout, () => this.#tooLate(socket, address));
    this.#sockets.add(socket);
    socket.once('close', () => {
      taken();
      this.#sockets.delete(socket);
    });
    const admit = (peer: Peer) => this.#admit(socket, { peer, accept, acceptedAt, taken });
    if (this.#isTrustedProxy(address)) this.#readProxyHeader(socket, own, admit);
    else admit(own);
  }

  /** Counts and says that somebody was turned away. */
  refuse(
    address: string,
    code: 'TOO_MANY_CONNECTIONS' | 'ADDRESS_LOCKED_OUT' = 'TOO_MANY_CONNECTIONS',
  ): void {
    this.#refused[code] += 1;
    const { log, lines } = this.#options;
    const line = lines.take('refused');
    if (line === undefined) log.debug('connection.refused', { peer: address, code });
    else log.warn('connection.refused', { peer: address, code, ...line });
  }

  /** How many were turned away so far, by code. */
  get refused(): Readonly<Record<'TOO_MANY_CONNECTIONS' | 'ADDRESS_LOCKED_OUT', number>> {
    return this.#refused;
  }

  /** Drops whoever is still here. */
  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #admit(socket: Socket, visitor: Omit<Visitor, 'entry'>): void {
    const { address } = visitor.peer;
    const lockedOut = this.#options.turnsAway?.(address) === true;
    const entry = lockedOut ? undefined : this.admission.enter(address);
    if (entry === undefined) {
      this.refuse(address, lockedOut ? 'ADDRESS_LOCKED_OUT' : 'TOO_MANY_CONNECTIONS');
      socket.destroy();
      return;
    }
    socket.once('close', () => entry.leave());
    this.#options.onVisitor(socket, { ...visitor, entry });
  }

  #isTrustedProxy(address: string): boolean {
    const parsed = this.#options.trustedProxies.length === 0 ? undefined : parseAddress(address);
    return parsed !== undefined && this.#options.trustedProxies.some((block) => blockContains(block, parsed));
  }

  #readProxyHeader(socket: Socket, own: Peer, admit: (peer: Peer) => void): void {
    let bytes = Buffer.alloc(0);
    const look = () => {
      const more = socket.read() as Buffer | null;
      if (more === null) return; // the end, or nothing yet
      bytes = Buffer.concat([bytes, more]);
      const header = parseProxyHeader(bytes);
      if (header.kind === 'incomplete') return;
      socket.removeListener('readable', look);
      if (header.kind === 'invalid') {
        const hint = 'trustedProxies must only name machines that send the PROXY protocol';
        const { log, lines } = this.#options;
        const line = lines.take('proxy-garbled');
        if (line === undefined) log.debug('proxy.garbled', { peer: own.address });
        else log.warn('proxy.garbled', { peer: own.address, hint, ...line });
        socket.destroy();
        return;
      }
      if (header.length < bytes.length) socket.unshift(bytes.subarray(header.length));
      admit(header.source ?? own);
    };
    socket.on('readable', look);
  }

  #tooLate(socket: Socket, address: string): void {
    const { log, lines } = this.#options;
    const line = lines.take('timed-out');
    const code = 'HANDSHAKE_TIMEOUT';
    if (line === undefined) log.debug('connection.timed-out', { code, peer: address });
    else log.info('connection.timed-out', { code, peer: address, ...line });
    socket.destroy();
  }
}
