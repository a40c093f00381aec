// What becomes of a stream's files when its encoder breaks off and comes back, changes its picture, or runs for long;
// and when a file vanishes. The whole appliance, with ffmpeg and with an encoder of our own.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { TestAppliance, type TestSettings } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { firstDifference, type Frame, framesIn, syntheticFrames } from '../support/media.ts';
import { expectSoundFile, makeSample, probe, publishWithFfmpeg } from '../support/real-clients.ts';
import { runReal } from '../support/real-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function started(settings: TestSettings = {}): Promise<TestAppliance> {
  const appliance = await TestAppliance.start({ 'recorder.reconnectWindow': '30s', ...settings });
  onTestFinished(() => appliance.stop());
  return appliance;
}

async function publish(appliance: TestAppliance, key: string, frames: readonly Frame[]): Promise<Encoder> {
  const encoder = new Encoder({ port: appliance.port, name: key });
  await encoder.published;
  for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
  return encoder;
}

const pathOf = (appliance: TestAppliance, { path }: { readonly path: string }) =>
  join(appliance.config.recorder.directory, path);
const moved = (frames: readonly Frame[], by: number) =>
  frames.map((frame) => ({ ...frame, timestamp: frame.timestamp + by }));
const mediaOnly = (frames: readonly Frame[]) => frames.filter(({ payload }) => payload[1] !== 0);
const payloads = (frames: readonly Frame[]) =>
  frames.map(({ type, payload }) => ({ type, timestamp: 0, payload }));

/** What ffprobe tells of each packet; fails when it has anything to complain about. */
async function packetsOf(path: string): Promise<string> {
  const show = ['-show_packets', '-show_entries', 'packet=stream_index,dts', '-of', 'compact'];
  const { code, stdout, stderr } = await runReal('ffprobe', ['-v', 'error', ...show, path]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const samples = temporaryFolder(afterAll);
let sample = '';
let short = '';
let small = '';
beforeAll(async () => {
  sample = await makeSample(samples, 'h264 and aac', 20);
  short = await makeSample(samples, 'h264 and aac', 3);
  small = join(samples, 'small.flv');
  const size = ['-s', '160x90', '-c:v', 'libx264', '-g', '25', '-c:a', 'copy'];
  await runReal('ffmpeg', ['-v', 'error', '-y', '-i', sample, '-t', '3', ...size, '-f', 'flv', small]);
});

/** ffmpeg publishes the sample as `live/one`, and is killed once so many milliseconds are recorded. */
async function publishAndDie(appliance: TestAppliance, url: string, milliseconds: number): Promise<void> {
  const encoder = publishWithFfmpeg(sample, url, { live: true });
  await appliance.recorded('live/one', milliseconds);
  encoder.kill('SIGKILL');
  await encoder.ended;
}

describe('a reconnect', () => {
  it('of ffmpeg, killed and started again, goes on in the same file', async () => {
    const appliance = await started();
    const { key, id } = await appliance.createKey('live/one');
    const url = `rtmp://127.0.0.1:${appliance.port}/live/${key}`;
    await publishAndDie(appliance, url, 2500);
    await expect.poll(() => appliance.logged('recording.interrupted').length).toBe(1);
    const [waiting] = await appliance.recordings();
    expect(waiting).toMatchObject({ state: 'recording' });
    await new Promise((resolve) => setTimeout(resolve, 1200)); // this much is to be missing
    const second = await publishWithFfmpeg(short, url).finish();
    expect(second.code).toBe(0);

    const { entry, path } = await appliance.finishedRecording('live/one');
    expect(entry).toMatchObject({ state: 'complete', keyId: id });
    expectSoundFile(path);
    const recorded = mediaOnly(framesIn(path));
    const [long, after] = [mediaOnly(framesIn(sample)), mediaOnly(framesIn(short))];
    const before = recorded.length - after.length;
    expect(before).toBeGreaterThan(100);
    expect(firstDifference(long.slice(0, before), recorded.slice(0, before))).toBeUndefined();
    const behind = (recorded[before]?.timestamp ?? 0) - (after[0]?.timestamp ?? 0);
    expect(firstDifference(moved(after, behind), recorded.slice(before))).toBeUndefined();
    const [resumed] = appliance.logged('recording.resumed');
    expect(resumed?.['missingMs']).toBeGreaterThan(1100);
    expect(resumed?.['missingMs']).toBeLessThan(10_000);
  });

  it('plays through: ffprobe has nothing to say, and no third stream appears', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/one');
    const url = `rtmp://127.0.0.1:${appliance.port}/live/${key}`;
    await publishAndDie(appliance, url, 1500);
    await publishWithFfmpeg(short, url).finish();
    const { entry, path } = await appliance.finishedRecording('live/one');
    const { streams, format } = await probe(path);
    expect(streams.map(({ codec_name }) => codec_name).sort()).toEqual(['aac', 'h264']);
    expect(Number(format.duration) * 1000).toBeCloseTo(entry.durationMs ?? 0, 0);
    const packets = await packetsOf(path);
    for (const stream of ['stream_index=0', 'stream_index=1']) {
      const times = [...packets.matchAll(new RegExp(`${stream}\\|dts=(\\d+)`, 'g'))].map((match) =>
        Number(match[1]),
      );
      expect(times.length).toBeGreaterThan(100);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
    }
  });

  it('of a takeover is one, and so is any number of them', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/one');
    const parts = ['a', 'b', 'c'].map((seed) => syntheticFrames(seed, 1));
    const encoders: Encoder[] = [];
    for (const [index, part] of parts.entries()) {
      encoders.push(await publish(appliance, key, part));
      await appliance.recorded('live/one', index * 1000 + 980);
    }
    await encoders[2]?.finish();
    const { entry, path } = await appliance.finishedRecording('live/one');
    expect(entry.durationMs).toBe(3040); // a frame of 40 ms behind the last sound each time
    expect(firstDifference(payloads(parts.flat()), payloads(framesIn(path)))).toBeUndefined();
    expectSoundFile(path);
    expect(appliance.logged('publish.ended').map(({ reason }) => reason)).toEqual([
      'replaced',
      'replaced',
      'unpublished',
    ]);
  });

  it('after a clean end, with another key, or too late is another event', async () => {
    const appliance = await started({ 'recorder.reconnectWindow': '400ms' });
    const [one, two] = [await appliance.createKey('live/one'), await appliance.createKey('live/one')];
    const frames = syntheticFrames('clean', 1);
    await (await publish(appliance, one.key, frames)).finish();
    await appliance.finishedRecordings('live/one', 1);
    const lost = await publish(appliance, one.key, frames);
    await appliance.recorded('live/one', 980);
    await lost.vanish();
    await expect.poll(() => appliance.logged('publish.ended').length).toBe(2);
    const other = await publish(appliance, two.key, frames);
    await appliance.recorded('live/one', 980);
    await other.vanish();
    await appliance.finishedRecordings('live/one', 3); // its window is over
    await (await publish(appliance, two.key, frames)).finish();
    const entries = await appliance.finishedRecordings('live/one', 4);
    expect(entries.map(({ durationMs, state }) => [durationMs, state])).toEqual(
      entries.map(() => [1000, 'complete']),
    );
    expect(new Set(entries.map(({ id }) => id.slice(0, 16))).size).toBe(4);
    for (const entry of entries)
      expect(firstDifference(frames, framesIn(pathOf(appliance, entry)))).toBeUndefined();
  });

  it('does not outlive the appliance', async () => {
    const appliance = await TestAppliance.start({ 'recorder.reconnectWindow': '30s' });
    const { key } = await appliance.createKey('live/one');
    const lost = await publish(appliance, key, syntheticFrames('last', 1));
    await appliance.recorded('live/one', 980);
    await lost.vanish();
    await expect.poll(() => appliance.logged('recording.interrupted').length).toBe(1);
    await appliance.stop();
    await appliance.open();
    onTestFinished(() => appliance.stop());
    expect((await appliance.finishedRecording('live/one')).entry).toMatchObject({
      state: 'complete',
      durationMs: 1000,
    });
  });
});

describe('segments', () => {
  it.each(['h264 and aac', 'aac alone'] as const)('by duration hold every frame of %s once', async (kind) => {
    const appliance = await started({ 'recorder.segment.maxDuration': '3s' });
    const source = await makeSample(samples, kind, 8);
    const { key } = await appliance.createKey('live/one');
    await publishWithFfmpeg(source, `rtmp://127.0.0.1:${appliance.port}/live/${key}`).finish();
    const entries = await appliance.finishedRecordings('live/one', 3);
    const [event] = entries.map(({ id }) => id);
    expect(entries.map(({ id }) => id)).toEqual([event, `${event}-2`, `${event}-3`]);
    const files = entries.map((entry) => framesIn(pathOf(appliance, entry)));
    expect(
      firstDifference(payloads(mediaOnly(framesIn(source))), payloads(files.flatMap(mediaOnly))),
    ).toBeUndefined();
    for (const [index, entry] of entries.entries()) {
      expectSoundFile(pathOf(appliance, entry));
      expect((await probe(pathOf(appliance, entry))).streams.length).toBe(kind === 'aac alone' ? 1 : 2);
      expect(files[index]?.find(({ type }) => type === TagType.Audio)?.payload[1]).toBe(0); // its header comes first
    }
  });

  it('begin where the picture changes its size, in one event', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/one');
    const url = `rtmp://127.0.0.1:${appliance.port}/live/${key}`;
    await publishAndDie(appliance, url, 1500);
    await publishWithFfmpeg(small, url).finish();
    const entries = await appliance.finishedRecordings('live/one', 2);
    expect(entries[1]?.id).toBe(`${entries[0]?.id}-2`);
    const widths = [];
    for (const entry of entries) {
      expectSoundFile(pathOf(appliance, entry));
      const show = ['-v', 'error', '-select_streams', 'v', '-show_entries', 'stream=width', '-of', 'csv=p=0'];
      widths.push((await runReal('ffprobe', [...show, pathOf(appliance, entry)])).stdout.trim());
    }
    expect(widths).toEqual(['320', '160']);
  });
});

describe('a file that vanishes', () => {
  it('is missed, and the stream goes on in another one', async () => {
    const appliance = await started({ 'recorder.syncInterval': '200ms' });
    const { key } = await appliance.createKey('live/one');
    const encoder = new Encoder({ port: appliance.port, name: key });
    await encoder.published;
    const send = async (frames: readonly Frame[]) => {
      for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
    };
    await send(syntheticFrames('lost', 1));
    await appliance.recorded('live/one', 980);
    const [lost] = await appliance.recordings();
    rmSync(dirname(pathOf(appliance, lost!)), { recursive: true });
    const kept: Frame[][] = [];
    for (let second = 1; appliance.logged('recording.started').length < 2 && second < 50; second += 1) {
      await send(moved(syntheticFrames(`lost ${second}`, 1), second * 1000));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (let second = 60; second < 63; second += 1) {
      kept.push(mediaOnly(moved(syntheticFrames(`kept ${second}`, 1), second * 1000)));
      await send(kept.at(-1)!);
    }
    await encoder.finish();
    const statuses = encoder.events.flatMap((event) => (event.type === 'status' ? [event.code] : []));
    expect(statuses).toEqual(expect.arrayContaining(['NetStream.Record.Failed', 'NetStream.Record.Start']));
    const { path } = await appliance.finishedRecording('live/one');
    const recorded = mediaOnly(framesIn(path));
    const all = kept.flat();
    expect(firstDifference(payloads(all), payloads(recorded.slice(-all.length)))).toBeUndefined();
    expectSoundFile(path);
  });
});
