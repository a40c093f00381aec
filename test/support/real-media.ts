// Real media of codecs that no Debian encoder can publish over RTMP: ffmpeg encodes into a file that can hold them,
// ffprobe takes it apart, and the packets are wrapped as an Enhanced RTMP encoder would, which leaves H.264, AAC and
// MP3 in the form of old (OBS: WIRE 5). E-RTMP v2 "Enhanced Video", "Enhanced Audio", FLV E.4.2, E.4.3.
import { join } from 'node:path';
import { TagType } from '../../src/flv/tag.ts';
import type { Frame } from './media.ts';
import { runReal } from './real-process.ts';

export const videoCodecs = {
  h264: ['', '-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2'],
  hevc: ['hvc1', '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error:bframes=2'],
  av1: ['av01', '-c:v', 'libaom-av1', '-cpu-used', '8', '-row-mt', '1', '-lag-in-frames', '0'],
  vp9: ['vp09', '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0'],
} as const;
export const audioCodecs = {
  aac: ['', '-c:a', 'aac'],
  mp3: ['', '-c:a', 'libmp3lame'],
  opus: ['Opus', '-c:a', 'libopus'],
  flac: ['fLaC', '-c:a', 'flac', '-strict', '-2'],
} as const;
export type VideoCodec = keyof typeof videoCodecs;
export type AudioCodec = keyof typeof audioCodecs;

interface Packet {
  readonly codec_type: 'video' | 'audio';
  readonly pts_time: string;
  readonly dts_time: string;
  readonly flags: string;
  readonly data: string;
}

/** The frames of `seconds` of both, in the order of their decoding times, sequence headers first. */
export async function encodeRealMedia(
  folder: string,
  video: VideoCodec,
  audio: AudioCodec,
  seconds: number,
): Promise<Frame[]> {
  const [videoFourCc, ...videoOptions] = videoCodecs[video];
  const [audioFourCc, ...audioOptions] = audioCodecs[audio];
  const path = join(folder, `${video}-${audio}.mp4`);
  const inputs = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=320x180:rate=25',
    '-f',
    'lavfi',
    '-i',
    'sine=sample_rate=48000',
  ];
  const options = ['-pix_fmt', 'yuv420p', '-g', '25', '-keyint_min', '25', ...videoOptions, ...audioOptions];
  const made = await runReal('ffmpeg', [
    '-hide_banner',
    '-nostdin',
    '-y',
    '-loglevel',
    'error',
    ...inputs,
    ...options,
    '-t',
    String(seconds),
    path,
  ]);
  if (made.code !== 0) throw new Error(`${video} and ${audio} could not be encoded: ${made.stderr}`);
  const shown = 'packet=codec_type,pts_time,dts_time,flags,data:stream=codec_type,extradata';
  const taken = await runReal('ffprobe', [
    '-v',
    'error',
    '-show_data',
    '-show_entries',
    shown,
    '-of',
    'json',
    path,
  ]);
  const { packets, streams } = JSON.parse(taken.stdout) as {
    readonly packets: readonly Packet[];
    readonly streams: readonly { readonly codec_type: string; readonly extradata?: string }[];
  };
  const extradata = (type: string) =>
    fromDump(streams.find(({ codec_type }) => codec_type === type)?.extradata ?? '');

  const frames: Frame[] = [];
  const add = (type: Frame['type'], timestamp: number, payload: Uint8Array) =>
    frames.push({ type, timestamp, payload });
  const header = videoHeader(video, extradata('video'));
  add(
    TagType.Video,
    0,
    video === 'h264' ? joined([0x17, 0, 0, 0, 0], header) : enhanced(0x90, videoFourCc, header),
  );
  if (audio === 'aac') add(TagType.Audio, 0, joined([0xaf, 0], extradata('audio')));
  else if (audio !== 'mp3')
    add(TagType.Audio, 0, enhanced(0x90, audioFourCc, audioHeader(audio, extradata('audio'))));
  // Encoders let the first decoding time be 0, so that no timestamp is negative.
  const first = Math.min(...packets.map(({ dts_time }) => Number(dts_time)));
  for (const packet of packets.toSorted((a, b) => Number(a.dts_time) - Number(b.dts_time))) {
    const timestamp = Math.round((Number(packet.dts_time) - first) * 1000);
    const data = fromDump(packet.data);
    if (packet.codec_type === 'audio') {
      const old = { aac: [0xaf, 1], mp3: [0x2f], opus: undefined, flac: undefined }[audio];
      add(
        TagType.Audio,
        timestamp,
        old === undefined ? enhanced(0x91, audioFourCc, data) : joined(old, data),
      );
      continue;
    }
    const isKey = packet.flags.startsWith('K');
    const offset = Math.round((Number(packet.pts_time) - Number(packet.dts_time)) * 1000);
    const composition = [offset >> 16, offset >> 8, offset];
    if (video === 'h264')
      add(TagType.Video, timestamp, joined([isKey ? 0x17 : 0x27, 1, ...composition], data));
    else {
      // CodedFrames carries a composition time for AVC and HEVC only.
      const body = video === 'hevc' ? joined(composition, data) : data;
      add(TagType.Video, timestamp, enhanced(isKey ? 0x91 : 0xa1, videoFourCc, body));
    }
  }
  return frames;
}

function enhanced(first: number, fourCc: string, body: Uint8Array): Uint8Array {
  return joined([first, ...Buffer.from(fourCc, 'latin1')], body);
}

function joined(first: readonly number[], rest: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from(first), rest]);
}

/** What ffprobe gives as extradata is the configuration record of the codec, except of VP9, which has none in it. */
function videoHeader(video: VideoCodec, extradata: Buffer): Buffer {
  // VPCodecConfigurationRecord: version 1, profile 0, level 1.1, 8 bits 4:2:0, BT.709.
  return video === 'vp9' ? Buffer.from([1, 0, 0, 0, 0, 11, 0x82, 1, 1, 1, 0, 0]) : extradata;
}

/** FLAC brings STREAMINFO alone; players look for it behind the marker. */
function audioHeader(audio: AudioCodec, extradata: Buffer): Buffer {
  return audio === 'flac' ? Buffer.concat([Buffer.from('fLaC'), extradata]) : extradata;
}

/** Of lines such as `00000000: 0a0b 0c0d  ....`. */
function fromDump(dump: string): Buffer {
  const hex = dump
    .split('\n')
    .map((line) => line.slice(line.indexOf(':') + 1, line.indexOf(':') + 42).replaceAll(' ', ''))
    .join('');
  return Buffer.from(hex, 'hex');
}
