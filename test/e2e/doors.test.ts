// Every door of one port: an encoder comes in, is recorded bit for bit, and the file plays from the beginning.
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder, type EncoderOptions } from '../support/encoder.ts';
import { firstDifference, type Frame, framesIn, syntheticFrames } from '../support/media.ts';

async function started(settings = {}): Promise<TestAppliance> {
  const appliance = await TestAppliance.start(settings);
  onTestFinished(() => appliance.stop());
  return appliance;
}

async function publish(options: EncoderOptions, frames: readonly Frame[]): Promise<void> {
  const encoder = new Encoder(options);
  await encoder.published;
  for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
  await encoder.finish();
}

const doors: readonly (Pick<EncoderOptions, 'version' | 'tls' | 'chunkSize'> & {
  name: string;
  door: string;
})[] = [
  { name: 'rtmp', door: 'rtmp' },
  { name: 'rtmp in chunks of 128', door: 'rtmp', chunkSize: 128 },
  { name: 'rtmps', door: 'rtmps', tls: {} },
  { name: 'rtmps under TLS 1.2', door: 'rtmps', tls: { maxVersion: 'TLSv1.2' } },
  { name: 'rtmpe of type 6', door: 'rtmpe', version: 6 },
  { name: 'rtmpe of type 8', door: 'rtmpe', version: 8 },
  { name: 'rtmpe of type 9', door: 'rtmpe', version: 9 },
];

describe('doors', () => {
  it.each(doors)('$name: what was sent is what was recorded', async ({ name, door, tls, ...options }) => {
    const appliance = await started();
    const { key, id } = await appliance.createKey('live/camera-1');
    const frames = syntheticFrames(name, 3);
    const trust = tls && { ...tls, ca: readFileSync(appliance.caFile), servername: 'localhost' };
    await publish({ port: appliance.port, name: key, ...options, ...(trust && { tls: trust }) }, frames);
    const { entry, path } = await appliance.finishedRecording('live/camera-1');
    expect(firstDifference(frames, framesIn(path))).toBeUndefined();
    expect(entry).toMatchObject({ state: 'complete', keyId: id, durationMs: 3000 });
    expect(path).toMatch(/\/live\/camera-1\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_[0-9a-z]{16}\.flv$/);
    expect(appliance.logged('publish.started')).toMatchObject([{ door, stream: 'live/camera-1', key: id }]);
  });

  it('two encoders publish two streams at once over different doors', async () => {
    const appliance = await started();
    const [one, two] = [await appliance.createKey('live/one'), await appliance.createKey('studio/two')];
    const [framesOne, framesTwo] = [syntheticFrames('one', 8), syntheticFrames('two', 8)];
    const tls = { ca: readFileSync(appliance.caFile), servername: 'localhost' };
    await Promise.all([
      publish({ port: appliance.port, name: one.key, version: 6 }, framesOne),
      publish({ port: appliance.port, app: 'studio', name: two.key, tls }, framesTwo),
    ]);
    for (const [stream, frames] of [
      ['live/one', framesOne],
      ['studio/two', framesTwo],
    ] as const) {
      expect(
        firstDifference(frames, framesIn((await appliance.finishedRecording(stream)).path)),
      ).toBeUndefined();
    }
  });

  it('takes the key as the query of the stream name, of the app and of tcUrl', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1');
    for (const place of [
      { name: `camera-1?key=${key}&clientConfigId=7` },
      { name: 'camera-1', app: `live?key=${key}` },
      { name: 'camera-1', tcUrl: `rtmp://localhost/live?key=${key}` },
    ]) {
      const encoder = new Encoder({ port: appliance.port, ...place });
      await encoder.published;
      await encoder.finish();
    }
    expect(appliance.logged('publish.started')).toHaveLength(3);
  });

  it.each([
    ['rtmp', {}],
    ['rtmpe', { version: 6 as const }],
    ['rtmps', { tls: { rejectUnauthorized: false } }],
  ])(
    '%s switched off: refused in words that name the right door, before the key is looked at',
    async (door, options) => {
      const better = door === 'rtmps' ? 'rtmpe' : 'rtmps';
      const appliance = await started({
        listeners: [{ address: '127.0.0.1:0', accept: [better] }],
        hosts: ['ingest.example.com'],
      });
      const { key } = await appliance.createKey('live/camera-1');
      const encoder = new Encoder({ port: appliance.port, name: key, ...options });
      const refusal = await encoder.ended;
      expect(refusal?.code).toBe('NetConnection.Connect.Rejected');
      expect(refusal?.description).toContain(`is switched off here; use ${better}://ingest.example.com`);
      expect(await appliance.recordings()).toEqual([]);
    },
  );

  it('behind a trusted proxy the address that it tells is judged and logged', async () => {
    const appliance = await started({ trustedProxies: ['127.0.0.0/8'] });
    const { key } = await appliance.createKey('live/camera-1', { allow: ['203.0.113.0/24'] });
    const encoder = new Encoder({
      port: appliance.port,
      name: key,
      preamble: Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 50122 1935\r\n'),
    });
    await encoder.published;
    await encoder.finish();
    expect(appliance.logged('publish.started')).toMatchObject([{ peer: '203.0.113.7' }]);
  });

  it('keeps one file for each take', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1');
    for (const take of ['first', 'second'])
      await publish({ port: appliance.port, name: key }, syntheticFrames(take, 1));
    const recordings = await appliance.finishedRecordings('live/camera-1', 2);
    expect(new Set(recordings.map(({ path }) => path)).size).toBe(2);
    expect(recordings.map(({ state }) => state)).toEqual(['complete', 'complete']);
  });
});
