// Synthetic media with the headers of the real thing, and a reader of what was recorded of it.
import { readFileSync } from 'node:fs';
import { TagReader } from '../../src/flv/tag-reader.ts';
import { TagType } from '../../src/flv/tag.ts';
import { seededRandom } from './seeded-random.ts';

export interface Frame {
  readonly type: typeof TagType.Audio | typeof TagType.Video;
  /** Milliseconds. */
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** AVCDecoderConfigurationRecord and AudioSpecificConfig of a real encoder, each as a sequence header tag. */
const videoHeader = Buffer.from(
  '170000000001640015ffe1001867640015acd9414 1fbf011000003001000000303c0f162d960010006 68ebe3cb22c0'.replaceAll(
    ' ',
    '',
  ),
  'hex',
);
const audioHeader = Buffer.from('af001190', 'hex');

/**
 * Sequence headers, then `seconds` of 25 frames/s video with a key frame each second and 50 audio frames/s. Every
 * payload differs from every other, so that a lost, doubled or swapped one shows.
 */
export function syntheticFrames(seed: string, seconds: number, videoSize = 4000): Frame[] {
  const random = seededRandom(seed);
  const frames: Frame[] = [
    { type: TagType.Video, timestamp: 0, payload: videoHeader },
    { type: TagType.Audio, timestamp: 0, payload: audioHeader },
  ];
  for (let tick = 0; tick < seconds * 50; tick++) {
    const timestamp = tick * 20;
    if (tick % 2 === 0) {
      const keyFrame = tick % 50 === 0;
      const head = Uint8Array.of(keyFrame ? 0x17 : 0x27, 1, 0, 0, 0);
      frames.push({
        type: TagType.Video,
        timestamp,
        payload: Buffer.concat([head, random(keyFrame ? videoSize * 4 : videoSize)]),
      });
    }
    frames.push({
      type: TagType.Audio,
      timestamp,
      payload: Buffer.concat([Uint8Array.of(0xaf, 1), random(200)]),
    });
  }
  return frames;
}

/** Audio and video of FLV bytes, copied; throws when the bytes do not end on a whole tag. */
function framesOf(flv: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const reader = new TagReader(({ type, timestamp, body }) => {
    if (type !== TagType.ScriptData) frames.push({ type, timestamp, payload: Buffer.from(body) });
  });
  reader.push(flv);
  if (reader.status !== 'reading' || reader.wholeBytes !== flv.length) {
    throw new Error(`${reader.status}: ${flv.length - reader.wholeBytes} bytes behind the last whole tag`);
  }
  return frames;
}

export function framesIn(path: string): Frame[] {
  return framesOf(readFileSync(path));
}

/** Tells the first difference, where a deep comparison would print megabytes. */
export function firstDifference(sent: readonly Frame[], recorded: readonly Frame[]): string | undefined {
  for (const [index, frame] of sent.entries()) {
    const other = recorded[index];
    if (other === undefined) return `frame ${index} of ${sent.length} is missing`;
    if (other.type !== frame.type) return `frame ${index} has type ${other.type}, sent was ${frame.type}`;
    if (Buffer.compare(other.payload, frame.payload) !== 0) return `frame ${index} has another payload`;
    if (other.timestamp !== frame.timestamp)
      return `frame ${index} is at ${other.timestamp}, sent was ${frame.timestamp}`;
  }
  return recorded.length > sent.length ? `${recorded.length - sent.length} frames too many` : undefined;
}
