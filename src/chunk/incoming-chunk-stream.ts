// What the reader remembers of one chunk stream: the message header that compressed ones refer to (RTMP 5.3.1.2,
// 5.3.1.3) and the unfinished message with its assembly buffer, which is borrowed from a pool and grows as bytes
// arrive, never by the length that a header declares (SECURITY 4). Leaves the limits out. pure.
import { readUint24, readUint32 } from '../bytes/big-endian.ts';
import { ProtocolError } from '../errors.ts';
import { giveAssembly, takeAssembly } from './assembly-pool.ts';

/** Answer of the header readers: the header is cut by the end of the input. */
export const cut = -1;
/** Bytes of the message header for each fmt. RTMP 5.3.1.2. */
const messageHeaderSizes = [11, 7, 3] as const;
/** In the timestamp field: the value is in the extended timestamp. RTMP 5.3.1.3. */
const extendedMark = 0xff_ff_ff;
const noBytes = new Uint8Array(0);
/** A first buffer smaller than this would be outgrown at once. */
const smallestAssembly = 4096;
/** Up to here a loop is faster than the call into the runtime (measured on Node 24). */
const largestLoopCopy = 24;
/** Copies without the view that TypedArray.set needs, and takes any Uint8Array as its source. */
const copyBytes = Buffer.prototype.copy as (
  this: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  start: number,
  end: number,
) => number;

export class IncomingChunkStream {
  /** Message type ID of the last header. */
  type = 0;
  /** Timestamp of the message that began last, in milliseconds mod 2^32. */
  timestamp = 0;
  /** Message stream ID of the last header. */
  streamId = 0;
  /** Declared length of the message, in bytes. */
  length = 0;
  /** True if the last type 0-2 header had an extended timestamp. */
  extended = false;
  /**
   * The timestamp field of the last type 0-2 header, extended or not. A type 3 chunk repeats it if it was
   * extended, and adds it to the timestamp if it begins a message; after type 0 too. RTMP 5.3.1.2.4.
   */
  timestampField = 0;
  /** Bytes of the unfinished message; between chunks, 0 means that no message is unfinished. */
  received = 0;
  #assembly: Uint8Array = noBytes;

  /** Bytes of the assembly buffer, full or not. */
  get heldBytes(): number {
    return this.#assembly.length;
  }

  /**
   * Reads a message header and its extended timestamp: a message begins. Returns where the payload begins, or
   * `cut`, which leaves everything as it was.
   */
  readHeader(fmt: 0 | 1 | 2, bytes: Uint8Array, offset: number, end: number): number {
    if (this.received > 0) {
      // A peer that changes the size half-way makes naive readers overflow (SECURITY 1, CVE-2016-10191).
      throw new ProtocolError(
        'CHUNK_INTERRUPTED_MESSAGE',
        `type ${fmt} header after ${this.received} of ${this.length} bytes`,
        { clause: 'RTMP 5.3.1.2.4' },
      );
    }
    let at = offset + messageHeaderSizes[fmt];
    if (at > end) return cut;
    let field = readUint24(bytes, offset);
    const extended = field === extendedMark;
    if (extended) {
      if (at + 4 > end) return cut;
      field = readUint32(bytes, at); // on types 1 and 2 it is a delta like any other (WIRE 5)
      at += 4;
    }
    this.extended = extended;
    this.timestampField = field;
    this.timestamp = fmt === 0 ? field : (this.timestamp + field) >>> 0;
    if (fmt < 2) {
      this.length = readUint24(bytes, offset + 3);
      this.type = bytes[offset + 6] as number;
    }
    if (fmt === 0) {
      // The one little-endian field. RTMP 5.3.1.2.1.
      const high = ((bytes[offset + 10] as number) << 24) | ((bytes[offset + 9] as number) << 16);
      this.streamId = (high | ((bytes[offset + 8] as number) << 8) | (bytes[offset + 7] as number)) >>> 0;
    }
    return at;
  }

  /** RTMP 5.3.1.2.4: a type 3 chunk begins a message with the delta of the last. OBS relies on it (WIRE 5). */
  repeatHeader(): void {
    this.timestamp = (this.timestamp + this.timestampField) >>> 0;
  }

  /**
   * RTMP 5.3.1.3: a type 3 chunk repeats an extended timestamp. Returns where the payload begins, or `cut`.
   * practice: OBS before 2024 and old librtmp leave it out, so what does not equal the expected value is payload
   * (WIRE 5). One differing byte decides, so that nobody waits for more than was sent.
   */
  skipRepeatedTimestamp(bytes: Uint8Array, offset: number, end: number): number {
    for (let index = 0; index < 4; index += 1) {
      if (offset + index >= end) return cut;
      if (bytes[offset + index] !== ((this.timestampField >>> (24 - 8 * index)) & 0xff)) return offset;
    }
    return offset + 4;
  }

  /** The finished message. */
  payload(): Uint8Array {
    return this.#assembly.subarray(0, this.length);
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const received = this.received;
    const total = received + end - start;
    if (total > this.#assembly.length) this.#grow(total);
    if (end - start > largestLoopCopy) {
      copyBytes.call(bytes, this.#assembly, received, start, end);
    } else {
      const assembly = this.#assembly;
      for (let from = start, to = received; from < end; from += 1, to += 1)
        assembly[to] = bytes[from] as number;
    }
    this.received = total;
  }

  /** The message was delivered or given up: its bytes are nobody's any more. */
  clear(): void {
    this.received = 0;
    if (this.#assembly === noBytes) return;
    giveAssembly(this.#assembly);
    this.#assembly = noBytes;
  }

  #grow(needed: number): void {
    // In steps of four, so that growing copies little; the declared length only ever makes it less.
    const wanted = Math.max(needed, smallestAssembly, this.#assembly.length * 4);
    const grown = takeAssembly(Math.max(needed, Math.min(wanted, this.length)));
    const outgrown = this.#assembly;
    if (outgrown !== noBytes) {
      copyBytes.call(outgrown, grown, 0, 0, this.received);
      giveAssembly(outgrown);
    }
    this.#assembly = grown;
  }
}
