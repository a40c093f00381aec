// What an encoder sends, written down message by message with the chunk streams and headers it really uses; and
// what it is answered, read back into plain data. For tests that must not depend on our own client.
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { limitsAfterAuth } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { ChunkWriter, type Fmt } from '../../src/chunk/chunk-writer.ts';
import type { Message } from '../../src/chunk/message.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { readCommand } from '../../src/command/command-message.ts';
import { uint32Payload, userControlPayload } from '../../src/command/control-message.ts';

const packetLength = 1536;

export class ClientScript {
  readonly #writer = new ChunkWriter();
  #parts: Uint8Array[] = [];

  /** C0 and C1 of the simple handshake, and a C2 that was not waited with. */
  handshake(): this {
    this.#parts.push(Uint8Array.of(3), new Uint8Array(packetLength), new Uint8Array(packetLength).fill(0x5a));
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  message(chunkStreamId: number, message: Message, fmt?: Fmt): this {
    return this.raw(this.#writer.write(chunkStreamId, message, fmt));
  }

  /** Announces the chunk size on chunk stream 2 and uses it from then on. */
  chunkSize(size: number): this {
    this.control(MessageType.SetChunkSize, uint32Payload(size));
    this.#writer.chunkSize = size;
    return this;
  }

  control(type: number, payload: Uint8Array): this {
    return this.message(2, { type, timestamp: 0, streamId: 0, payload });
  }

  userControl(event: number, value: number): this {
    return this.control(MessageType.UserControl, userControlPayload(event, value));
  }

  command(chunkStreamId: number, streamId: number, fmt: Fmt | undefined, ...values: AmfValue[]): this {
    const payload = encodeAmf0(...values);
    return this.message(
      chunkStreamId,
      { type: MessageType.CommandAmf0, timestamp: 0, streamId, payload },
      fmt,
    );
  }

  connect(
    app = 'live',
    tcUrl = `rtmps://ingest.example.com/${app}`,
    more: readonly (readonly [string, AmfValue])[] = [],
  ): this {
    const properties = new AmfObject([
      ['app', app],
      ['type', 'nonprivate'],
      ['flashVer', 'FMLE/3.0 (compatible; FMSc/1.0)'],
      ['tcUrl', tcUrl],
      ...more,
    ]);
    return this.command(3, 0, 0, 'connect', 1, properties);
  }

  createStream(transactionId = 4): this {
    return this.command(3, 0, undefined, 'createStream', transactionId, null);
  }

  publish(streamId: number, name: AmfValue, type: AmfValue = 'live'): this {
    return this.command(4, streamId, 0, 'publish', 5, null, name, type);
  }

  /** connect, createStream and publish on message stream 1, without waiting for any answer. */
  hasty(name: string): this {
    return this.handshake().chunkSize(4096).connect().createStream().publish(1, name);
  }

  /** Everything since the last take. */
  take(): Uint8Array {
    const bytes = new Uint8Array(Buffer.concat(this.#parts));
    this.#parts = [];
    return bytes;
  }
}

/** What OBS sends until it publishes, and how it goes on. WIRE 3, 4, 5. */
export function obsScript(key: string): ClientScript {
  return new ClientScript()
    .handshake()
    .chunkSize(4096)
    .connect()
    .command(3, 0, 1, 'releaseStream', 2, null, key)
    .command(3, 0, 1, 'FCPublish', 3, null, key)
    .command(3, 0, 1, 'createStream', 4, null)
    .command(4, 1, 0, 'publish', 5, null, key, 'live');
}

export type Answer =
  | {
      readonly type: 'command';
      readonly streamId: number;
      readonly name: string;
      readonly transactionId: number;
      readonly values: readonly unknown[];
    }
  | { readonly type: number; readonly payload: string };

/** Takes what a server sends, behind a plain handshake. */
export class AnswerReader {
  readonly answers: Answer[] = [];
  /** How many of the commands came as type 17. */
  amf3Commands = 0;
  #handshake = 1 + 2 * packetLength;
  readonly #reader = new ChunkReader(limitsAfterAuth, (message) => this.#take(message));

  read(pieces: readonly Uint8Array[]): readonly Answer[] {
    for (const piece of pieces) {
      const skipped = Math.min(this.#handshake, piece.length);
      this.#handshake -= skipped;
      this.#reader.read(piece.subarray(skipped));
    }
    return this.answers;
  }

  /** Code and description of each onStatus and `_error`, in order. */
  get statuses(): readonly { streamId: number; level: unknown; code: unknown; description: unknown }[] {
    return this.answers.flatMap((answer) => {
      if (answer.type !== 'command' || !['onStatus', '_error'].includes(answer.name)) return [];
      const { level, code, description } = answer.values[1] as Record<string, unknown>;
      return [{ streamId: answer.streamId, level, code, description }];
    });
  }

  /** Names of the commands, in order. */
  get commands(): readonly string[] {
    return this.answers.flatMap((answer) => (answer.type === 'command' ? [answer.name] : []));
  }

  #take({ type, streamId, payload }: Message): void {
    if (type === MessageType.CommandAmf3) this.amf3Commands += 1;
    else if (type !== MessageType.CommandAmf0) {
      this.answers.push({ type, payload: Buffer.from(payload).toString('hex') });
      return;
    }
    const { name, transactionId, commandObject, args } = readCommand(type, payload);
    this.answers.push({
      type: 'command',
      streamId,
      name,
      transactionId,
      values: [commandObject, ...args].map(plain),
    });
  }
}

function plain(value: AmfValue): unknown {
  return value instanceof AmfObject ? Object.fromEntries(value.properties) : value;
}
