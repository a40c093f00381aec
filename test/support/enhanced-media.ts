// Enhanced RTMP media as encoders put it together: sequence headers, colour metadata, ModEx with nanoseconds, one
// track, many tracks, many codecs. Every payload differs from every other. E-RTMP v2 "Enhanced Audio/Video".
import { TagType } from '../../src/flv/tag.ts';
import type { Frame } from './media.ts';
import { seededRandom } from './seeded-random.ts';

/** How the frames of a stream are wrapped. */
export type Wrapping = 'plain' | 'nanoseconds' | 'one-track' | 'many-tracks' | 'many-codecs';

interface TrackBody {
  readonly id: number;
  readonly fourCc: string;
  readonly body: Uint8Array;
}

const packetTypes = { sequenceStart: 0, codedFrames: 1, metadata: 4 } as const;
const ascii = (text: string) => Buffer.from(text, 'latin1');
const joined = (...parts: readonly (Uint8Array | readonly number[])[]) =>
  new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));

/** One tag body. `first`: the upper four bits of its first byte. */
function wrap(
  wrapping: Wrapping,
  media: 'audio' | 'video',
  first: number,
  type: number,
  tracks: readonly [TrackBody, ...TrackBody[]],
): Uint8Array {
  const multitrack = media === 'video' ? 6 : 5;
  const [{ id, fourCc, body }] = tracks;
  const size = (bytes: Uint8Array) => [bytes.length >> 16, bytes.length >> 8, bytes.length];
  if (wrapping === 'plain') return joined([first | type], ascii(fourCc), body);
  // ModEx of three bytes, kind 0, then the packet type that counts
  if (wrapping === 'nanoseconds') return joined([first | 7, 2, 0x01, 0xe2, 0x40, type], ascii(fourCc), body);
  if (wrapping === 'one-track') return joined([first | multitrack, type], ascii(fourCc), [id], body);
  const ownCodecs = wrapping === 'many-codecs';
  return joined(
    [first | multitrack, (ownCodecs ? 0x20 : 0x10) | type],
    ownCodecs ? [] : ascii(fourCc),
    ...tracks.flatMap((track) => [
      ownCodecs ? ascii(track.fourCc) : [],
      [track.id, ...size(track.body)],
      track.body,
    ]),
  );
}

export interface EnhancedStream {
  readonly video: readonly [string, ...string[]];
  readonly audio: readonly [string, ...string[]];
  readonly wrapping: Wrapping;
}

/**
 * Headers, then `seconds` of 25 frames/s video, a key frame each second, and 50 audio frames/s. With `one-track` the
 * first track is plain and each other has messages of its own, with key frames half a second later.
 */
export function enhancedFrames(seed: string, stream: EnhancedStream, seconds: number): Frame[] {
  const random = seededRandom(seed);
  const frames: Frame[] = [];
  const add = (
    media: 'audio' | 'video',
    timestamp: number,
    first: (track: number) => number,
    type: number,
    size: number,
  ) => {
    const tracks = stream[media].map((fourCc, id) => ({ id, fourCc, body: random(size + id) }));
    const apart = stream.wrapping === 'one-track' ? tracks.map((track) => [track] as const) : [tracks];
    for (const [index, together] of apart.entries()) {
      const wrapping = stream.wrapping === 'one-track' && index === 0 ? 'plain' : stream.wrapping;
      const payload = wrap(wrapping, media, first(index), type, together as [TrackBody, ...TrackBody[]]);
      frames.push({ type: media === 'video' ? TagType.Video : TagType.Audio, timestamp, payload });
    }
  };
  const [videoHeader, audioHeader] = [() => 0x90, () => 0x90];
  add('video', 0, videoHeader, packetTypes.metadata, 40);
  add('video', 0, videoHeader, packetTypes.sequenceStart, 60);
  add('audio', 0, audioHeader, packetTypes.sequenceStart, 19);
  for (let tick = 0; tick < seconds * 50; tick++) {
    if (tick % 2 === 0) {
      const isKey = (track: number) => (tick + track * 25 + (track % 2)) % 50 === 0;
      add('video', tick * 20, (track) => (isKey(track) ? 0x90 : 0xa0), packetTypes.codedFrames, 600);
    }
    add('audio', tick * 20, audioHeader, packetTypes.codedFrames, 100);
  }
  return frames;
}
