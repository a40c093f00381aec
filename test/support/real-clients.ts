// The real encoders and readers: ffmpeg, GStreamer with both of its RTMP sinks, ffprobe; and the sample files
// that they send. Command lines: WIRE 2-5, RTMPE 5.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { TagType } from '../../src/flv/tag.ts';
import { readTags } from './media-tags.ts';
import { RealProcess, runReal } from './real-process.ts';

const quiet = ['-hide_banner', '-nostdin', '-y', '-loglevel'];
const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'];
/** B frames on purpose: composition times have to survive. A key frame each second. */
const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '25', '-bf', '2'];
const aac = ['-c:a', 'aac', '-b:a', '96k'];

const sampleKinds = {
  'h264 and aac': [...picture, ...tone, ...h264, ...aac],
  'h264 and mp3': [...picture, ...tone, ...h264, '-c:a', 'libmp3lame', '-b:a', '96k'],
  'h264 alone': [...picture, ...h264],
  'aac alone': [...tone, ...aac],
  'mp3 alone': [...tone, '-c:a', 'libmp3lame', '-b:a', '96k'],
} as const;
export type SampleKind = keyof typeof sampleKinds;

/** Makes an FLV file of `seconds` and answers its path. */
export async function makeSample(
  folder: string,
  kind: SampleKind = 'h264 and aac',
  seconds = 4,
): Promise<string> {
  const path = join(folder, `${kind.replaceAll(' ', '-')}-${seconds}.flv`);
  const { code, stderr } = await runReal('ffmpeg', [
    ...quiet,
    'error',
    ...sampleKinds[kind],
    '-t',
    String(seconds),
    '-flags',
    '+bitexact',
    '-f',
    'flv',
    path,
  ]);
  if (code !== 0) throw new Error(`the sample could not be made: ${stderr}`);
  return path;
}

export interface FfmpegOptions {
  /** Send at the pace of the clock. */
  readonly live?: boolean;
  /** Options of the protocol, in front of the URL. */
  readonly output?: readonly string[];
}

/** ffmpeg publishes a file as it is. */
export function publishWithFfmpeg(source: string, url: string, options: FfmpegOptions = {}): RealProcess {
  return client('ffmpeg', ffmpegArguments(source, url, options));
}

export function ffmpegArguments(source: string, url: string, options: FfmpegOptions = {}): string[] {
  const pace = options.live === true ? ['-re'] : [];
  const { output = ['-f', 'flv'] } = options;
  return [...quiet, 'info', '-nostats', ...pace, '-i', source, '-c', 'copy', ...output, url];
}

/** GStreamer publishes a file, and writes down what it really sent: it makes its own sequence headers. */
export function publishWithGStreamer(source: string, sink: readonly string[], written: string): RealProcess {
  const pipeline =
    'd.video ! queue ! h264parse ! mux.  d.audio ! queue ! aacparse ! mux. ' +
    'flvmux name=mux streamable=true ! tee name=t  t. ! queue ! filesink name=written  t. ! queue !';
  const from = ['filesrc', `location=${source}`, '!', 'flvdemux', 'name=d'];
  const into = pipeline.replace('name=written', `location=${written}`).split(/ +/);
  return client('gst-launch-1.0', ['-q', ...from, ...into, ...sink]);
}

/** A program that does not outlive the test. */
export function client(command: string, args: readonly string[]): RealProcess {
  const process = new RealProcess(command, args);
  onTestFinished(() => process.discard());
  return process;
}

export interface Probe {
  readonly format: { readonly duration: string; readonly start_time: string };
  readonly streams: readonly { readonly codec_name: string; readonly nb_read_frames: string }[];
}

/** What ffprobe sees when it decodes the whole file; fails when it has anything to complain about. */
export async function probe(path: string): Promise<Probe> {
  const entries = 'stream=codec_name,nb_read_frames:format=duration,start_time';
  return JSON.parse(await ffprobe(path, ['-count_frames', '-show_entries', entries])) as Probe;
}

/** The packet that a player gets which jumps to a time (s). */
export async function packetAt(
  path: string,
  seconds: number,
  track: 'video' | 'audio' = 'video',
): Promise<{ pts_time: string; flags: string }> {
  const interval = ['-read_intervals', `${seconds}%+#1`, '-select_streams', track.slice(0, 1)];
  const answer = await ffprobe(path, [...interval, '-show_entries', 'packet=pts_time,flags']);
  const { packets } = JSON.parse(answer) as { packets: { pts_time: string; flags: string }[] };
  return packets[0]!;
}

async function ffprobe(path: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runReal('ffprobe', ['-v', 'error', ...args, '-of', 'json', path]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** Whether a finished file can be trusted: it starts at 0, no track steps back, and its index tells the truth. */
export function expectSoundFile(path: string): void {
  const bytes = readFileSync(path);
  const { tags, reader } = readTags(bytes);
  expect(reader.wholeBytes).toBe(bytes.length);
  for (const type of [TagType.Audio, TagType.Video]) {
    const times = tags.filter((tag) => tag.type === type).map(({ timestamp }) => timestamp);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  }
  const media = tags.filter(({ type }) => type !== TagType.ScriptData);
  expect(Math.min(...media.map(({ timestamp }) => timestamp))).toBe(0);
  const metadata = metadataOf(tags[0]?.body ?? new Uint8Array());
  expect(metadata?.get('filesize')).toBe(bytes.length);
  const keyFrames = tags.filter(({ role }) => role === 'key-frame');
  const index = metadata?.get('keyframes');
  const listed = (name: string) => (index instanceof AmfObject ? (index.get(name) as number[]) : []);
  const entries = listed('filepositions').map((position, entry) => ({
    position,
    timestamp: Math.round((listed('times')[entry] ?? NaN) * 1000),
  }));
  // Without video any audio frame is as good a place to begin.
  const places = keyFrames.length > 0 ? keyFrames : tags.filter(({ role }) => role === 'audio');
  const known = new Map(places.map(({ position, timestamp }) => [position, timestamp]));
  if (keyFrames.length > 0) expect(entries.length).toBe(keyFrames.length);
  expect(entries.length).toBeGreaterThan(0);
  expect(entries).toEqual(entries.map(({ position }) => ({ position, timestamp: known.get(position) })));
}
