// The head of a recording: FLV header, onMetaData, and a filler tag that makes every head of ours equally long.
// So a head can be written first, when nothing is known yet, and in its place another one at the end, when
// duration, size and key frames are. FLV 10.1 E.2, E.5; the keyframes property is practice (flvmeta, yamdi). pure.
import { amfLimits } from '../amf/amf-limits.ts';
import { AmfObject, type AmfValue } from '../amf/amf-value.ts';
import { encodeAmf0 } from '../amf/amf0-encoder.ts';
import type { FileSummary } from './file-summary.ts';
import { flvLimits } from './flv-limits.ts';
import { metadataOf } from './script-data.ts';
import { TagReader } from './tag-reader.ts';
import { fileHeader, fileHeaderLength, tagSize, writeTag } from './tag-writer.ts';
import { TagType } from './tag.ts';

/** Bytes of every head; the first tag of the stream begins here. Room for a full index and client metadata. */
export const headLength = 32 * 1024;

/** The properties of a client's onMetaData. */
export type ClientMetadata = AmfObject;

/**
 * The filler must be a script that every reader knows and skips: of an unknown name ffmpeg makes a data stream.
 * This one is what Flash servers say of their streams, a permission (two booleans) that nobody asks for today.
 */
const fillerScript = ['|RtmpSampleAccess', false, false] as const;

/** What is ours to say; a client's word on these is about its own clock and file. Lower case. */
const ownProperties: ReadonlySet<string> = new Set([
  'duration',
  'filesize',
  'lasttimestamp',
  'lastkeyframetimestamp',
  'canseektoend',
  'hasaudio',
  'hasvideo',
  'hasmetadata',
  'haskeyframes',
  'keyframes',
]);

/** The head of a recording that has just begun, or of one that is put together of which only the length is known. */
export function provisionalHead(client: ClientMetadata | undefined, durationMs = 0): Uint8Array {
  const properties: [string, AmfValue][] = [['duration', seconds(durationMs)], ...clientProperties(client)];
  return assemble(fileHeader(true, true), properties);
}

/** The head of a finished recording of `fileSize` bytes, this head included. */
export function finalHead(
  client: ClientMetadata | undefined,
  summary: FileSummary,
  fileSize: number,
): Uint8Array {
  const { index, lastKeyFrame, videoCodecId, audioCodecId } = summary;
  const properties: [string, AmfValue][] = [
    ['duration', seconds(summary.durationMs)],
    ['filesize', fileSize],
    ['lasttimestamp', seconds(summary.lastTimestamp)],
    ['hasVideo', summary.hasVideo],
    ['hasAudio', summary.hasAudio],
    ['hasMetadata', true],
    ['hasKeyframes', index.length > 0],
    ['canSeekToEnd', summary.endsWithKeyFrame],
  ];
  if (lastKeyFrame !== undefined) properties.push(['lastkeyframetimestamp', seconds(lastKeyFrame)]);
  const fromClient = clientProperties(client);
  const said = new Set(fromClient.map(([name]) => name));
  if (videoCodecId !== undefined && !said.has('videocodecid'))
    properties.push(['videocodecid', videoCodecId]);
  if (audioCodecId !== undefined && !said.has('audiocodecid'))
    properties.push(['audiocodecid', audioCodecId]);
  properties.push(...fromClient);
  if (index.length > 0) {
    const keyframes = new AmfObject([
      ['times', index.timestamps().map(seconds)],
      ['filepositions', index.positions()],
    ]);
    properties.push(['keyframes', keyframes]);
  }
  return assemble(fileHeader(summary.hasAudio, summary.hasVideo), properties);
}

/** What the client said of the stream, from a head of ours. Undefined when the bytes are no such head. */
export function clientMetadataOf(head: Uint8Array): ClientMetadata | undefined {
  let metadata: AmfObject | undefined;
  const reader = new TagReader((tag) => {
    // Our own properties came on top of the client's, so there may be more values than a client may send.
    metadata ??= metadataOf(tag.body, { ...amfLimits, nodes: 2 * amfLimits.nodes });
  });
  reader.push(head.subarray(0, headLength));
  return metadata === undefined ? undefined : new AmfObject(clientProperties(metadata), 'ecma-array');
}

function assemble(header: Uint8Array, properties: readonly [string, AmfValue][]): Uint8Array {
  const metadata = encodeAmf0('onMetaData', new AmfObject(properties, 'ecma-array'));
  const head = new Uint8Array(headLength);
  head.set(header);
  const end = writeTag(head, fileHeaderLength, TagType.ScriptData, 0, metadata);
  const fixed = encodeAmf0(...fillerScript, '');
  const filling = headLength - end - tagSize(fixed.length);
  // The limits of the index and of client metadata leave more than this; a head must never run into the tags.
  if (filling < 0) throw new RangeError('the head of a recording is too long');
  writeTag(head, end, TagType.ScriptData, 0, encodeAmf0(...fillerScript, ' '.repeat(filling)));
  return head;
}

/** The client's own properties, as many as there is room for. */
function clientProperties(client: ClientMetadata | undefined): [string, AmfValue][] {
  const kept: [string, AmfValue][] = [];
  let room: number = flvLimits.clientMetadata;
  for (const [name, value] of client?.properties ?? []) {
    if (ownProperties.has(name.toLowerCase())) continue;
    const size = 2 + Buffer.byteLength(name) + sizeOf(value, room);
    if (size > room) continue;
    room -= size;
    kept.push([name, value]);
  }
  return kept;
}

/**
 * At least as many bytes as the value takes in AMF0; stops counting soon beyond `enough`, because references
 * (AMF0 2.9) can unfold a small message into a huge value.
 */
function sizeOf(value: AmfValue, enough: number): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (Array.isArray(value)) {
    let size = 5;
    for (const element of value as readonly AmfValue[]) {
      size += sizeOf(element, enough - size);
      if (size > enough) break;
    }
    return size;
  }
  if (value instanceof AmfObject) {
    let size = 8 + 2 + Buffer.byteLength(value.className);
    for (const [name, property] of value.properties) {
      size += 2 + Buffer.byteLength(name) + sizeOf(property, enough - size);
      if (size > enough) break;
    }
    return size;
  }
  return 11;
}

/**
 * Milliseconds as seconds, such that a reader that multiplies by 1000 and cuts off the fraction (ffmpeg does) is
 * back at the same millisecond: 1.001 × 1000 would be 1000.999….
 */
function seconds(milliseconds: number): number {
  const exact = milliseconds / 1000;
  return Math.trunc(exact * 1000) === milliseconds ? exact : exact * (1 + Number.EPSILON);
}
