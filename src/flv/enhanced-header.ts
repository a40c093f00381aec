// The Enhanced RTMP tag header, audio and video alike: behind the first byte may stand ModEx prefixes (such as a
// timestamp's nanoseconds), a multitrack byte and a FourCC. This finds the packet type that counts, the FourCC and
// the tracks; it reads no frame. E-RTMP v2 "Enhanced Audio", "Enhanced Video". pure.
import { readUint24 } from '../bytes/big-endian.ts';

export const VideoPacketType = {
  SequenceStart: 0,
  CodedFrames: 1,
  SequenceEnd: 2,
  CodedFramesX: 3,
  Metadata: 4,
  Mpeg2TsSequenceStart: 5,
  Multitrack: 6,
  ModEx: 7,
} as const;

export const AudioPacketType = {
  SequenceStart: 0,
  CodedFrames: 1,
  SequenceEnd: 2,
  MultichannelConfig: 4,
  Multitrack: 5,
  ModEx: 7,
} as const;

/** AvMultitrackType */
const oneTrack = 0;
const manyTracksManyCodecs = 2;
/** Track IDs are UI8: a tag with more tracks than there are IDs is damaged. */
export const mostTracks = 256;

/** VideoFrameType of a frame that has a command byte in place of FourCC and payload. */
const commandFrame = 5;

export interface EnhancedTrack {
  readonly id: number;
  readonly fourCc: string;
}

/** What the packet type functions answer for a body that is cut short; the value is unassigned in both tables. */
const cutShort = 15;
const modEx = 7;
const fourCcLength = 4;

/** Is this VIDEODATA with the enhanced header? E-RTMP "Enhanced Video": bit 7 of the first byte. */
export function isEnhancedVideo(body: Uint8Array): boolean {
  return ((body[0] ?? 0) & 0x80) !== 0;
}

/** Is this AUDIODATA with the enhanced header? E-RTMP "Enhanced Audio": SoundFormat 9. */
export function isEnhancedAudio(body: Uint8Array): boolean {
  return (body[0] ?? 0) >> 4 === 9;
}

/** VideoPacketType of an enhanced tag, looked up behind ModEx and multitrack; 15 when the body is cut short. */
export function videoPacketType(body: Uint8Array): number {
  return locate(body, VideoPacketType.Multitrack) & 0x0f;
}

/** Is this enhanced VIDEODATA a command and no picture? Metadata ignores the frame type. */
export function isVideoCommand(body: Uint8Array): boolean {
  return (
    (((body[0] ?? 0) >> 4) & 0x07) === commandFrame && videoPacketType(body) !== VideoPacketType.Metadata
  );
}

/** AudioPacketType of an enhanced tag, looked up behind ModEx and multitrack; 15 when the body is cut short. */
export function audioPacketType(body: Uint8Array): number {
  return locate(body, AudioPacketType.Multitrack) & 0x0f;
}

/** FourCC of an enhanced tag (of its first track); undefined when the body is cut short or a command. */
export function fourCcOf(body: Uint8Array, media: 'audio' | 'video'): string | undefined {
  const located = locate(body, multitrackOf(media));
  if ((located & 0x0f) === cutShort || (media === 'video' && isVideoCommand(body))) return undefined;
  return fourCcAt(body, located >> 5);
}

/**
 * The track of an enhanced tag that holds one track only: 0, the default one, when it is not multitrack or when
 * many tracks are in it, which have their frame type in common.
 */
export function onlyTrackOf(body: Uint8Array, media: 'audio' | 'video'): number {
  const located = locate(body, multitrackOf(media));
  if ((located & multitrackFlag) === 0) return 0;
  const position = located >> 5;
  return (body[position - 1] ?? 0) >> 4 === oneTrack ? (body[position + fourCcLength] ?? 0) : 0;
}

/**
 * All tracks of an enhanced tag; those behind the place where it is cut short or damaged are left out. One more
 * than `mostTracks` when there are more.
 */
export function tracksOf(body: Uint8Array, media: 'audio' | 'video'): readonly EnhancedTrack[] {
  const first = fourCcOf(body, media);
  if (first === undefined) return [];
  const located = locate(body, multitrackOf(media));
  if ((located & multitrackFlag) === 0) return [{ id: 0, fourCc: first }];
  let position = located >> 5;
  const kind = (body[position - 1] ?? 0) >> 4;
  const tracks: EnhancedTrack[] = [];
  let fourCc: string | undefined = first;
  position += fourCcLength;
  while (fourCc !== undefined && position < body.length) {
    tracks.push({ id: body[position] ?? 0, fourCc });
    if (kind === oneTrack || tracks.length > mostTracks || position + 4 > body.length) break;
    position += 4 + readUint24(body, position + 1); // UI8 trackId, UI24 size, as many bytes
    if (kind === manyTracksManyCodecs) {
      fourCc = fourCcAt(body, position);
      position += fourCcLength;
    }
  }
  return tracks;
}

function multitrackOf(media: 'audio' | 'video'): number {
  return media === 'video' ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
}

function fourCcAt(body: Uint8Array, start: number): string | undefined {
  if (start + fourCcLength > body.length) return undefined;
  return String.fromCharCode(...body.subarray(start, start + fourCcLength));
}

const multitrackFlag = 16;

/** Offset of the FourCC × 32 + 16 if multitrack + packet type: one number, so that the hot path allocates nothing. */
function locate(body: Uint8Array, multitrack: number): number {
  let position = 1;
  let type = (body[0] ?? cutShort) & 0x0f;
  while (type === modEx) {
    // E-RTMP "ModEx": UI8 size-1, or 255 and UI16 size-1; the data; UB4 kind and UB4 packet type.
    let size = (body[position] ?? 0) + 1;
    position += 1;
    if (size === 256) {
      size = (((body[position] ?? 0) << 8) | (body[position + 1] ?? 0)) + 1;
      position += 2;
    }
    position += size;
    type = (body[position] ?? cutShort) & 0x0f;
    position += 1;
  }
  let flag = 0;
  if (type === multitrack) {
    flag = multitrackFlag;
    // UB4 multitrack kind and UB4 packet type. Whether all tracks share a codec or each has its own, the first
    // FourCC comes next.
    type = (body[position] ?? cutShort) & 0x0f;
    position += 1;
  }
  return (position << 5) | flag | type;
}
