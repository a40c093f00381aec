// Takes TLS off a connection. There are two TLS servers: clients that name no server (SNI) get one that stops at
// TLS 1.2, because librtmp over GnuTLS (GStreamer's rtmpsink, rtmpdump) takes the session ticket that TLS 1.3 sends
// after the handshake for an error, hangs up, and never names a server; Node cannot send zero tickets. OBS always
// names one, so TLS 1.3 is given up for nobody who is known to speak it well. Who offers nothing but TLS 1.3 gets
// it, and with minVersion TLSv1.3 there is no exception at all.
import type { Socket } from 'node:net';
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import { acmeProtocol, type ChallengeAnswers } from './challenge-answers.ts';
import {
  type CertificateChooser,
  chooseApplicationProtocol,
  type TlsPolicy,
  tlsServerOptions,
} from '../certificates/tls-policy.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import type { TlsFacts } from '../ops/origin.ts';
import { helloKindOf } from './client-hello.ts';
import { doorLimits } from './door-limits.ts';

export interface TlsTerminatorOptions<Visitor> {
  readonly policy: TlsPolicy;
  readonly certificates: CertificateChooser & { onRenewed(listener: () => void): () => void };
  /** What an ACME authority is to find. */
  readonly challenges: Pick<ChallengeAnswers, 'contextFor'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The handshake is done. */
  readonly onSecured: (socket: TLSSocket, visitor: Visitor) => void;
}

/** Milliseconds for which one key enciphers session tickets; a renewed certificate brings new ones at once. */
const ticketKeyLife = 86_400_000;

export class TlsTerminator<Visitor> {
  readonly #options: TlsTerminatorOptions<Visitor>;
  readonly #ordinary: Server;
  readonly #nameless: Server;
  readonly #validation: Server;
  readonly #unsubscribe: () => void;
  #ticketKeysSince: number;
  /** Visitors inside their handshake, by addresses and ports: the TLS server makes a socket of its own. */
  readonly #handshaking = new Map<string, Visitor>();

  constructor(options: TlsTerminatorOptions<Visitor>) {
    this.#options = options;
    this.#ordinary = this.#createServer({});
    this.#nameless =
      options.policy.minVersion === 'TLSv1.3'
        ? this.#ordinary
        : this.#createServer({ maxVersion: 'TLSv1.2' });
    // For ACME authorities: they show no certificate where everybody else has to, and in TLS 1.3 a context chosen by
    // server name would come after the challenge's, and take its place. Nobody gets any further.
    this.#validation = this.#createServer(
      {
        requestCert: false,
        SNICallback: (_, done) => done(null),
        // Of its own: with a ticket from here nobody is to be resumed where a certificate is asked for.
        ticketKeys: Buffer.from(options.random.bytes(48)),
      },
      (socket) => void socket.on('error', () => socket.destroy()).end(),
    );
    // New handshakes only: whoever is connected keeps what was agreed, and notices nothing.
    this.#unsubscribe = options.certificates.onRenewed(() => {
      // With new ticket keys, or a client that comes back would be resumed under the old certificate.
      this.#ticketKeysSince = options.clock.monotonic();
      const policy = { ...options.policy, ticketKeys: options.random.bytes(48) };
      const context = tlsServerOptions(policy, options.certificates);
      this.#ordinary.setSecureContext(context);
      if (this.#nameless !== this.#ordinary)
        this.#nameless.setSecureContext({ ...context, maxVersion: 'TLSv1.2' });
    });
    this.#ticketKeysSince = options.clock.monotonic();
  }

  /** Takes over a socket and what was read of it already. Whoever destroys the socket ends the handshake. */
  take(socket: Socket, first: Buffer, visitor: Visitor): void {
    const key = visitorKey(socket);
    this.#handshaking.set(key, visitor);
    socket.once('close', () => this.#handshaking.delete(key));
    let hello = first;
    const look = (): boolean => {
      const kind = hello.length < doorLimits.clientHelloSize ? helloKindOf(hello) : 'ordinary';
      if (kind === 'incomplete') return false;
      socket.unshift(hello);
      this.#rotateTicketKeys();
      const server = { validation: this.#validation, nameless: this.#nameless, ordinary: this.#ordinary }[
        kind
      ];
      server.emit('connection', socket);
      return true;
    };
    if (look()) return;
    const readMore = () => {
      const more = socket.read() as Buffer | null;
      if (more === null) return; // the end, or nothing yet
      hello = Buffer.concat([hello, more]);
      if (look()) socket.removeListener('readable', readMore);
    };
    socket.on('readable', readMore);
  }

  stop(): void {
    this.#unsubscribe();
  }

  // RFC 9325 3.4: who steals the keys of one day can read no other day. Asked at each handshake, for without one
  // the old keys do nothing.
  #rotateTicketKeys(): void {
    const { clock, random } = this.#options;
    if (clock.monotonic() - this.#ticketKeysSince < ticketKeyLife) return;
    this.#ticketKeysSince = clock.monotonic();
    const keys = Buffer.from(random.bytes(48));
    for (const server of new Set([this.#ordinary, this.#nameless])) server.setTicketKeys(keys);
  }

  #createServer(
    exceptions: Pick<TlsOptions, 'maxVersion' | 'requestCert' | 'SNICallback' | 'ticketKeys'>,
    secured = (socket: TLSSocket) => this.#secured(socket),
  ): Server {
    const { policy, certificates, challenges, log } = this.#options;
    const validated = new WeakSet<TLSSocket>();
    const server = createServer({
      ...tlsServerOptions(policy, certificates),
      ...exceptions,
      // An ordinary function: Node hands the socket over as `this`.
      ALPNCallback: function (this: TLSSocket, { servername, protocols }) {
        if (!protocols.includes(acmeProtocol)) return chooseApplicationProtocol(protocols);
        const context = challenges.contextFor(servername);
        if (context === undefined) return undefined;
        this.setKeyCert(context); // RFC 8737 3: the same name gets another certificate
        validated.add(this);
        return acmeProtocol;
      },
      // In TLS 1.3 this comes after ALPN, and must not undo what was chosen there.
      SNICallback: function (this: TLSSocket | undefined, serverName, done) {
        if (this !== undefined && validated.has(this)) return done(null);
        // Of a context that is named here Node takes one certificate; the server's own may have one of each kind.
        const ordinary = certificates.bundleFor(serverName) === certificates.bundleFor(undefined);
        done(null, ordinary ? undefined : certificates.contextFor(serverName));
      },
    });
    server.on('secureConnection', secured);
    // Node leaves the socket open on a failed or timed-out handshake; closing it is up to us.
    server.on('tlsClientError', (error, socket) => {
      log.debug('tls.failed', {
        peer: socket.remoteAddress,
        code: 'TLS_HANDSHAKE_FAILED',
        // A certificate of the client's that is not good enough breaks off without another word.
        reason: String(socket.authorizationError ?? error.message),
      });
      socket.destroy();
    });
    return server;
  }

  #secured(socket: TLSSocket): void {
    const key = visitorKey(socket);
    const visitor = this.#handshaking.get(key);
    this.#handshaking.delete(key);
    if (visitor === undefined) {
      socket.destroy(); // it hung up in the meantime
      return;
    }
    socket.on('error', () => socket.destroy()); // Node leaves a socket open whose TLS failed after the handshake
    if (socket.alpnProtocol === acmeProtocol) {
      socket.end(); // RFC 8737 3: the handshake is all there is to see
      return;
    }
    this.#options.onSecured(socket, visitor);
  }
}

/** What the handshake agreed on. */
export function tlsFactsOf(socket: Socket): TlsFacts {
  const secured = socket as TLSSocket;
  return { version: secured.getProtocol() ?? 'unknown', cipher: secured.getCipher().standardName };
}

/** DER of the certificate that the client has shown, if it was asked for one and has one. */
export function certificateOf(socket: Socket): Uint8Array | undefined {
  return (socket as TLSSocket).getPeerX509Certificate()?.raw;
}

/** Both ends: one remote port may be connected to several listeners at once. */
function visitorKey(socket: Socket): string {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return `${remoteAddress}|${remotePort}|${localAddress}|${localPort}`;
}
