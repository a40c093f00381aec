// An encoder that tunnels RTMP through HTTP, request by request, so that a test can repeat, swap and lose them. It
// speaks HTTP by hand: what it sees of an answer is what a picky client sees.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import {
  ClientConnection,
  type ClientConnectionOptions,
  type ClientEvent,
} from '../../src/connection/client-connection.ts';
import type { Frame } from './media.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

export interface PostOptions {
  readonly port: number;
  /** Given: through TLS. */
  readonly tls?: ConnectionOptions | undefined;
  /** Where it comes from: any of 127.0.0.0/8. */
  readonly localAddress?: string | undefined;
}

/** One connection for any number of requests, pipelined or not. */
export class HttpConnection {
  readonly socket: Socket;
  readonly opened: Promise<unknown>;
  #read: Buffer = Buffer.alloc(0);
  readonly #waiting: PromiseWithResolvers<HttpAnswer>[] = [];

  constructor({ port, tls, localAddress }: PostOptions) {
    const where = { port, host: '127.0.0.1', localAddress, noDelay: true };
    this.socket = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls });
    this.opened = once(this.socket, tls === undefined ? 'connect' : 'secureConnect');
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes: Buffer) => {
      this.#read = Buffer.concat([this.#read, bytes]);
      this.#parse();
    });
    this.socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the connection ended'));
    });
  }

  /** Sends a request; resolves with its answer, rejects when the connection ends before. */
  post(path: string, body: Uint8Array, headers = `Content-Length: ${body.length}\r\n`): Promise<HttpAnswer> {
    const answer = Promise.withResolvers<HttpAnswer>();
    answer.promise.catch(() => undefined); // a test may be interested in none of them
    this.#waiting.push(answer);
    this.socket.write(
      Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`), body]),
    );
    return answer.promise;
  }

  #parse(): void {
    for (;;) {
      const end = this.#read.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#read.toString('latin1', 0, end);
      // As librtmp reads it: a capital C, a length, nothing chunked. RTMPE 4.2
      const length = Number(/^Content-[Ll]ength: (\d+)$/m.exec(head)?.[1]);
      if (Number.isNaN(length)) return void this.socket.destroy(); // no tunnelling client could go on from here
      if (this.#read.length < end + 4 + length) return;
      const body = Buffer.from(this.#read.subarray(end + 4, end + 4 + length));
      this.#read = this.#read.subarray(end + 4 + length);
      this.#waiting.shift()?.resolve({ status: Number(head.slice(9, 12)), head, body });
    }
  }
}

/** One request over a connection of its own. */
export async function postOnce(
  options: PostOptions,
  path: string,
  body: Uint8Array,
  headers?: string,
): Promise<HttpAnswer> {
  const connection = new HttpConnection(options);
  await connection.opened;
  const answer = await connection.post(path, body, headers);
  connection.socket.destroy();
  return answer;
}

export interface TunnelEncoderOptions extends PostOptions {
  readonly name: string;
  readonly app?: string;
  /** C0: 3 plain, 6, 8 or 9 RTMPE. */
  readonly version?: ClientConnectionOptions['version'];
  /** A TCP connection for each request. */
  readonly hopping?: boolean;
}

/** A request that is ready to be sent, once or more often. */
export interface PreparedPost {
  readonly path: string;
  readonly body: Uint8Array;
}

export class TunnelEncoder {
  readonly client: ClientConnection;
  /** Everything the server said, in order. */
  readonly events: ClientEvent[] = [];
  readonly #options: TunnelEncoderOptions;
  #connection: HttpConnection | undefined;
  id = '';
  sequence = 0;

  constructor(options: TunnelEncoderOptions) {
    this.#options = options;
    const { port, app = 'live', version = 3, name } = options;
    this.client = new ClientConnection({
      random: (length) => randomBytes(length),
      time: 0,
      version,
      app,
      tcUrl: `rtmpt://localhost:${port}/${app}`,
      name,
      chunkSize: 4096,
    });
  }

  /** Opens the tunnel. */
  async open(): Promise<void> {
    const { status, body } = await this.post({ path: '/open/1', body: Buffer.of(0) });
    if (status !== 200) throw new Error(`open: ${status}`);
    this.id = body.toString('latin1').slice(0, -1);
  }

  /** Opens the tunnel and asks until the server says Publish.Start; throws when it says something else, or nothing. */
  async publish(): Promise<void> {
    await this.open();
    for (let polls = 0; polls < 50; polls++) {
      await this.exchange();
      const event = this.events.at(-1);
      if (event?.type === 'published') return;
      if (event?.type === 'status') throw new Error(event.description);
    }
    throw new Error('not published');
  }

  /** Sends what there is to send, or asks for news; takes in the answer. */
  async exchange(): Promise<HttpAnswer> {
    return this.finish(this.post(this.prepare()));
  }

  /** Takes in what an answer carries. */
  async finish(answering: Promise<HttpAnswer>): Promise<HttpAnswer> {
    const answer = await answering;
    if (answer.status !== 200) return answer;
    this.client.receive(answer.body.subarray(1));
    for (let event = this.client.nextEvent(); event !== undefined; event = this.client.nextEvent())
      this.events.push(event);
    return answer;
  }

  /** The next request: everything that waits to be sent, or an idle. */
  prepare(): PreparedPost {
    const body = Buffer.concat(this.client.takeOutput());
    const verb = body.length > 0 ? 'send' : 'idle';
    return this.#counted(verb, body.length > 0 ? body : Buffer.of(0));
  }

  /** One request with one frame. */
  prepareFrame({ type, timestamp, payload }: Frame): PreparedPost {
    this.client.sendTag(type, timestamp, payload);
    return this.prepare();
  }

  async close(): Promise<HttpAnswer> {
    return this.post(this.#counted('close', Buffer.of(0)));
  }

  /** Sends a request, over the one connection or over a new one. */
  post({ path, body }: PreparedPost): Promise<HttpAnswer> {
    if (this.#options.hopping === true) return postOnce(this.#options, path, body);
    return this.connection.post(path, body);
  }

  /** The connection that carries the tunnel; a new one when the last was destroyed. */
  get connection(): HttpConnection {
    if (this.#connection === undefined || this.#connection.socket.destroyed)
      this.#connection = new HttpConnection(this.#options);
    return this.#connection;
  }

  #counted(verb: string, body: Uint8Array): PreparedPost {
    return { path: `/${verb}/${this.id}/${this.sequence++}`, body };
  }
}
