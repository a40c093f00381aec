// Messages → chunk stream. RTMP 1.0 §5.3. One buffer per message with all of its chunks; it leaves interleaving
// to the caller. It does not send SetChunkSize by itself. pure.
import type { Message } from './message.ts';

/** In the timestamp field: the value is in the extended timestamp. RTMP 5.3.1.3. */
const extendedMark = 0xff_ff_ff;
const longestPayload = 0xff_ff_ff;
/** Bytes of the message header for each fmt. RTMP 5.3.1.2. */
const messageHeaderSizes = [11, 7, 3, 0] as const;

export type Fmt = 0 | 1 | 2 | 3;

/** The header sent last on a chunk stream, which compressed headers refer to. */
interface LastHeader {
  readonly type: number;
  readonly timestamp: number;
  readonly streamId: number;
  readonly length: number;
  /** The timestamp field, extended or not: what type 3 repeats and, beginning a message, adds. */
  readonly timestampField: number;
  /** True if that field was a timestamp and not a delta. */
  readonly absolute: boolean;
}

export class ChunkWriter {
  /** Bytes of payload per chunk. The caller sends SetChunkSize first and then sets this. RTMP 5.4.1. */
  chunkSize = 128;
  readonly #lastHeaders = new Map<number, LastHeader>();

  /**
   * The chunks of one message, in a buffer of their own. Without `fmt` the shortest header is taken that every
   * known reader understands alike. Throws a plain Error for what cannot be written: that is a bug of ours.
   */
  write(chunkStreamId: number, message: Message, fmt?: Fmt): Uint8Array {
    const { payload } = message;
    // RTMP 5.3.1.1: 0 and 1 are markers, 65599 is the last that three bytes can say.
    if (!(chunkStreamId >= 2 && chunkStreamId <= 65_599)) throw new Error(`chunk stream ID ${chunkStreamId}`);
    if (payload.length > longestPayload) throw new Error(`message of ${payload.length} bytes`);
    const last = this.#lastHeaders.get(chunkStreamId);
    const timestamp = message.timestamp >>> 0;
    const delta = last === undefined ? 0 : (timestamp - last.timestamp) >>> 0;
    const chosen = fmt ?? shortest(last, message, delta);
    if (!isPossible(chosen, last, message, delta)) throw new Error(`type ${chosen} header cannot say this`);

    const timestampField = chosen === 0 ? timestamp : delta; // for type 3 the delta is the last field
    const extended = timestampField >= extendedMark;
    const basicSize = chunkStreamId < 64 ? 1 : chunkStreamId < 320 ? 2 : 3;
    const repeatedSize = basicSize + (extended ? 4 : 0);
    const chunks = Math.max(1, Math.ceil(payload.length / this.chunkSize));
    const output = Buffer.allocUnsafe(repeatedSize * chunks + messageHeaderSizes[chosen] + payload.length);

    let at = writeBasicHeader(output, 0, chosen, chunkStreamId);
    at = writeMessageHeader(output, at, chosen, Math.min(timestampField, extendedMark), message);
    if (extended) at = output.writeUInt32BE(timestampField, at);
    for (let from = 0; from < payload.length; from += this.chunkSize) {
      if (from > 0) {
        at = writeBasicHeader(output, at, 3, chunkStreamId);
        if (extended) at = output.writeUInt32BE(timestampField, at); // RTMP 5.3.1.3: on type 3 too
      }
      const piece = payload.subarray(from, from + this.chunkSize);
      output.set(piece, at);
      at += piece.length;
    }
    this.#lastHeaders.set(chunkStreamId, {
      type: message.type,
      timestamp,
      streamId: message.streamId,
      length: payload.length,
      timestampField,
      absolute: chosen === 0 || (chosen === 3 && last?.absolute === true),
    });
    return output;
  }
}

/**
 * practice: readers disagree about deltas from 0xFFFFFF on (WIRE 5) and about type 3 directly after type 0
 * (nginx-rtmp adds 0, RTMP 5.3.1.2.4 the timestamp), so a longer header is taken where it matters.
 */
function shortest(last: LastHeader | undefined, message: Message, delta: number): Fmt {
  if (last === undefined || last.streamId !== message.streamId || delta >= extendedMark) return 0;
  if (last.type !== message.type || last.length !== message.payload.length) return 1;
  if (last.timestampField !== delta || (last.absolute && delta !== 0)) return 2;
  return 3;
}

/** RTMP 5.3.1.2: what each fmt leaves out must equal the header before. */
function isPossible(fmt: Fmt, last: LastHeader | undefined, message: Message, delta: number): boolean {
  if (fmt === 0) return true;
  if (last === undefined || last.streamId !== message.streamId) return false;
  if (fmt === 1) return true;
  if (last.type !== message.type || last.length !== message.payload.length) return false;
  return fmt === 2 || last.timestampField === delta;
}

function writeBasicHeader(output: Buffer, offset: number, fmt: Fmt, chunkStreamId: number): number {
  const high = fmt << 6;
  if (chunkStreamId < 64) return output.writeUInt8(high | chunkStreamId, offset);
  if (chunkStreamId < 320) return output.writeUInt8(chunkStreamId - 64, output.writeUInt8(high, offset));
  return output.writeUInt16LE(chunkStreamId - 64, output.writeUInt8(high | 1, offset)); // RTMP 5.3.1.1
}

function writeMessageHeader(
  output: Buffer,
  offset: number,
  fmt: Fmt,
  timestamp: number,
  message: Message,
): number {
  let at = offset;
  if (fmt < 3) at = output.writeUIntBE(timestamp, at, 3);
  if (fmt < 2) {
    at = output.writeUIntBE(message.payload.length, at, 3);
    at = output.writeUInt8(message.type, at);
  }
  if (fmt === 0) at = output.writeUInt32LE(message.streamId, at); // RTMP 5.3.1.2.1: little-endian
  return at;
}
