// Tags as encoders send them, with bodies that can be told apart, and FLV bytes taken to pieces again.
import { headLength } from '../../src/flv/file-head.ts';
import { TagReader } from '../../src/flv/tag-reader.ts';
import { roleOf } from '../../src/flv/tag-role.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';

export function tagOf(type: TagType, timestamp: number, body: Uint8Array): Tag {
  return { type, timestamp, body, role: roleOf(type, body) };
}

/** H.264: header byte, AVCPacketType, composition time, then `size` bytes that differ from tag to tag. */
export function avcTag(
  kind: 'header' | 'key' | 'inter',
  timestamp: number,
  size = 40,
  filling = timestamp,
): Tag {
  const body = new Uint8Array(5 + size).map((_, index) => (index * 7 + filling) & 0xff);
  body.set([kind === 'inter' ? 0x27 : 0x17, kind === 'header' ? 0 : 1, 0, 0, 0]);
  return tagOf(TagType.Video, timestamp, body);
}

export function aacTag(kind: 'header' | 'frame', timestamp: number, size = 12): Tag {
  const body = new Uint8Array(2 + size).map((_, index) => (index * 5 + timestamp) & 0xff);
  body.set([0xaf, kind === 'header' ? 0 : 1]);
  return tagOf(TagType.Audio, timestamp, body);
}

export interface ReadTag extends Tag {
  readonly position: number;
}

/** All whole tags, bodies copied. */
export function readTags(bytes: Uint8Array, position = 0): { tags: ReadTag[]; reader: TagReader } {
  const tags: ReadTag[] = [];
  const reader = new TagReader(
    (tag, at) => tags.push({ ...tag, body: Uint8Array.from(tag.body), position: at }),
    { position },
  );
  reader.push(position === 0 ? bytes : bytes.subarray(position));
  return { tags, reader };
}

/** The tags of the stream, without those of the head. */
export function streamTags(file: Uint8Array): ReadTag[] {
  return readTags(file).tags.filter(({ position }) => position >= headLength);
}
