// FLV bytes → tags, however the bytes are cut. It knows where the last whole tag ends, which is what the repair
// of a torn file needs, and answers damage with a status instead of an error: a damaged file is no peer's fault.
// FLV 10.1 E.2, E.3, E.4.1. Leaves out encrypted tags (E.4.1 Filter). pure.
import { readUint24, readUint32 } from '../bytes/big-endian.ts';
import { roleOf } from './tag-role.ts';
import { fileHeaderLength, previousTagSizeLength, tagHeaderLength } from './tag-writer.ts';
import { TagType, type Tag } from './tag.ts';

/** `reading`: all well so far. `not-flv`: no FLV header. `damaged`: behind `wholeBytes` stands no tag. */
export type ReadStatus = 'reading' | 'not-flv' | 'damaged';

/** What stands in front of every body. FLV E.4.1. */
export interface TagHeader {
  readonly type: TagType;
  readonly bodyLength: number;
  /** Milliseconds. */
  readonly timestamp: number;
}

/** The 11 bytes in front of a body; undefined when they are no tag header. */
export function parseTagHeader(bytes: Uint8Array): TagHeader | undefined {
  const type = tagTypeOf(bytes[0]);
  if (type === undefined || bytes.length < tagHeaderLength || readUint24(bytes, 8) !== 0) return undefined;
  return { type, bodyLength: readUint24(bytes, 1), timestamp: timestampOf(bytes, 0) };
}

/** The 4 bytes behind a tag: bytes of header and body. FLV E.3. */
export function parsePreviousTagSize(bytes: Uint8Array): number {
  return readUint32(bytes, 0);
}

/** Called with each whole tag, whose body is borrowed, and the file position of its first byte. */
export type TagListener = (tag: Tag, position: number) => void;

export interface TagReaderOptions {
  /** File position of the first byte pushed; anything but 0 means that tags begin at once. Default 0. */
  readonly position?: number;
}

export class TagReader {
  readonly #onTag: TagListener;
  #status: ReadStatus = 'reading';
  #wholeBytes: number;
  #headerPending: boolean;
  /** The unfinished piece at the end of what was pushed; grows as bytes arrive, never by a length they claim. */
  #rest = new Uint8Array(0);
  #restLength = 0;

  constructor(onTag: TagListener, options: TagReaderOptions = {}) {
    this.#onTag = onTag;
    this.#wholeBytes = options.position ?? 0;
    this.#headerPending = this.#wholeBytes === 0;
  }

  get status(): ReadStatus {
    return this.#status;
  }

  /** File position behind the last whole tag (or the file header). */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /** Takes the next bytes of the file, which are borrowed; after damage it takes no notice of them. */
  push(bytes: Uint8Array): void {
    if (this.#status !== 'reading') return;
    let input = bytes;
    if (this.#restLength > 0) {
      this.#keep(bytes);
      input = this.#rest.subarray(0, this.#restLength);
    }
    const used = this.#take(input);
    if (this.#restLength > 0) {
      if (used > 0) this.#rest.copyWithin(0, used, this.#restLength);
      this.#restLength -= used;
    } else if (used < input.length && this.#status === 'reading') {
      this.#keep(input.subarray(used));
    }
  }

  #keep(bytes: Uint8Array): void {
    const length = this.#restLength + bytes.length;
    if (length > this.#rest.length) {
      const grown = new Uint8Array(Math.max(length, this.#rest.length * 2));
      grown.set(this.#rest.subarray(0, this.#restLength));
      this.#rest = grown;
    }
    this.#rest.set(bytes, this.#restLength);
    this.#restLength = length;
  }

  /** Takes all whole tags; returns how many bytes they had. */
  #take(input: Uint8Array): number {
    let offset = 0;
    if (this.#headerPending) {
      if (input.length < fileHeaderLength) return 0;
      if (!isFileHeader(input)) {
        this.#status = 'not-flv';
        return 0;
      }
      this.#headerPending = false;
      this.#wholeBytes += fileHeaderLength;
      offset = fileHeaderLength;
    }
    for (;;) {
      const size = this.#takeTag(input, offset);
      if (size === 0) return offset;
      offset += size;
    }
  }

  /** Takes one tag at `offset`; returns its size, or 0 if it is not whole or not a tag. */
  #takeTag(input: Uint8Array, offset: number): number {
    if (offset === input.length) return 0;
    const type = tagTypeOf(input[offset]);
    if (type === undefined) return this.#damaged();
    if (input.length - offset < tagHeaderLength) return 0;
    // FLV E.4.1: StreamID is always 0.
    if (readUint24(input, offset + 8) !== 0) return this.#damaged();
    const bodyLength = readUint24(input, offset + 1);
    const end = offset + tagHeaderLength + bodyLength;
    if (input.length < end + previousTagSizeLength) return 0;
    // FLV E.3: the size behind the tag says again how long it is; zeros that a power cut left do not.
    if (readUint32(input, end) !== tagHeaderLength + bodyLength) return this.#damaged();

    const timestamp = timestampOf(input, offset);
    const body = input.subarray(offset + tagHeaderLength, end);
    const position = this.#wholeBytes;
    this.#wholeBytes += end + previousTagSizeLength - offset;
    this.#onTag({ type, timestamp, body, role: roleOf(type, body) }, position);
    return end + previousTagSizeLength - offset;
  }

  #damaged(): 0 {
    this.#status = 'damaged';
    return 0;
  }
}

function tagTypeOf(byte: number | undefined): TagType | undefined {
  return byte === TagType.Audio || byte === TagType.Video || byte === TagType.ScriptData ? byte : undefined;
}

/** FLV E.4.1: 24 bits, then TimestampExtended as the upper 8. */
function timestampOf(bytes: Uint8Array, tag: number): number {
  return (((bytes[tag + 7] ?? 0) << 24) | readUint24(bytes, tag + 4)) >>> 0;
}

/** FLV E.2: "FLV", version 1, DataOffset 9; and PreviousTagSize0. */
function isFileHeader(bytes: Uint8Array): boolean {
  return (
    bytes[0] === 0x46 &&
    bytes[1] === 0x4c &&
    bytes[2] === 0x56 &&
    bytes[3] === 1 &&
    readUint32(bytes, 5) === 9 &&
    readUint32(bytes, 9) === 0
  );
}
