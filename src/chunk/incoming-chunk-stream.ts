// What the reader remembers of one chunk stream: the header that compressed headers refer to (RTMP 5.3.1.2) and
// the unfinished message with its assembly buffer. The buffer grows as bytes arrive, never by the length that
// a header declares (SECURITY 4), and is used again for the next message (PERFORMANCE 3.4). pure.

const noBytes = new Uint8Array(0);
/** A first buffer smaller than this would be outgrown at once. */
const smallestAssembly = 1024;
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

  /** Bytes that the assembly buffer takes up. */
  get capacity(): number {
    return this.#assembly.length;
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

  dropAssembly(): void {
    this.#assembly = noBytes;
  }

  #grow(needed: number): void {
    // Doubling keeps the number of copies small; the declared length only ever makes it less.
    const wanted = Math.max(smallestAssembly, needed, this.#assembly.length * 2);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(wanted, this.length)));
    grown.set(this.#assembly.subarray(0, this.received));
    this.#assembly = grown;
  }
}
