// Chunk stream → messages. RTMP 1.0 §5.3, §5.4.1, §5.4.2. Input may be cut anywhere; the bytes are borrowed and
// the messages handed out are too. SetChunkSize and Abort are obeyed here and not handed out. Leaves out what
// the other messages mean. This is the hot path: nothing is allocated per chunk (PERFORMANCE 3). pure.
import { readUint32 } from '../bytes/big-endian.ts';
import { ProtocolError } from '../errors.ts';
import { chunkLimits } from './chunk-limits.ts';
import type { ChunkLimits } from './chunk-limits.ts';
import { IncomingChunkStream, cut } from './incoming-chunk-stream.ts';
import { MessageType } from './message.ts';
import type { Message } from './message.ts';

const noBytes = new Uint8Array(0);
/** Basic header 3, message header 11, extended timestamp 4. RTMP 5.3.1. */
const longestHeader = 18;

export class ChunkReader {
  /** May be replaced between reads: the next header is held to the new ones. */
  limits: ChunkLimits;
  readonly #onMessage: (message: Message) => void;
  /** The one message that is handed out again and again. */
  readonly #message = { type: 0, timestamp: 0, streamId: 0, payload: noBytes as Uint8Array };
  readonly #streams = new Map<number, IncomingChunkStream>();
  #current = new IncomingChunkStream();
  /** Bytes of the current chunk that have not come yet. */
  #chunkLeft = 0;
  #chunkSize = 128; // RTMP 5.4.1
  /** Bytes of unfinished messages, each begun chunk counted as if it had come whole. */
  #unfinished = 0;
  /** A header cut by the end of a read, and room for the bytes that complete it. */
  readonly #scratch = new Uint8Array(2 * longestHeader);
  #scratchLength = 0;
  #halted = false;
  /** True during a read, and for ever after one that threw. */
  #busy = false;

  constructor(limits: ChunkLimits, onMessage: (message: Message) => void) {
    this.limits = limits;
    this.#onMessage = onMessage;
  }

  /** Bytes of the buffers in which unfinished messages are put together. */
  get heldBytes(): number {
    let held = 0;
    for (const stream of this.#streams.values()) held += stream.heldBytes;
    return held;
  }

  /**
   * Takes the next bytes and hands out each message they complete, synchronously.
   * Returns how many bytes were consumed: all of them, unless halt() was called; who halted reads on with the
   * rest. Throws ProtocolError, after which the reader is dead.
   */
  read(borrowed: Uint8Array): number {
    if (this.#busy) throw new Error('ChunkReader.read called inside onMessage or after an error');
    this.#busy = true;
    this.#halted = false;
    let offset = 0;
    if (this.#scratchLength > 0) offset = this.#finishScratch(borrowed);
    if (!this.#halted && offset < borrowed.length) {
      offset = this.#run(borrowed, offset, borrowed.length, borrowed.length);
      if (!this.#halted && offset < borrowed.length) {
        this.#scratch.set(borrowed.subarray(offset));
        this.#scratchLength = borrowed.length - offset;
        offset = borrowed.length;
      }
    }
    this.#busy = false;
    return offset;
  }

  /** For use inside onMessage: read() returns after this message. */
  halt(): void {
    this.#halted = true;
  }

  /**
   * Reads on from a header that the last read cut. It is joined with the next bytes until it is past; a join of
   * 18 new bytes always suffices. Returns how many of the new bytes are consumed.
   */
  #finishScratch(borrowed: Uint8Array): number {
    const scratch = this.#scratch;
    const old = this.#scratchLength;
    const joined = Math.min(borrowed.length, longestHeader);
    for (let index = 0; index < joined; index += 1) scratch[old + index] = borrowed[index] as number;
    const offset = this.#run(scratch, 0, old + joined, old);
    if (offset >= old) {
      this.#scratchLength = 0;
      return offset - old;
    }
    // Halted within the old bytes (the new ones stay with the caller), or a header still not whole.
    const kept = this.#halted ? old : old + joined;
    scratch.copyWithin(0, offset, kept);
    this.#scratchLength = kept - offset;
    return kept - old;
  }

  /**
   * Reads chunks from `offset` until `until` is reached, and possibly on to `end`, where the input ends. Returns
   * where it stopped: short of `until` only if halted or if a header is cut there.
   */
  #run(bytes: Uint8Array, offset: number, end: number, until: number): number {
    let at = offset;
    while (at < until) {
      if (this.#chunkLeft === 0) {
        const next = this.#readHeader(bytes, at, end);
        if (next === cut) return at;
        at = next;
      }
      const stream = this.#current;
      const chunkLeft = this.#chunkLeft;
      const available = end - at;
      if (available >= stream.length && chunkLeft === stream.length) {
        // The whole message lies here in one piece: no copy.
        this.#chunkLeft = 0;
        const payload = bytes.subarray(at, at + chunkLeft);
        at += chunkLeft;
        this.#deliver(stream, payload);
        if (this.#halted) return at;
        continue;
      }
      const count = available < chunkLeft ? available : chunkLeft;
      if (count === 0) return at;
      stream.append(bytes, at, at + count);
      at += count;
      this.#chunkLeft = chunkLeft - count;
      if (stream.received === stream.length) {
        this.#deliver(stream, stream.payload());
        stream.clear();
        if (this.#halted) return at;
      }
    }
    return at;
  }

  /** Reads one chunk header; returns where its payload begins, or `cut`, which leaves everything as it was. */
  #readHeader(bytes: Uint8Array, offset: number, end: number): number {
    const first = bytes[offset] as number;
    const fmt = first >> 6;
    let id = first & 0x3f;
    let at = offset + 1;
    // RTMP 5.3.1.1: 0 and 1 announce one or two more bytes.
    if (id < 2) {
      const more = id + 1;
      if (at + more > end) return cut;
      id = 64 + (bytes[at] as number) + (more === 2 ? (bytes[at + 1] as number) * 256 : 0);
      at += more;
    }
    let stream = this.#streams.get(id);
    const isNew = stream === undefined;
    if (stream === undefined) {
      // practice: librtmp opens chunk stream 2 with a type 1 header when it answers a ping or acknowledges; the
      // message stream ID that is missing there is 0 by RTMP 5.4.
      if (fmt !== 0 && !(fmt === 1 && id === 2)) {
        throw new ProtocolError('CHUNK_WITHOUT_PREVIOUS', `type ${fmt} header on a new chunk stream`, {
          clause: 'RTMP 5.3.1.2.1',
        });
      }
      if (this.#streams.size >= this.limits.chunkStreams) {
        throw new ProtocolError(
          'CHUNK_STREAMS_EXCEEDED',
          `more than ${this.limits.chunkStreams} chunk streams`,
        );
      }
      stream = new IncomingChunkStream();
    }
    if (fmt === 3) {
      if (stream.extended) {
        at = stream.skipRepeatedTimestamp(bytes, at, end);
        if (at === cut) return cut;
      }
      if (stream.received === 0) stream.repeatHeader();
    } else {
      at = stream.readHeader(fmt as 0 | 1 | 2, bytes, at, end);
      if (at === cut) return cut;
      if (isNew) this.#streams.set(id, stream);
    }
    if (stream.received === 0) this.#checkLength(stream);
    this.#beginChunk(stream);
    return at;
  }

  /** SECURITY 4: a message that is too large is refused for what it declares, before any of it is kept. */
  #checkLength(stream: IncomingChunkStream): void {
    const { type, length } = stream;
    let limit = this.limits.messageSize;
    if (type <= MessageType.SetPeerBandwidth) limit = chunkLimits.controlMessageSize;
    else if (type >= MessageType.DataAmf3 && type <= MessageType.CommandAmf0)
      limit = this.limits.commandMessageSize;
    if (length > limit) {
      throw new ProtocolError(
        'MESSAGE_TOO_LARGE',
        `${length} bytes in a message of type ${type}, ${limit} allowed`,
      );
    }
  }

  #beginChunk(stream: IncomingChunkStream): void {
    const messageLeft = stream.length - stream.received;
    const chunkLeft = messageLeft < this.#chunkSize ? messageLeft : this.#chunkSize;
    this.#unfinished += chunkLeft;
    if (this.#unfinished > this.limits.unfinishedBytes) {
      throw new ProtocolError(
        'MESSAGES_UNFINISHED',
        `more than ${this.limits.unfinishedBytes} bytes of unfinished messages`,
      );
    }
    this.#chunkLeft = chunkLeft;
    this.#current = stream;
  }

  #deliver(stream: IncomingChunkStream, payload: Uint8Array): void {
    this.#unfinished -= stream.length;
    stream.received = 0;
    if (stream.type === MessageType.SetChunkSize) {
      this.#setChunkSize(payload);
    } else if (stream.type === MessageType.Abort) {
      this.#abort(payload);
    } else {
      const message = this.#message;
      message.type = stream.type;
      message.timestamp = stream.timestamp;
      message.streamId = stream.streamId;
      message.payload = payload;
      this.#onMessage(message);
      message.payload = noBytes; // what was borrowed is given back
    }
  }

  /** RTMP 5.4.1. It holds from the next chunk on, inside unfinished messages too. */
  #setChunkSize(payload: Uint8Array): void {
    const size = readControlValue(payload, 'SetChunkSize', 'RTMP 5.4.1');
    if (size === 0 || size > 0x7f_ff_ff_ff) {
      throw new ProtocolError('CHUNK_SIZE_INVALID', `chunk size ${size}`, { clause: 'RTMP 5.4.1' });
    }
    this.#chunkSize = size; // above 16,777,215 it says nothing more: no message is longer
  }

  /** RTMP 5.4.2. The header stays: the next type 3 chunk begins a new message. */
  #abort(payload: Uint8Array): void {
    const stream = this.#streams.get(readControlValue(payload, 'Abort', 'RTMP 5.4.2'));
    if (stream === undefined || stream.received === 0) return;
    this.#unfinished -= stream.received;
    stream.clear();
  }
}

function readControlValue(payload: Uint8Array, name: string, clause: string): number {
  if (payload.length < 4) {
    throw new ProtocolError('CONTROL_MESSAGE_INVALID', `${name} of ${payload.length} bytes`, { clause });
  }
  return readUint32(payload, 0);
}
