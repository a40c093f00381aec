// Finds the tags in a damaged FLV file, also behind the damage: where no tag stands it looks on, byte by byte, for
// the next that is whole, with its length said twice (FLV E.3) and a stream ID of 0 (E.4.1). Tells what it passed
// over. Memory is bounded by the largest tag there can be (16 MiB). pure.
import { amfLimits } from '../amf/amf-limits.ts';
import type { ClientMetadata } from './file-head.ts';
import { metadataOf } from './script-data.ts';
import { parsePreviousTagSize, parseTagHeader, type TagListener } from './tag-reader.ts';
import { roleOf } from './tag-role.ts';
import { previousTagSizeLength, tagHeaderLength } from './tag-writer.ts';

/** Bytes `from` to `to` (not included) belong to no whole tag. */
export interface Hole {
  readonly from: number;
  readonly to: number;
}

/** The onMetaData of a file of the operator's own, whose index may be longer than a stranger may send. */
export function anyMetadataOf(body: Uint8Array): ClientMetadata | undefined {
  return metadataOf(body, { ...amfLimits, nodes: 1_000_000 });
}

export class SalvageReader {
  readonly holes: Hole[] = [];
  readonly #onTag: TagListener;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Of the first byte of the buffer, in the file. */
  #position: number;
  #holeFrom: number | undefined;

  /** `position`: of the first byte that will be pushed, which should be that of a tag. */
  constructor(onTag: TagListener, position: number) {
    this.#onTag = onTag;
    this.#position = position;
  }

  /** The bytes are borrowed. */
  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#buffer.length + bytes.length);
    joined.set(this.#buffer);
    joined.set(bytes, this.#buffer.length);
    this.#take(joined, false);
  }

  /** Nothing more comes: what is unfinished is no tag. */
  end(): void {
    this.#take(this.#buffer, true);
    if (this.#holeFrom !== undefined) this.#endHole(this.#position);
  }

  #take(input: Uint8Array, isLast: boolean): void {
    let offset = 0;
    while (offset < input.length) {
      const size = wholeTagAt(input, offset);
      if (size === undefined && !isLast) break;
      if (size === undefined || size === 0) {
        this.#holeFrom ??= this.#position + offset;
        offset += 1;
      } else {
        if (this.#holeFrom !== undefined) this.#endHole(this.#position + offset);
        this.#emit(input.subarray(offset, offset + size), this.#position + offset);
        offset += size;
      }
    }
    this.#buffer = Uint8Array.from(input.subarray(offset));
    this.#position += offset;
  }

  #emit(bytes: Uint8Array, position: number): void {
    const header = parseTagHeader(bytes);
    if (header === undefined) return;
    const body = bytes.subarray(tagHeaderLength, tagHeaderLength + header.bodyLength);
    this.#onTag(
      { type: header.type, timestamp: header.timestamp, body, role: roleOf(header.type, body) },
      position,
    );
  }

  #endHole(to: number): void {
    if (this.#holeFrom !== undefined) this.holes.push({ from: this.#holeFrom, to });
    this.#holeFrom = undefined;
  }
}

/** Bytes of the whole tag that begins there; 0 when none does, undefined when more bytes are needed to tell. */
function wholeTagAt(input: Uint8Array, offset: number): number | undefined {
  const left = input.length - offset;
  if (left < tagHeaderLength) {
    // FLV E.4.1: types 8, 9 and 18; anything else is told by its first byte.
    const first = input[offset];
    return first === 8 || first === 9 || first === 18 ? undefined : 0;
  }
  const header = parseTagHeader(input.subarray(offset, offset + tagHeaderLength));
  if (header === undefined) return 0;
  const end = tagHeaderLength + header.bodyLength;
  if (left < end + previousTagSizeLength) return undefined;
  const said = parsePreviousTagSize(input.subarray(offset + end, offset + end + previousTagSizeLength));
  return said === end ? end + previousTagSizeLength : 0;
}
