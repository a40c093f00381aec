// The settings that `key create --json` makes, pasted as they are: into a shell for ffmpeg and GStreamer, into the two
// fields of OBS. What is changed here is what its user has to change: the input, and whom to trust (docs/keys.md).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ObsEncoder } from '../support/obs-encoder.ts';
import { freePorts } from '../support/free-ports.ts';
import { syntheticFrames } from '../support/media.ts';
import { client, expectSoundFile, makeSample, probe } from '../support/real-clients.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Settings {
  readonly obs: { readonly server: string; readonly key: string };
  readonly ffmpeg: string;
  readonly gstreamer: string;
}

const folder = temporaryFolder(afterAll);
// A port of its own: the command line names it whether or not the server runs.
let server: ServerProcess;
beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  const listeners = [{ address: `127.0.0.1:${port}`, accept: ['rtmps', 'rtmp'] }];
  server = new ServerProcess({ folder, settings: { listeners } });
  await server.start();
});
afterAll(() => server.discard());

async function settingsOf(stream: string): Promise<Settings> {
  return ((await server.createKey(stream)) as unknown as { settings: Settings }).settings;
}

it('ffmpeg', async () => {
  const { ffmpeg } = await settingsOf('live/ffmpeg');
  expect(ffmpeg).toContain("'rtmps://127.0.0.1:");
  const sample = await makeSample(folder, 'h264 and aac', 2);
  const { code, stderr } = await client('sh', ['-c', ffmpeg.replace('INPUT', `'${sample}'`)]).finish();
  expect(code, stderr).toBe(0);
  const { path } = await server.finishedRecording('live/ffmpeg');
  expect((await probe(path)).streams.map(({ codec_name }) => codec_name)).toEqual(['h264', 'aac']);
});

it('GStreamer', async () => {
  const { gstreamer } = await settingsOf('live/gstreamer');
  const trusting = gstreamer.replace(' ! rtmp2sink ', ' ! rtmp2sink tls-validation-flags=0 ');
  expect(trusting).not.toBe(gstreamer);
  const encoder = client('sh', ['-c', trusting.replace('gst-launch-1.0 ', 'exec gst-launch-1.0 -e ')]);
  await server.growingRecording('live/gstreamer', 1000);
  encoder.kill('SIGINT');
  await encoder.finish();
  const { path } = await server.finishedRecording('live/gstreamer');
  expectSoundFile(path);
  expect((await probe(path)).streams.map(({ codec_name }) => codec_name).toSorted()).toEqual(['aac', 'h264']);
});

it('OBS', async () => {
  const { obs } = await settingsOf('live/obs');
  const { hostname, port, pathname, protocol } = new URL(obs.server);
  expect([protocol, hostname]).toEqual(['rtmps:', '127.0.0.1']);
  const ca = readFileSync(join(folder, 'certs/development/ca.pem'));
  const encoder = new ObsEncoder({ port: Number(port), ca, app: pathname.slice(1), key: obs.key });
  await encoder.published;
  await encoder.stream(syntheticFrames('pasted', 1));
  await encoder.stop();
  expect((await server.finishedRecording('live/obs')).durationMs).toBe(1000);
});
