// An encoder of our own over a real socket: connects through a door, publishes, and tells what it was told.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { randomBytes } from 'node:crypto';
import {
  ClientConnection,
  type ClientConnectionOptions,
  type ClientEvent,
} from '../../src/connection/client-connection.ts';
import type { TagType } from '../../src/flv/tag.ts';

export interface EncoderOptions {
  readonly port: number;
  /** `app` and publishing name, as in `live` and `psk_…`. */
  readonly app?: string;
  readonly name: string;
  /** Given: through TLS. */
  readonly tls?: ConnectionOptions;
  /** C0: 3 plain, 6, 8 or 9 RTMPE. */
  readonly version?: ClientConnectionOptions['version'];
  readonly chunkSize?: number;
  /** Sent in front of everything else, as a load balancer would. */
  readonly preamble?: Uint8Array;
  readonly tcUrl?: string;
  /** Where it comes from: any of 127.0.0.0/8. */
  readonly localAddress?: string;
  readonly properties?: ClientConnectionOptions['properties'];
}

/** The last word of the server to an encoder that was not, or is no longer, wanted. */
export interface Refusal {
  readonly code: string;
  readonly description: string;
}

export class Encoder {
  readonly socket: Socket;
  readonly connection: ClientConnection;
  /** Everything the server said, in order. */
  readonly events: ClientEvent[] = [];
  /** Resolves at Publish.Start; rejects when the connection ends before. */
  readonly published: Promise<void>;
  /** Resolves when the connection has ended, with the server's last words, if any. */
  readonly ended: Promise<Refusal | undefined>;

  constructor(options: EncoderOptions) {
    const { port, app = 'live', name, tls, version = 3, chunkSize = 4096 } = options;
    this.connection = new ClientConnection({
      random: (length) => randomBytes(length),
      time: 0,
      version,
      app,
      tcUrl: options.tcUrl ?? `rtmp://localhost:${port}/${app}`,
      name,
      chunkSize,
      ...(options.properties && { properties: options.properties }),
    });
    const where = { port, host: '127.0.0.1', localAddress: options.localAddress };
    this.socket = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls });
    const published = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<Refusal | undefined>();
    this.published = published.promise;
    this.ended = ended.promise;
    this.published.catch(() => undefined); // tests that expect a refusal look at `ended`
    this.socket.on('data', (bytes: Buffer) => {
      this.connection.receive(bytes);
      for (
        let event = this.connection.nextEvent();
        event !== undefined;
        event = this.connection.nextEvent()
      ) {
        this.events.push(event);
        if (event.type === 'published') published.resolve();
      }
      this.#flush();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      const last = this.events.findLast((event) => event.type === 'status' && event.level === 'error');
      const refusal =
        last?.type === 'status' ? { code: last.code, description: last.description } : undefined;
      published.reject(new Error(`not published: ${refusal?.description ?? 'the connection ended'}`));
      ended.resolve(refusal);
    });
    if (options.preamble !== undefined) this.socket.write(options.preamble);
    this.#flush();
  }

  /** Sends one tag; resolves when the socket took it. */
  async send(type: TagType, timestamp: number, payload: Uint8Array): Promise<void> {
    this.connection.sendTag(type, timestamp, payload);
    await this.flush();
  }

  /** Sends bytes as they are. */
  async sendRaw(bytes: Uint8Array): Promise<void> {
    if (!this.socket.write(bytes)) await this.#drained();
  }

  /** FCUnpublish, deleteStream, and the end of the connection, as OBS and ffmpeg end. */
  async finish(): Promise<void> {
    this.connection.unpublish();
    await this.flush();
    this.socket.end();
    await this.ended;
  }

  /** Hangs up without a word. */
  async vanish(): Promise<void> {
    this.socket.destroy();
    await this.ended;
  }

  async flush(): Promise<void> {
    if (!this.#flush()) await this.#drained();
  }

  #flush(): boolean {
    let ready = true;
    for (const bytes of this.connection.takeOutput()) ready = this.socket.write(bytes);
    return ready;
  }

  async #drained(): Promise<void> {
    await Promise.race([new Promise((resolve) => this.socket.once('drain', resolve)), this.ended]);
  }
}
