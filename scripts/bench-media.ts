// The media that the loader sends and the check expects: H.264 and AAC in form, noise in content, 3 Mbps, a key
// frame every 2 s, 73 messages a second. Each message is a function of its stream and index alone and differs
// from every other, so that a lost, doubled or foreign one shows. pure.
import { createCipheriv } from 'node:crypto';
import { AmfObject } from '../src/amf/amf-value.ts';
import { encodeAmf0 } from '../src/amf/amf0-encoder.ts';
import { TagType } from '../src/flv/tag.ts';

/** Milliseconds from one key frame to the next. */
export const groupDuration = 2000;
const frames = 60;
const audioMessages = 86;
export const messagesPerGroup = frames + audioMessages;
/** Sizes and noise repeat after so many groups, the stamps never. */
export const groupsPerPeriod = 10;
export const messagesPerPeriod = messagesPerGroup * groupsPerPeriod;

// 60 frames and 86 AAC messages of these sizes are 750 kB, which in 2 s are 3 Mbps.
const keyFrameSize = 100_000;
const interFrameSize = 10_470;
const audioSize = 374;

const stampLength = 8;
/** Where the stamp lies in a body: behind the FLV video header, the NAL length and the NAL header; behind the FLV audio header. */
const stampOffsets = { [TagType.Video]: 10, [TagType.Audio]: 2 } as const;

interface Slot {
  readonly type: typeof TagType.Audio | typeof TagType.Video;
  /** Milliseconds since the beginning of the group. */
  readonly offset: number;
  readonly keyFrame: boolean;
}

const slots: readonly Slot[] = [
  ...Array.from({ length: frames }, (_, index) => ({
    type: TagType.Video,
    offset: Math.round((index * groupDuration) / frames),
    keyFrame: index === 0,
  })),
  ...Array.from({ length: audioMessages }, (_, index) => ({
    type: TagType.Audio,
    offset: Math.round(((index + 0.5) * groupDuration) / audioMessages),
    keyFrame: false,
  })),
].sort((a, b) => a.offset - b.offset || b.type - a.type);

/** FLV E.4.3.1: key frame, AVC, sequence header; an AVCDecoderConfigurationRecord of 1280×720 Main 3.1. */
export const videoSequenceHeader: Uint8Array = Buffer.from(
  '1700000000' + // key frame, AVC; sequence header, CompositionTime 0
    '014d401fffe1' + // version, profile, level; NAL lengths of 4 bytes; one SPS
    '0019674d401fd9005005bb0110000003001000000303c0f1832480' +
    '01000568ebc3cb20', // one PPS
  'hex',
);
/** FLV E.4.2.1: AAC, sequence header; an AudioSpecificConfig of AAC-LC, 44.1 kHz, stereo. */
export const audioSequenceHeader: Uint8Array = Buffer.from('af001210', 'hex');
/** The data message encoders begin with. */
export const metadata: Uint8Array = encodeAmf0(
  '@setDataFrame',
  'onMetaData',
  new AmfObject(
    [
      ['width', 1280],
      ['height', 720],
      ['framerate', 30],
      ['videocodecid', 7],
      ['videodatarate', 2872],
      ['audiocodecid', 10],
      ['audiosamplerate', 44_100],
      ['audiodatarate', 128],
    ],
    'ecma-array',
  ),
);

const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'noise'), Buffer.alloc(16)).update(
  Buffer.alloc(4 * 1024 * 1024),
);

/** Type and time (milliseconds since the publication began) of a message. */
export function messageAt(index: number): { readonly type: Slot['type']; readonly timestamp: number } {
  const { type, offset } = slotAt(index);
  return { type, timestamp: Math.floor(index / messagesPerGroup) * groupDuration + offset };
}

export class StreamMedia {
  readonly #stream: number;
  readonly #scratch = Buffer.alloc(keyFrameSize);

  constructor(stream: number) {
    this.#stream = stream;
  }

  /** AUDIODATA or VIDEODATA of a message. BORROWED until the next call. */
  bodyOf(index: number): Uint8Array {
    const { type, keyFrame } = slotAt(index);
    const seed = mixed(this.#stream, index % messagesPerPeriod);
    const size = bodySize(type, keyFrame, seed);
    const body = this.#scratch.subarray(0, size);
    const start = seed % (noise.length - size);
    noise.copy(body, 0, start, start + size);
    if (type === TagType.Video) {
      body[0] = keyFrame ? 0x17 : 0x27; // FLV E.4.3.1: frame type and AVC
      body.writeUInt32BE(0x01_00_00_00, 1); // NAL units, CompositionTime 0
      body.writeUInt32BE(size - 9, 5);
      body[9] = keyFrame ? 0x65 : 0x41;
    } else {
      body[0] = 0xaf;
      body[1] = 1; // raw AAC
    }
    writeStamp(body, stampOffset(index), this.#stream, index);
    return body;
  }
}

/** Where the stamp of a message lies in its body: always in the first chunk. */
export function stampOffset(index: number): number {
  return stampOffsets[slotAt(index).type];
}

/** Makes a body of the same stream and the same place in the period the body of that index. */
export function writeStamp(bytes: Buffer, offset: number, stream: number, index: number): void {
  bytes.writeUInt32BE(stream, offset);
  bytes.writeUInt32BE(index, offset + stampLength / 2);
}

function bodySize(type: Slot['type'], keyFrame: boolean, seed: number): number {
  if (type === TagType.Audio) return audioSize;
  return keyFrame ? keyFrameSize : Math.round(interFrameSize * (0.5 + (seed >>> 8) / 2 ** 24));
}

function slotAt(index: number): Slot {
  const slot = slots[index % messagesPerGroup];
  if (slot === undefined) throw new RangeError(`message ${index}`);
  return slot;
}

/** 32 even bits of two numbers: the finaliser of MurmurHash3. */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca77);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
