// OBS Studio as far as the wire is concerned, plain or over TLS with server name and verification: the simple handshake,
// type-1 headers on chunk stream 3, chunks of 4096, all media on chunk stream 4. It waits for each answer where
// OBS waits. WIRE 1-5. Leaves out reconnecting, which tests do themselves.
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import type { Fmt } from '../../src/chunk/chunk-writer.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { TagType } from '../../src/flv/tag.ts';
import { AnswerReader, ClientScript } from './client-script.ts';
import type { Frame } from './media.ts';

export interface ObsOptions {
  readonly port: number;
  /** Server and key fields: `rtmps://localhost:PORT/live` and `psk_…`. */
  readonly app?: string;
  readonly key: string;
  /** What the machine's trust store would hold; undefined: no TLS. */
  readonly ca: Buffer | undefined;
  readonly serverName?: string;
}

const packetLength = 1536;
const control = 3;
const media = 4;

export class ObsEncoder {
  readonly socket: Socket;
  /** Resolves at Publish.Start; rejects when the connection ends before. */
  readonly published: Promise<void>;
  readonly closed: Promise<void>;
  /** How often each header type began a message of media. */
  readonly headers: [number, number, number, number] = [0, 0, 0, 0];
  readonly answers = new AnswerReader();
  readonly #options: ObsOptions;
  readonly #script = new ClientScript();
  readonly #packet = Buffer.concat([Buffer.alloc(8), randomBytes(packetLength - 8)]);
  readonly #started = Promise.withResolvers<void>();
  /** S0, S1 and S2, until they are complete. */
  #greeting: Buffer | undefined = Buffer.alloc(0);
  #heard = 0;
  #streamId = 0;
  #last = { type: 0, length: -1, timestamp: 0, field: 0 };

  constructor(options: ObsOptions) {
    this.#options = options;
    const { port, ca, serverName = 'localhost' } = options;
    // OBS verifies, always sends the name, and its TLS library speaks 1.2. WIRE 1.
    const where = { port, host: '127.0.0.1' };
    this.socket =
      ca === undefined
        ? connectTcp(where)
        : connectTls({ ...where, ca, servername: serverName, maxVersion: 'TLSv1.2' });
    this.socket.setNoDelay(true);
    this.published = this.#started.promise;
    this.published.catch(() => undefined);
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    void this.closed.then(() => this.#started.reject(new Error('the connection ended')));
    this.socket.on('error', () => undefined);
    this.socket.once(ca === undefined ? 'connect' : 'secureConnect', () =>
      this.socket.write(Buffer.concat([Uint8Array.of(3), this.#packet])),
    );
    this.socket.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  /** Metadata, then the frames; the sequence headers come first among them. */
  async stream(frames: readonly Frame[]): Promise<void> {
    const properties = new AmfObject(
      [
        ['duration', 0],
        ['fileSize', 0],
        ['width', 1280],
        ['height', 720],
        ['videocodecid', 7],
        ['framerate', 25],
        ['audiocodecid', 10],
        ['encoder', 'obs-output module (libobs version 32.0.1)'],
      ],
      'ecma-array',
    );
    this.#send(MessageType.DataAmf0, 0, encodeAmf0('@setDataFrame', 'onMetaData', properties));
    for (const { type, timestamp, payload } of frames) {
      this.#send(type, timestamp, payload);
      if (!this.#flush()) await new Promise((resolve) => this.socket.once('drain', resolve));
    }
  }

  /** Stop Streaming. */
  async stop(): Promise<void> {
    const { key } = this.#options;
    this.#script.command(control, 0, 1, 'FCUnpublish', 6, null, key);
    this.#script.command(control, 0, 1, 'deleteStream', 7, null, this.#streamId);
    this.#flush();
    this.socket.end();
    await this.closed;
  }

  /** The cable is pulled; the server gets a reset. */
  async drop(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  #receive(bytes: Buffer): void {
    this.answers.read([bytes]);
    if (this.#greeting === undefined) return this.#converse();
    this.#greeting = Buffer.concat([this.#greeting, bytes]);
    if (this.#greeting.length < 1 + 2 * packetLength) return;
    const peer = this.#greeting.subarray(1, 1 + packetLength);
    this.#greeting = undefined;
    const { app = 'live', port } = this.#options;
    const tcUrl = `rtmps://localhost:${port}/${app}`;
    this.#script.raw(peer); // C2
    this.#script.chunkSize(4096);
    const properties = new AmfObject([
      ['app', app],
      ['type', 'nonprivate'],
      ['flashVer', 'FMLE/3.0 (compatible; FMSc/1.0)'],
      ['swfUrl', tcUrl],
      ['tcUrl', tcUrl],
    ]);
    this.#script.command(control, 0, 0, 'connect', 1, properties);
    this.#flush();
    this.#converse();
  }

  #converse(): void {
    const { answers } = this.answers;
    for (; this.#heard < answers.length; this.#heard++) {
      const answer = answers[this.#heard];
      if (answer?.type !== 'command') continue;
      const { key } = this.#options;
      if (answer.name === '_result' && answer.transactionId === 1) {
        this.#script.command(control, 0, 1, 'releaseStream', 2, null, key);
        this.#script.command(control, 0, 1, 'FCPublish', 3, null, key);
        this.#script.command(control, 0, 1, 'createStream', 4, null);
      } else if (answer.name === '_result' && answer.transactionId === 4) {
        this.#streamId = Number(answer.values[1]);
        this.#script.command(media, this.#streamId, 0, 'publish', 5, null, key, 'live');
      } else if (this.answers.statuses.at(-1)?.code === 'NetStream.Publish.Start') this.#started.resolve();
    }
    this.#flush();
  }

  #send(type: number, timestamp: number, payload: Uint8Array): void {
    const fmt = this.#fmt(type, timestamp, payload.length);
    this.headers[fmt] += 1;
    const field = fmt === 0 ? timestamp : timestamp - this.#last.timestamp;
    this.#last = { type, length: payload.length, timestamp, field };
    this.#script.message(media, { type, timestamp, streamId: this.#streamId, payload }, fmt);
  }

  /** Metadata and whatever is at 0 with a full header, the rest as short as the last header allows. */
  #fmt(type: number, timestamp: number, length: number): Fmt {
    if ((type !== TagType.Audio && type !== TagType.Video) || timestamp === 0) return 0;
    if (type !== this.#last.type || length !== this.#last.length) return 1;
    return timestamp - this.#last.timestamp === this.#last.field ? 3 : 2;
  }

  #flush(): boolean {
    const bytes = this.#script.take();
    return bytes.length === 0 || this.socket.write(bytes);
  }
}
