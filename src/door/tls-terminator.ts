// Takes TLS off a connection. There are two TLS servers: clients that name no server (SNI) get one that stops at
// TLS 1.2, because librtmp over GnuTLS (GStreamer's rtmpsink, rtmpdump) takes the session ticket that TLS 1.3 sends
// after the handshake for an error, hangs up, and never names a server; Node cannot send zero tickets. OBS always
// names one, so TLS 1.3 is given up for nobody who is known to speak it well. Who offers nothing but TLS 1.3 gets
// it, and with minVersion TLSv1.3 there is no exception at all.
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type CertificateChooser, type TlsPolicy, tlsServerOptions } from '../certificates/tls-policy.ts';
import type { Log } from '../ops/log.ts';
import type { TlsFacts } from '../ops/origin.ts';
import { helloKindOf } from './client-hello.ts';
import { doorLimits } from './door-limits.ts';

export interface TlsTerminatorOptions<Visitor> {
  readonly policy: TlsPolicy;
  readonly certificates: CertificateChooser & { onRenewed(listener: () => void): () => void };
  readonly log: Log;
  /** The handshake is done. */
  readonly onSecured: (socket: TLSSocket, visitor: Visitor) => void;
}

export class TlsTerminator<Visitor> {
  readonly #options: TlsTerminatorOptions<Visitor>;
  readonly #ordinary: Server;
  readonly #nameless: Server;
  readonly #unsubscribe: () => void;
  /** Visitors inside their handshake, by addresses and ports: the TLS server makes a socket of its own. */
  readonly #handshaking = new Map<string, Visitor>();

  constructor(options: TlsTerminatorOptions<Visitor>) {
    this.#options = options;
    this.#ordinary = this.#createServer({});
    this.#nameless =
      options.policy.minVersion === 'TLSv1.3'
        ? this.#ordinary
        : this.#createServer({ maxVersion: 'TLSv1.2' });
    this.#unsubscribe = options.certificates.onRenewed(() => {
      const context = tlsServerOptions(options.policy, options.certificates);
      this.#ordinary.setSecureContext(context);
      if (this.#nameless !== this.#ordinary)
        this.#nameless.setSecureContext({ ...context, maxVersion: 'TLSv1.2' });
    });
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
      (kind === 'nameless' ? this.#nameless : this.#ordinary).emit('connection', socket);
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

  #createServer(versions: { readonly maxVersion?: 'TLSv1.2' }): Server {
    const { policy, certificates, log } = this.#options;
    const server = createServer({ ...tlsServerOptions(policy, certificates), ...versions });
    server.on('secureConnection', (socket) => this.#secured(socket));
    // Node leaves the socket open on a failed or timed-out handshake; closing it is up to us.
    server.on('tlsClientError', (error, socket) => {
      log.debug('tls.failed', {
        peer: socket.remoteAddress,
        code: 'TLS_HANDSHAKE_FAILED',
        reason: error.message,
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
