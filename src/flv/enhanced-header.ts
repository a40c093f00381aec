// The Enhanced RTMP tag header, audio and video alike: behind the first byte may stand ModEx prefixes, a
// multitrack byte and a FourCC. This finds the packet type that counts and the FourCC; it reads no frame and
// no track list. E-RTMP v2 "Enhanced Audio", "Enhanced Video". pure.

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

/** AudioPacketType of an enhanced tag, looked up behind ModEx and multitrack; 15 when the body is cut short. */
export function audioPacketType(body: Uint8Array): number {
  return locate(body, AudioPacketType.Multitrack) & 0x0f;
}

/** FourCC of an enhanced tag (of its first track); undefined when the body is cut short. */
export function fourCcOf(body: Uint8Array, media: 'audio' | 'video'): string | undefined {
  const multitrack = media === 'video' ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
  const located = locate(body, multitrack);
  const start = located >> 4;
  if ((located & 0x0f) === cutShort || start + fourCcLength > body.length) return undefined;
  return String.fromCharCode(...body.subarray(start, start + fourCcLength));
}

/** Offset of the FourCC × 16 + packet type: one number, so that the hot path allocates nothing. */
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
  if (type === multitrack) {
    // UB4 multitrack kind and UB4 packet type. Whether all tracks share a codec or each has its own, the first
    // FourCC comes next.
    type = (body[position] ?? cutShort) & 0x0f;
    position += 1;
  }
  return (position << 4) | type;
}
