// The sending half of a connection: commands, status and control messages become chunks, are enciphered when
// the handshake agreed on it, and wait until they are taken. pure.
import type { AmfValue } from '../amf/amf-value.ts';
import { ChunkWriter } from '../chunk/chunk-writer.ts';
import { type Message, MessageType } from '../chunk/message.ts';
import { amf3CommandPayload, commandPayload } from '../command/command-message.ts';
import { uint32Payload, userControlPayload } from '../command/control-message.ts';
import { type StatusCode, statusObject } from '../command/status.ts';
import type { Rc4 } from '../handshake/rc4.ts';

const controlChunkStream = 2; // RTMP 5.4
const connectionChunkStream = 3;
const streamChunkStream = 5;

export class MessageOutput {
  /** Set when the handshake agreed on encryption; from then on everything is enciphered. */
  encipher: Rc4 | undefined;
  /** Set when the client has announced AMF3: commands go out as type 17, with AMF0 inside. */
  amf3 = false;
  readonly #writer = new ChunkWriter();
  #output: Uint8Array[] = [];

  /** Bytes that are ready as they are: the handshake's. */
  raw(bytes: readonly Uint8Array[]): void {
    this.#output.push(...bytes);
  }

  message(chunkStreamId: number, message: Message): void {
    const bytes = this.#writer.write(chunkStreamId, message);
    this.encipher?.apply(bytes, bytes); // freshly made and ours alone, so in place
    this.#output.push(bytes);
  }

  control(type: number, payload: Uint8Array): void {
    this.message(controlChunkStream, { type, timestamp: 0, streamId: 0, payload });
  }

  userControl(event: number, value: number): void {
    this.control(MessageType.UserControl, userControlPayload(event, value));
  }

  /** Announces a chunk size and uses it from then on. RTMP 5.4.1. */
  setChunkSize(size: number): void {
    this.control(MessageType.SetChunkSize, uint32Payload(size));
    this.#writer.chunkSize = size;
  }

  /** A command on the given message stream; 0 is the NetConnection. RTMP 7.1.1. */
  command(
    streamId: number,
    name: string,
    transactionId: number,
    commandObject: AmfValue,
    ...args: readonly AmfValue[]
  ): void {
    const amf0 = commandPayload(name, transactionId, commandObject, ...args);
    const type = this.amf3 ? MessageType.CommandAmf3 : MessageType.CommandAmf0;
    const payload = this.amf3 ? amf3CommandPayload(amf0) : amf0;
    const chunkStreamId = streamId === 0 ? connectionChunkStream : streamChunkStream;
    this.message(chunkStreamId, { type, timestamp: 0, streamId, payload });
  }

  /** onStatus on a message stream. RTMP 7.2.2. */
  status(streamId: number, code: StatusCode, description: string): void {
    this.command(streamId, 'onStatus', 0, null, statusObject(code, description));
  }

  /** What is to be sent, oldest first. */
  take(): readonly Uint8Array[] {
    const output = this.#output;
    if (output.length > 0) this.#output = [];
    return output;
  }
}
