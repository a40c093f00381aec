// The encoders that tunnel RTMP through HTTP: ffmpeg (rtmpt, rtmpts) and librtmp as GStreamer uses it (rtmpt,
// rtmpte). Both leave out the last frames when they end (RTMPE 4.2): ffmpeg never sends what its buffer still holds,
// librtmp cuts its own connection. So what is recorded is compared with the beginning of what was sent.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalDescription } from '../../src/keys/key-gate.ts';
import { firstDifference, framesIn } from '../support/media.ts';
import {
  client,
  expectSoundFile,
  makeSample,
  publishWithFfmpeg,
  publishWithGStreamer,
} from '../support/real-clients.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({
  folder,
  settings: {
    listeners: [
      { address: '127.0.0.1:0', accept: ['rtmpt', 'rtmpts', 'rtmpte', 'rtmps', 'https'] },
      { address: '127.0.0.1:0', accept: ['rtmpte', 'rtmps'] },
    ],
  },
});
let sample = '';

beforeAll(async () => {
  sample = await makeSample(folder);
  await server.start();
});
afterAll(() => server.discard());

/** The recording begins as what was sent began, and lacks at most `lost` frames of its end. */
function expectBeginning(sent: string, recorded: string, lost: number): void {
  const [there, here] = [framesIn(sent), framesIn(recorded)];
  expect(there.length - here.length).toBeLessThanOrEqual(lost);
  expect(firstDifference(there.slice(0, here.length), here)).toBeUndefined();
  expectSoundFile(recorded);
}

describe('ffmpeg', () => {
  it.each(['rtmpt', 'rtmpts'])('%s', async (door) => {
    const stream = `ffmpeg/${door}`;
    const { key, id } = await server.createKey(stream);
    const url = `${door}://127.0.0.1:${server.port}/ffmpeg/${key}`;
    const { code, stderr } = await publishWithFfmpeg(sample, url).finish();
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { path, state } = await server.finishedRecording(stream);
    expect(state).toBe('complete');
    expectBeginning(sample, path, 16);
    const started = server.logged('publish.started').filter((line) => line['stream'] === stream);
    expect(started).toMatchObject([{ door, key: id }]);
  });

  it('is refused in words', async () => {
    const { id, key } = await server.createKey('ffmpeg/revoked');
    await server.cli('key', 'revoke', id);
    const url = `rtmpts://127.0.0.1:${server.port}/ffmpeg/${key}`;
    const { code, stderr } = await publishWithFfmpeg(sample, url).finish(8000);
    expect(code).not.toBe(0);
    expect(stderr).toContain(refusalDescription);
  });

  it('hears that rtmpt is off where only rtmpte is tunnelled', async () => {
    const { key } = await server.createKey('ffmpeg/closed');
    const url = `rtmpt://127.0.0.1:${server.ports[1]}/ffmpeg/${key}`;
    const { code, stderr } = await publishWithFfmpeg(sample, url).finish(8000);
    expect(code).not.toBe(0);
    expect(stderr).toContain('clear-text RTMPT is switched off here; use rtmps://');
  });
});

describe('librtmp', () => {
  it.each(['rtmpt', 'rtmpte'])('%s', async (door) => {
    const stream = `gst/${door}`;
    const { key, id } = await server.createKey(stream);
    const sent = join(folder, `${door}.flv`);
    const location = `location=${door}://127.0.0.1:${server.port}/gst/${key}`;
    const encoder = publishWithGStreamer(sample, ['rtmpsink', 'sync=true', location], sent); // what is on its way at the end is lost
    const { code, stderr } = await encoder.finish();
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { path, state } = await server.finishedRecording(stream);
    expect(state).toBe('complete');
    expectBeginning(sent, path, 16);
    const started = server.logged('publish.started').filter((line) => line['stream'] === stream);
    expect(started).toMatchObject([{ door, key: id }]);
  });

  it('that wants to play is told that nothing is played here', async () => {
    const { key } = await server.createKey('gst/play', '--role', 'play');
    const url = `rtmpte://127.0.0.1:${server.port}/gst/${key}`;
    const dump = client('rtmpdump', ['-r', url, '-o', join(folder, 'played.flv')]);
    const { code, stderr } = await dump.finish(8000);
    expect(code).not.toBe(0);
    expect(stderr).toContain('NetStream.Play.Failed');
  });
});
