// One RTMP NetConnection from the client's side, sans-IO: connects and publishes. It is the encoder of our
// tests and the loader of the benchmark, and what a relay will push with. Plays nothing yet. pure.
import { AmfObject, type AmfValue } from '../amf/amf-value.ts';
import { type Message, MessageType } from '../chunk/message.ts';
import { readCommand } from '../command/command-message.ts';
import { readControlMessage, UserControlEvent } from '../command/control-message.ts';
import { TagType } from '../flv/tag.ts';
import { ClientHandshake } from '../handshake/client-handshake.ts';
import type { HandshakeVersion } from '../handshake/handshake-packet.ts';
import { MessageInput } from './message-input.ts';
import { MessageOutput } from './message-output.ts';

export interface ClientConnectionOptions {
  readonly random: (length: number) => Uint8Array;
  /** Milliseconds since anything, for the time field of C1. */
  readonly time: number;
  /** C0: 3 plain, 6, 8 or 9 RTMPE. */
  readonly version: HandshakeVersion;
  readonly app: string;
  readonly tcUrl: string;
  /** Publishing name, query and all: usually the stream key. Without one it connects, and no more. */
  readonly name?: string | undefined;
  /** Bytes of payload per chunk, announced before `connect`. */
  readonly chunkSize: number;
  /** More properties of `connect`, such as what of Enhanced RTMP the client can do. */
  readonly properties?: readonly (readonly [string, AmfValue])[];
}

/** How far it has come. */
export type ClientStage = 'handshaking' | 'connecting' | 'connected' | 'published';

export type ClientEvent =
  | { readonly type: 'published' }
  /** `_error` or an onStatus of level error, or any later onStatus. */
  | { readonly type: 'status'; readonly level: string; readonly code: string; readonly description: string };

/** A server that only answers has nothing larger to say, in bytes. */
const largestAnswer = 64 * 1024;
const transactions = { connect: 1, releaseStream: 2, FCPublish: 3, createStream: 4, publish: 5 } as const;
const chunkStreams = { audio: 4, video: 6, data: 7 } as const;

export class ClientConnection {
  readonly #options: ClientConnectionOptions;
  readonly #input = new MessageInput(largestAnswer, (message) => this.#receiveMessage(message));
  readonly #output = new MessageOutput();
  #handshake: ClientHandshake | undefined;
  #events: ClientEvent[] = [];
  #streamId = 0;
  #stage: ClientStage = 'handshaking';

  constructor(options: ClientConnectionOptions) {
    this.#options = options;
    this.#handshake = new ClientHandshake({
      random: options.random,
      time: options.time,
      version: options.version,
    });
    this.#output.raw(this.#handshake.takeOutput());
  }

  get stage(): ClientStage {
    return this.#stage;
  }

  /** @throws ProtocolError when the server breaks the protocol. */
  receive(borrowed: Uint8Array): void {
    const rest = this.#handshake === undefined ? borrowed : this.#shakeHands(borrowed, this.#handshake);
    if (rest.length > 0) this.#input.receive(rest);
  }

  nextEvent(): ClientEvent | undefined {
    return this.#events.shift();
  }

  takeOutput(): readonly Uint8Array[] {
    return this.#output.take();
  }

  /** Sends one tag of the publication: `timestamp` in milliseconds. */
  sendTag(type: TagType, timestamp: number, payload: Uint8Array): void {
    const chunkStreamId =
      type === TagType.Audio
        ? chunkStreams.audio
        : type === TagType.Video
          ? chunkStreams.video
          : chunkStreams.data;
    this.#output.message(chunkStreamId, {
      type,
      timestamp: timestamp >>> 0,
      streamId: this.#streamId,
      payload,
    });
  }

  /** Any message, for what sendTag() has no words for. */
  sendMessage(chunkStreamId: number, message: Message): void {
    this.#output.message(chunkStreamId, message);
  }

  /** Ends the publication as encoders do. WIRE 4. */
  unpublish(): void {
    this.#output.command(0, 'FCUnpublish', 6, null, this.#options.name ?? '');
    this.#output.command(0, 'deleteStream', 7, null, this.#streamId);
  }

  #shakeHands(borrowed: Uint8Array, handshake: ClientHandshake): Uint8Array {
    const consumed = handshake.receive(borrowed);
    this.#output.raw(handshake.takeOutput());
    if (handshake.result !== undefined) {
      this.#handshake = undefined;
      this.#input.decipher = handshake.result.decipher;
      this.#output.encipher = handshake.result.encipher;
      this.#connect();
    }
    return borrowed.subarray(consumed);
  }

  #connect(): void {
    this.#stage = 'connecting';
    const { app, tcUrl, chunkSize, properties: more = [] } = this.#options;
    this.#output.setChunkSize(chunkSize);
    const properties = new AmfObject([
      ['app', app],
      ['type', 'nonprivate'],
      ['flashVer', 'FMLE/3.0 (compatible; Penstock)'],
      ['tcUrl', tcUrl],
      ...more,
    ]);
    this.#output.command(0, 'connect', transactions.connect, properties);
  }

  #receiveMessage(message: Message): void {
    if (message.type === MessageType.UserControl) {
      const control = readControlMessage(message.type, message.payload);
      if (control.type === 'user-control' && control.event === UserControlEvent.PingRequest) {
        this.#output.userControl(UserControlEvent.PingResponse, control.value);
      }
    }
    if (message.type !== MessageType.CommandAmf0 && message.type !== MessageType.CommandAmf3) return;
    const { name, transactionId, commandObject, args } = readCommand(message.type, message.payload);
    if (name === '_result' && transactionId === transactions.connect) this.#createStream();
    else if (name === '_result' && transactionId === transactions.createStream)
      this.#publish(Number(args[0]));
    else if (name === '_error' && isOptional(transactionId)) return;
    else if (name === '_error' || name === 'onStatus') this.#receiveStatus(args[0] ?? commandObject);
  }

  #createStream(): void {
    this.#stage = 'connected';
    const { name } = this.#options;
    if (name === undefined) return;
    this.#output.command(0, 'releaseStream', transactions.releaseStream, null, name);
    this.#output.command(0, 'FCPublish', transactions.FCPublish, null, name);
    this.#output.command(0, 'createStream', transactions.createStream, null);
  }

  #publish(streamId: number): void {
    this.#streamId = streamId;
    const { name = '' } = this.#options;
    this.#output.command(streamId, 'publish', transactions.publish, null, name, 'live');
  }

  #receiveStatus(information: unknown): void {
    if (!(information instanceof AmfObject)) return;
    const text = (name: string) => {
      const value = information.get(name);
      return typeof value === 'string' ? value : '';
    };
    const code = text('code');
    if (code === 'NetStream.Publish.Start') {
      this.#stage = 'published';
      this.#events.push({ type: 'published' });
    } else
      this.#events.push({ type: 'status', level: text('level'), code, description: text('description') });
  }
}

/** practice: servers that do not know these two commands say so, and encoders go on. */
function isOptional(transactionId: number): boolean {
  return transactionId === transactions.releaseStream || transactionId === transactions.FCPublish;
}
