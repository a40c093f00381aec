// The encoders that people have, against the appliance as they start it: whatever arrives is recorded frame by
// frame and bit for bit, and the file plays and seeks.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstDifference, framesIn } from '../support/media.ts';
import {
  expectSoundFile,
  makeSample,
  packetAt,
  probe,
  publishWithFfmpeg,
  publishWithGStreamer,
  type SampleKind,
} from '../support/real-clients.ts';
import { type RealProcess, runReal } from '../support/real-process.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder });
const samples = {} as Record<SampleKind, string>;

beforeAll(async () => {
  for (const kind of ['h264 and aac', 'h264 alone', 'aac alone', 'mp3 alone'] as const)
    samples[kind] = await makeSample(folder, kind);
  await server.start();
});
afterAll(() => server.discard());

async function recordingOf(encoder: RealProcess, stream: string): Promise<RecordingAnswer> {
  const { code, stderr } = await encoder.finish();
  if (code !== 0) throw new Error(`the encoder failed: ${stderr}`);
  return server.finishedRecording(stream);
}

/** Whether the file is as good as what was sent, beyond its frames. */
async function expectSound(recording: RecordingAnswer, sent: string, door: string): Promise<void> {
  const { path, stream, durationMs, state, keyId } = recording;
  expect(state).toBe('complete');
  expectSoundFile(path);
  const [there, here] = [await probe(sent), await probe(path)];
  // Every frame decodes. GStreamer repeats its metadata, of which ffprobe makes a stream of text; they are recorded once.
  const media = there.streams.filter(({ codec_name: name }) => name !== 'text');
  expect(here.streams).toEqual(media);
  expect(Number(here.format.duration) * 1000).toBeCloseTo(durationMs ?? 0, 0);
  expect(Math.abs(Number(here.format.duration) - 4)).toBeLessThan(0.15);
  const started = server.logged('publish.started').filter((line) => line['stream'] === stream);
  expect(started).toMatchObject([{ door, key: keyId }]);
}

describe('ffmpeg', () => {
  it.each([
    ['rtmps', 'localhost', 'h264 and aac'],
    ['rtmps', '127.0.0.1', 'h264 and aac'],
    ['rtmp', '127.0.0.1', 'h264 and aac'],
    ['rtmps', 'localhost', 'h264 alone'],
    ['rtmps', 'localhost', 'aac alone'],
    ['rtmp', 'localhost', 'mp3 alone'],
  ] as const)('%s to %s: %s', async (door, host, kind) => {
    const stream = `ffmpeg/${door}-${host}-${kind.replaceAll(' ', '-')}`;
    const { key } = await server.createKey(stream);
    const url = `${door}://${host}:${server.port}/ffmpeg/${key}`;
    const recording = await recordingOf(publishWithFfmpeg(samples[kind], url), stream);
    expect(firstDifference(framesIn(samples[kind]), framesIn(recording.path))).toBeUndefined();
    await expectSound(recording, samples[kind], door);
  });

  it('checks the development certificate when it is told to', async () => {
    const { key } = await server.createKey('live/verified');
    const url = `rtmps://localhost:${server.port}/live/${key}`;
    const output = ['-f', 'flv', '-tls_verify', '1', '-ca_file', server.caFile];
    const trusting = publishWithFfmpeg(samples['h264 and aac'], url, { output });
    const { path } = await recordingOf(trusting, 'live/verified');
    expect(firstDifference(framesIn(samples['h264 and aac']), framesIn(path))).toBeUndefined();

    const strict = publishWithFfmpeg(samples['h264 and aac'], url, {
      output: ['-f', 'flv', '-tls_verify', '1'],
    });
    const { code, stderr } = await strict.finish();
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/certificate/i);
  });

  it('what it recorded can be jumped into', async () => {
    const { key } = await server.createKey('live/seek');
    const url = `rtmps://localhost:${server.port}/live/${key}`;
    const { path } = await recordingOf(publishWithFfmpeg(samples['h264 and aac'], url), 'live/seek');
    const packet = await packetAt(path, 2.5);
    expect(packet.flags).toMatch(/^K/);
    expect(Math.abs(Number(packet.pts_time) - 2)).toBeLessThan(0.2);
    const cut = join(folder, 'cut.png');
    const seeking = ['-v', 'error', '-ss', '3.2', '-i', path, '-frames:v', '1', '-y', cut];
    expect(await runReal('ffmpeg', seeking)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('GStreamer', () => {
  it.each([
    ['rtmp2sink', 'rtmps', ['tls-validation-flags=bad-identity+not-activated+expired+revoked+insecure']],
    ['rtmp2sink', 'rtmp', []],
    ['rtmpsink', 'rtmpe', []],
    ['rtmpsink', 'rtmp', []],
    ['rtmpsink', 'rtmps', []], // librtmp over GnuTLS: no server name, and lost under TLS 1.3
  ] as const)('%s, %s', async (element, door, properties) => {
    const stream = `gst/${element}-${door}`;
    const { key } = await server.createKey(stream);
    const location = `location=${door}://localhost:${server.port}/gst/${key}`;
    const sent = join(folder, `${element}-${door}.flv`);
    const sink = [element, 'sync=false', location, ...properties];
    const encoder = publishWithGStreamer(samples['h264 and aac'], sink, sent);
    const recording = await recordingOf(encoder, stream);
    expect(firstDifference(framesIn(sent), framesIn(recording.path))).toBeUndefined();
    await expectSound(recording, sent, door);
  });
});
