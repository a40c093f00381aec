// FLV bytes of one tag and of the file header, written into a buffer of the caller: nothing is allocated.
// FLV 10.1 E.2, E.3, E.4.1. pure.
import type { TagType } from './tag.ts';

/** FLV E.4.1: type, size, timestamp and stream ID in front of every body. */
export const tagHeaderLength = 11;
/** FLV E.3: UI32 behind every tag. */
export const previousTagSizeLength = 4;
/** FLV E.2 header and PreviousTagSize0. */
export const fileHeaderLength = 13;

/** Bytes that a tag with such a body takes in a file, PreviousTagSize included. */
export function tagSize(bodyLength: number): number {
  return tagHeaderLength + bodyLength + previousTagSizeLength;
}

/**
 * Writes a whole tag at `offset` and returns the offset behind it. The timestamp is in milliseconds, the body
 * up to 16,777,215 bytes; `target` must have `tagSize(body.length)` bytes of room.
 */
export function writeTag(
  target: Uint8Array,
  offset: number,
  type: TagType,
  timestamp: number,
  body: Uint8Array,
): number {
  const size = body.length;
  target[offset] = type;
  target[offset + 1] = size >>> 16;
  target[offset + 2] = size >>> 8;
  target[offset + 3] = size;
  // FLV E.4.1: 24 bits, then TimestampExtended as the upper 8 bits of a 32-bit value.
  target[offset + 4] = timestamp >>> 16;
  target[offset + 5] = timestamp >>> 8;
  target[offset + 6] = timestamp;
  target[offset + 7] = timestamp >>> 24;
  target[offset + 8] = 0;
  target[offset + 9] = 0;
  target[offset + 10] = 0;
  target.set(body, offset + tagHeaderLength);
  const end = offset + tagHeaderLength + size;
  writeUint32(target, end, tagHeaderLength + size);
  return end + previousTagSizeLength;
}

/** The 9 bytes of FLV E.2 and PreviousTagSize0. */
export function fileHeader(hasAudio: boolean, hasVideo: boolean): Uint8Array {
  const flags = (hasAudio ? 0x04 : 0) | (hasVideo ? 0x01 : 0);
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0);
}

function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}
