// What a publisher sends: audio, video, data and aggregates of them become tags, each publication with its own
// clock, and leave at once. Media where nobody publishes is dropped. pure.
import type { AmfObject } from '../amf/amf-value.ts';
import { type Message, MessageType } from '../chunk/message.ts';
import { readAggregate } from '../command/aggregate-message.ts';
import { readDataMessage } from '../command/command-message.ts';
import { roleOf } from '../flv/tag-role.ts';
import { type Tag, TagType } from '../flv/tag.ts';
import { PublicationClock } from './publication-clock.ts';

export interface IncomingMediaOptions {
  /** The tag and its body are BORROWED. */
  readonly onTag: (streamId: number, tag: Tag) => void;
  readonly onMetadata: (streamId: number, properties: AmfObject) => void;
  /** Called for each data message before it is read: they cost more than media. May throw ProtocolError. */
  readonly countData: () => void;
  /** Called for each message of a message stream that is not published on. May throw ProtocolError. */
  readonly countUnheard: () => void;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class IncomingMedia {
  readonly #options: IncomingMediaOptions;
  /** Publications by message stream. */
  readonly #clocks = new Map<number, PublicationClock>();
  /** One for all, filled anew: nothing is allocated for a frame. */
  readonly #tag: Writable<Tag> = {
    type: TagType.Audio,
    timestamp: 0,
    body: new Uint8Array(0),
    role: 'audio',
  };

  constructor(options: IncomingMediaOptions) {
    this.#options = options;
  }

  /** Message streams that are being published on. */
  get publishing(): readonly number[] {
    return [...this.#clocks.keys()];
  }

  isPublishing(streamId: number): boolean {
    return this.#clocks.has(streamId);
  }

  /** A publication begins, at 0. */
  start(streamId: number): void {
    this.#clocks.set(streamId, new PublicationClock());
  }

  /** False if there was none. */
  stop(streamId: number): boolean {
    return this.#clocks.delete(streamId);
  }

  /** A message of type 8, 9, 15, 18 or 22; others are passed over. @throws ProtocolError */
  receive(message: Message): void {
    switch (message.type) {
      case MessageType.Audio:
      case MessageType.Video:
        return this.#receiveMedia(message, message.type);
      case MessageType.DataAmf0:
      case MessageType.DataAmf3:
        return this.#receiveData(message);
      case MessageType.Aggregate:
        if (!this.#clocks.has(message.streamId)) return this.#options.countUnheard();
        return readAggregate(message, (part) => this.receive(part));
      default:
    }
  }

  #receiveMedia(message: Message, type: typeof TagType.Audio | typeof TagType.Video): void {
    const clock = this.#clocks.get(message.streamId);
    if (clock === undefined) return this.#options.countUnheard(); // the tail of a publication that has just ended
    const tag = this.#tag;
    tag.type = type;
    tag.timestamp = clock.media(message.timestamp);
    tag.body = message.payload;
    tag.role = roleOf(type, message.payload);
    this.#options.onTag(message.streamId, tag);
  }

  #receiveData(message: Message): void {
    this.#options.countData();
    const data = readDataMessage(message.type, message.payload);
    const clock = this.#clocks.get(message.streamId);
    if (clock === undefined) return;
    if (data.metadata !== undefined) this.#options.onMetadata(message.streamId, data.metadata);
    const tag = this.#tag;
    tag.type = TagType.ScriptData;
    tag.timestamp = clock.data(message.timestamp);
    tag.body = data.body;
    tag.role = 'metadata';
    this.#options.onTag(message.streamId, tag);
  }
}
