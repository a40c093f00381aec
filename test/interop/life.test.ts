// The life of the process: what a kill costs, how it says goodbye, and what it says when it starts.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { firstDifference, type Frame, framesIn } from '../support/media.ts';
import { readTags } from '../support/media-tags.ts';
import { client, expectSoundFile, makeSample, probe, publishWithFfmpeg } from '../support/real-clients.ts';
import type { RealProcess } from '../support/real-process.ts';
import { scriptPath, type ServerOptions, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const samples = temporaryFolder(afterAll);
let television = '';
let radio = '';
beforeAll(async () => {
  television = await makeSample(samples, 'h264 and aac', 30);
  radio = await makeSample(samples, 'aac alone', 30);
});

function server(options: Partial<ServerOptions> = {}): ServerProcess {
  const made = new ServerProcess({ folder: temporaryFolder(), ...options });
  onTestFinished(() => made.discard());
  return made;
}

/** ffmpeg publishes at the pace of the clock, and writes down each frame once it has sent it. */
function publishLive(source: string, url: string, written: string): RealProcess {
  const branches = [`[f=flv]${url}`, `[f=flv:flush_packets=1]${written}`].join('|');
  return publishWithFfmpeg(source, branches, { live: true, output: ['-map', '0', '-f', 'tee'] });
}

/** Frames of a file that may end anywhere. */
function framesSoFar(path: string): Frame[] {
  return readTags(readFileSync(path)).tags.flatMap(({ type, timestamp, body }) =>
    type === TagType.ScriptData ? [] : [{ type, timestamp, payload: body }],
  );
}

/** How much of what was sent is not kept. */
function millisecondsBetween(kept: readonly Frame[], sent: readonly Frame[]): number {
  return (sent.at(-1)?.timestamp ?? NaN) - (kept.at(-1)?.timestamp ?? NaN);
}

describe('kill -9 while two encoders publish', () => {
  it('costs at most 350 ms; the next start mends every file', async () => {
    const appliance = server();
    await appliance.start();
    const encoders = [];
    for (const [stream, door, source] of [
      ['live/television', 'rtmps', television],
      ['live/radio', 'rtmp', radio],
    ] as const) {
      const { key } = await appliance.createKey(stream);
      const written = join(appliance.folder, `${stream.slice(5)}.flv`);
      const url = `${door}://localhost:${appliance.port}/live/${key}`;
      encoders.push({ stream, written, process: publishLive(source, url, written) });
    }
    const growing = await Promise.all(encoders.map(({ stream }) => appliance.growingRecording(stream, 2500)));

    // A kill now, or now, or now would cost no more.
    for (let look = 0; look < 10; look++) {
      for (const [index, { written }] of encoders.entries()) {
        const sent = framesSoFar(written);
        expect(millisecondsBetween(framesSoFar(growing[index]?.path ?? ''), sent)).toBeLessThanOrEqual(350);
      }
      await new Promise((resolve) => setTimeout(resolve, 90));
    }
    appliance.process.kill('SIGKILL');
    const sent = encoders.map(({ written }) => framesSoFar(written));
    await appliance.process.ended;
    await Promise.all(encoders.map(({ process }) => process.discard()));
    const left = await appliance.recordings();
    expect(left.map(({ state }) => state)).toEqual(['recording', 'recording']);
    for (const { path } of left) expect(path).toMatch(/\.flv\.part$/);

    await appliance.start();
    for (const [index, { stream }] of encoders.entries()) {
      const mended = await appliance.finishedRecording(stream);
      const kept = framesIn(mended.path); // throws unless it ends on a whole tag
      const whole = sent[index] ?? [];
      expect(firstDifference(kept.slice(0, whole.length), whole.slice(0, kept.length))).toBeUndefined();
      expect(millisecondsBetween(kept, whole)).toBeLessThanOrEqual(350);
      expect(mended).toMatchObject({ state: 'recovered', bytes: statSync(mended.path).size });
      expectSoundFile(mended.path);
      const { format } = await probe(mended.path);
      expect(Number(format.duration) * 1000).toBeCloseTo(mended.durationMs ?? 0, 0);
      expect(mended.durationMs).toBeGreaterThan(2400);
    }
    expect(appliance.logged('recording.recovered')).toHaveLength(2);
    await appliance.stop();
  });
});

describe('a goodbye', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s: the encoder is told, the file is whole', async (signal) => {
    const appliance = server();
    await appliance.start();
    const { key } = await appliance.createKey('live/camera-1');
    const url = `rtmps://localhost:${appliance.port}/live/${key}`;
    const encoder = publishWithFfmpeg(television, url, { live: true });
    await appliance.growingRecording('live/camera-1', 1500);

    const began = performance.now();
    const { code, stderr } = await appliance.stop(signal);
    expect(code).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(stderr).toContain('appliance.stopped');
    const told = await encoder.finish(5000);
    expect(told.stderr).toContain('Server error: The server is shutting down; reconnect in a moment.');
    expect(told.code).not.toBe(0);

    const recording = await appliance.finishedRecording('live/camera-1');
    expect(recording).toMatchObject({ state: 'complete', bytes: statSync(recording.path).size });
    const kept = framesIn(recording.path);
    expect(firstDifference(framesIn(television).slice(0, kept.length), kept)).toBeUndefined();
    expectSoundFile(recording.path);
    await probe(recording.path);
  });

  it('comes at once when nobody publishes', async () => {
    const appliance = server();
    await appliance.start();
    const began = performance.now();
    expect(await appliance.stop()).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe('a start', () => {
  it('prints an ffmpeg line that works; the second start shows no key', async () => {
    const folder = temporaryFolder();
    // Or it would install packages under the feet of the other tests.
    const lock = (place: string) => readFileSync(scriptPath(`../${place}package-lock.json`), 'utf8');
    expect(lock('node_modules/.installed-')).toBe(lock(''));
    const appliance = server({ folder, script: [scriptPath('start'), '--data-dir', join(folder, 'data')] });
    await appliance.start();
    const welcome = await appliance.process.until('the welcome', () => {
      const { stdout } = appliance.process;
      return stdout.includes('development CA') ? stdout : undefined;
    });
    expect(welcome).toMatch(/^Penstock is ready\.$/m);
    expect(welcome).toContain(`Server      rtmps://127.0.0.1:${appliance.port}/live`);
    expect(welcome).toContain(`https://127.0.0.1:${appliance.port}/api/v1/recordings/`);
    const [key = ''] = /psk_\w+/.exec(welcome) ?? [];
    expect(welcome).toMatch(new RegExp(`^  Stream key  ${key}$`, 'm'));

    const line = /^  (ffmpeg .*)$/m.exec(welcome)?.[1] ?? '';
    const pasted = client('sh', ['-c', `${line.replace(' -t 20 ', ' -t 3 ')} </dev/null`]);
    expect(await pasted.finish()).toMatchObject({ code: 0 });
    const { path } = await appliance.finishedRecording('live/demo');
    const { format, streams } = await probe(path);
    expect(Number(format.duration)).toBeCloseTo(3, 0);
    expect(streams.map(({ codec_name }) => codec_name)).toEqual(['h264', 'aac']);
    expect((await appliance.stop()).stderr).not.toContain(key);

    await appliance.start();
    const again = await appliance.process.until('the welcome', () => {
      const { stdout } = appliance.process;
      return stdout.includes('development CA') ? stdout : undefined;
    });
    expect(again).toContain('keys are shown once');
    expect(again).not.toContain('psk_');
    expect(await appliance.stop()).toMatchObject({ code: 0 });
    expect(await appliance.json('key', 'list')).toMatchObject([{ stream: 'live/demo' }]);
  });

  it('names a port that is taken, and fails', async () => {
    const first = server();
    await first.start();
    const listeners = [{ address: `127.0.0.1:${first.port}`, accept: ['rtmps'] }];
    const second = server({ settings: { listeners, 'log.level': 'error' } });
    const { code, stderr } = await second.launch().finish();
    expect(code).toBe(2);
    expect(stderr).toContain(`127.0.0.1:${first.port} is taken by another process`);
    expect(stderr).toContain('choose another address');
    expect(first.process.running).toBe(true);
  });

  it('refuses a data folder that another server uses', async () => {
    const first = server();
    await first.start();
    const { code, stderr } = await server({ folder: first.folder }).launch().finish();
    expect(code).toBe(2);
    expect(stderr).toContain(`another server is running on ${join(first.folder, 'data')}`);
    expect(first.process.running).toBe(true);
    expect(await first.stop()).toMatchObject({ code: 0 });
  });
});
