// What is recorded can be played: every pair of codecs that an encoder here can make is opened, played and sought in
// by ffprobe and, in a browser, by mpegts.js. Debian's ffmpeg reads no Enhanced FLV, and its Chromium no HEVC: there
// the frames themselves are compared.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Playback, openBrowser, play } from '../support/browser.ts';
import { Encoder } from '../support/encoder.ts';
import { firstDifference, framesIn } from '../support/media.ts';
import {
  expectSoundFile,
  makeSample,
  packetAt,
  probe,
  publishWithFfmpeg,
  type SampleKind,
} from '../support/real-clients.ts';
import { type AudioCodec, encodeRealMedia, type VideoCodec } from '../support/real-media.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const seconds = 6;
const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder });
let browser: Browser;
let token = '';

beforeAll(async () => {
  await server.start();
  token = (await server.createToken('recordings:read')).token;
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server.discard();
});

/** Opens it in the browser, plays the beginning, jumps to 4 s and plays on from there. */
async function playInBrowser({ id }: RecordingAnswer): Promise<Playback> {
  const origin = `https://localhost:${server.port}`;
  return play(browser, { origin, path: `/api/v1/recordings/${id}/file`, token, seekTo: 4 });
}

function expectPlayed(
  { errors, duration, played, playedAfterSeek, decodedFrames }: Playback,
  frames: number,
) {
  expect(errors).toEqual([]);
  expect(Math.abs(duration - seconds)).toBeLessThan(0.2);
  expect(played).toBeGreaterThan(0.3);
  expect(playedAfterSeek).toBeGreaterThan(4.3);
  expect(decodedFrames).toBeGreaterThanOrEqual(frames);
}

describe('recorded from ffmpeg', () => {
  it.each([
    ['h264 and aac', true],
    ['h264 and mp3', true],
    ['h264 alone', true],
    ['aac alone', false],
    ['mp3 alone', false],
  ] as const)('%s plays and seeks', async (kind: SampleKind, hasVideo) => {
    const sample = await makeSample(folder, kind, seconds);
    const stream = `ffmpeg/${kind.replaceAll(' ', '-')}`;
    const { key } = await server.createKey(stream);
    await publishWithFfmpeg(sample, `rtmps://localhost:${server.port}/ffmpeg/${key}`).finish();
    const recording = await server.finishedRecording(stream);

    expectSoundFile(recording.path);
    const { format } = await probe(recording.path);
    expect(Math.abs(Number(format.duration) - seconds)).toBeLessThan(0.2);
    const { pts_time, flags } = await packetAt(recording.path, 4, hasVideo ? 'video' : 'audio');
    expect(flags).toMatch(/^K/);
    expect(Math.abs(Number(pts_time) - 4)).toBeLessThan(1.2);
    expectPlayed(await playInBrowser(recording), hasVideo ? 10 : 0);
  });
});

describe('recorded from an Enhanced RTMP encoder', () => {
  it.each([
    ['av1', 'opus', true],
    ['h264', 'flac', true],
    ['h264', 'opus', true],
    ['vp9', 'opus', false],
    ['hevc', 'aac', false],
    ['hevc', 'opus', false],
  ] as const)('%s and %s', async (video: VideoCodec, audio: AudioCodec, played) => {
    const frames = await encodeRealMedia(folder, video, audio, seconds);
    const stream = `enhanced/${video}-${audio}`;
    const { key } = await server.createKey(stream);
    const encoder = new Encoder({
      port: server.port,
      app: 'enhanced',
      name: key,
      tls: { rejectUnauthorized: false },
    });
    await encoder.published;
    for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
    await encoder.finish();
    const recording = await server.finishedRecording(stream);

    expectSoundFile(recording.path);
    expect(firstDifference(frames, framesIn(recording.path))).toBeUndefined();
    if (played) expectPlayed(await playInBrowser(recording), 10);
  });
});
