// Codec names for people and lists, and the number that onMetaData wants, read from the head of a tag body.
// FLV 10.1 E.4.2.1, E.4.3.1; E-RTMP v2 FourCC tables. pure.
import { fourCcOf, isEnhancedAudio, isEnhancedVideo, mostTracks, tracksOf } from './enhanced-header.ts';
import { TagType } from './tag.ts';

// FLV E.4.3.1 CodecID; 12 to 14 are practice from before Enhanced RTMP.
const videoCodecs: Readonly<Record<number, string>> = {
  2: 'h263',
  3: 'screen',
  4: 'vp6',
  5: 'vp6-alpha',
  6: 'screen2',
  7: 'h264',
  12: 'hevc',
  13: 'av1',
  14: 'vvc',
};

// FLV E.4.2.1 SoundFormat.
const audioCodecs: Readonly<Record<number, string>> = {
  0: 'pcm',
  1: 'adpcm',
  2: 'mp3',
  3: 'pcm',
  4: 'nellymoser',
  5: 'nellymoser',
  6: 'nellymoser',
  7: 'g711-alaw',
  8: 'g711-mulaw',
  10: 'aac',
  11: 'speex',
  14: 'mp3',
};

const fourCcs: ReadonlyMap<string, string> = new Map([
  ['avc1', 'h264'],
  ['hvc1', 'hevc'],
  ['vvc1', 'vvc'],
  ['av01', 'av1'],
  ['vp08', 'vp8'],
  ['vp09', 'vp9'],
  ['mp4a', 'aac'],
  ['.mp3', 'mp3'],
  ['Opus', 'opus'],
  ['fLaC', 'flac'],
  ['ac-3', 'ac3'],
  ['ec-3', 'eac3'],
]);

/** `h264`, `hevc`, `av1`…; undefined when the codec is unknown or the body too short to tell. */
export function videoCodecOf(body: Uint8Array): string | undefined {
  if (body.length === 0) return undefined;
  if (isEnhancedVideo(body)) return fourCcs.get(fourCcOf(body, 'video') ?? '');
  return videoCodecs[(body[0] ?? 0) & 0x0f];
}

/** `aac`, `mp3`, `opus`…; undefined when the codec is unknown or the body too short to tell. */
export function audioCodecOf(body: Uint8Array): string | undefined {
  if (body.length === 0) return undefined;
  if (isEnhancedAudio(body)) return fourCcs.get(fourCcOf(body, 'audio') ?? '');
  return audioCodecs[(body[0] ?? 0) >> 4];
}

/**
 * The codecs of all tracks of an audio or video tag, since one tag may hold tracks of several codecs; undefined
 * stands for one that is unknown, or for more than can be told. Empty when the body is too short to tell.
 */
export function codecsOf(type: TagType, body: Uint8Array): readonly (string | undefined)[] {
  const video = type === TagType.Video;
  if (body.length === 0) return [];
  if (video ? isEnhancedVideo(body) : isEnhancedAudio(body)) {
    const tracks = tracksOf(body, video ? 'video' : 'audio');
    return tracks.length > mostTracks ? [undefined] : tracks.map(({ fourCc }) => fourCcs.get(fourCc));
  }
  return [video ? videoCodecOf(body) : audioCodecOf(body)];
}

/** What onMetaData calls `videocodecid`: the CodecID, or the FourCC as a number (WIRE 4). */
export function videoCodecId(body: Uint8Array): number | undefined {
  if (body.length === 0) return undefined;
  return isEnhancedVideo(body) ? fourCcNumber(fourCcOf(body, 'video')) : (body[0] ?? 0) & 0x0f;
}

/** What onMetaData calls `audiocodecid`: the SoundFormat, or the FourCC as a number (WIRE 4). */
export function audioCodecId(body: Uint8Array): number | undefined {
  if (body.length === 0) return undefined;
  return isEnhancedAudio(body) ? fourCcNumber(fourCcOf(body, 'audio')) : (body[0] ?? 0) >> 4;
}

function fourCcNumber(fourCc: string | undefined): number | undefined {
  if (fourCc === undefined) return undefined;
  let number = 0;
  for (let index = 0; index < 4; index += 1) number = number * 256 + fourCc.charCodeAt(index);
  return number;
}
