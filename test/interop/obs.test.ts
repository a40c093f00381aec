// OBS, message by message as it sends them, through TLS that verifies: publishing, stopping, and coming back.
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { TestAppliance } from '../support/appliance.ts';
import { firstDifference, type Frame, framesIn, syntheticFrames } from '../support/media.ts';
import type { TLSSocket } from 'node:tls';
import { ObsEncoder, type ObsOptions } from '../support/obs-encoder.ts';
import { runReal } from '../support/real-process.ts';

async function started(): Promise<TestAppliance> {
  const appliance = await TestAppliance.start({
    listeners: [{ address: '127.0.0.1:0', accept: ['rtmps'] }],
    'recorder.reconnectWindow': '30s',
  });
  onTestFinished(() => appliance.stop());
  return appliance;
}

function obs({ port, caFile }: TestAppliance, options: Partial<ObsOptions> & { key: string }): ObsEncoder {
  const encoder = new ObsEncoder({ port, ca: readFileSync(caFile), ...options });
  onTestFinished(() => void encoder.socket.destroy());
  return encoder;
}

/** Pictures and sound, then sound alone: equal audio frames at equal distances need no header at all. */
function frames(seed: string): Frame[] {
  const both = syntheticFrames(seed, 2);
  const sound = Array.from({ length: 50 }, (_, index) => ({
    type: TagType.Audio,
    timestamp: 2000 + index * 20,
    payload: Buffer.alloc(180, index).fill('af01', 0, 2, 'hex'),
  }));
  return [...both, ...sound];
}

/** Whether both halves are in it, the second one frame of its first track behind the last. */
function expectOneFile(
  { entry, path }: Awaited<ReturnType<TestAppliance['finishedRecording']>>,
  before: readonly Frame[],
  after: readonly Frame[],
): void {
  const recorded = framesIn(path);
  const half = recorded.slice(before.length);
  const headers = 2;
  const behind = (half[headers]?.timestamp ?? 0) - (after[headers]?.timestamp ?? 0);
  const moved = after.map((frame, index) => ({
    ...frame,
    timestamp: index < headers ? (half[index]?.timestamp ?? 0) : frame.timestamp + behind,
  }));
  expect(firstDifference([...before, ...moved], recorded)).toBeUndefined();
  expect(behind).toBeGreaterThan(before.at(-1)?.timestamp ?? 0);
  expect(entry).toMatchObject({ state: 'complete', durationMs: behind + 3000 });
}

describe('OBS', () => {
  it('publishes, and everything it sent is recorded', async () => {
    const appliance = await started();
    const { key, id } = await appliance.createKey('live/camera-1');
    const encoder = obs(appliance, { key });
    await encoder.published;
    expect((encoder.socket as TLSSocket).authorized).toBe(true);
    expect(encoder.answers.commands).toEqual(['_result', '_result', '_result', '_result', 'onStatus']);
    const sent = frames('obs');
    await encoder.stream(sent);
    await encoder.stop();
    expect(Math.min(...encoder.headers)).toBeGreaterThan(0); // all four header types were on the wire
    const { entry, path } = await appliance.finishedRecording('live/camera-1');
    expect(firstDifference(sent, framesIn(path))).toBeUndefined();
    expect(entry).toMatchObject({ state: 'complete', durationMs: 3000, keyId: id });
    expect(appliance.logged('publish.ended')).toMatchObject([{ reason: 'unpublished', door: 'rtmps' }]);
    expect(encoder.answers.statuses.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('is refused before Publish.Start, so that it does not try again for ever', async () => {
    const appliance = await started();
    const { key, id } = await appliance.createKey('live/camera-1');
    await appliance.setKeyState(id, 'revoke');
    const encoder = obs(appliance, { key });
    await encoder.closed; // by the server
    expect(encoder.answers.statuses).toMatchObject([
      { level: 'error', code: 'NetStream.Publish.BadName', streamId: 1 },
    ]);
    expect(await appliance.recordings()).toEqual([]);
  });

  it('is back at once after a drop, with the same key', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1');
    const after = frames('after');
    const first = obs(appliance, { key });
    await first.published;
    await first.stream(frames('before'));
    await appliance.recorded('live/camera-1', 2980);
    await first.drop();
    const second = obs(appliance, { key });
    await second.published;
    await second.stream(after);
    await second.stop();
    expectOneFile(await appliance.finishedRecording('live/camera-1'), frames('before'), after);
    expect(appliance.logged('publish.ended').map(({ reason }) => reason)).toEqual([
      'publisher-lost',
      'unpublished',
    ]);
  });

  it('is back at once while the server still believes in the dead connection', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1');
    const dead = obs(appliance, { key });
    await dead.published;
    await dead.stream(frames('before'));
    await appliance.recorded('live/camera-1', 2980);
    const began = performance.now();
    const encoder = obs(appliance, { key });
    await encoder.published;
    expect(performance.now() - began).toBeLessThan(2000);
    const sent = frames('after');
    await encoder.stream(sent);
    await encoder.stop();
    await dead.closed;
    expect(dead.answers.statuses.at(-1)).toMatchObject({
      code: 'NetStream.Failed',
      description: expect.stringContaining('took over') as string,
    });
    expectOneFile(await appliance.finishedRecording('live/camera-1'), frames('before'), sent);
    expect(appliance.logged('publish.ended').map(({ reason }) => reason)).toEqual([
      'replaced',
      'unpublished',
    ]);
  });
});

describe('the certificate', () => {
  it.each([
    ['a name', ['-servername', 'localhost', '-verify_hostname', 'localhost']],
    ['an address as name, as OBS sends it', ['-servername', '127.0.0.1', '-verify_ip', '127.0.0.1']],
    ['no name at all', ['-noservername', '-verify_ip', '127.0.0.1']],
  ])('is there and valid for %s', async (_, name) => {
    const appliance = await started();
    for (const version of ['-tls1_2', '-tls1_3']) {
      const trust = ['-CAfile', appliance.caFile, '-verify_return_error'];
      const at = ['s_client', '-connect', `127.0.0.1:${appliance.port}`];
      expect(await runReal('openssl', [...at, ...trust, ...name, version])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('Verify return code: 0 (ok)') as string,
      });
    }
    const old = [
      's_client',
      '-connect',
      `127.0.0.1:${appliance.port}`,
      '-tls1_1',
      '-cipher',
      'ALL:@SECLEVEL=0',
    ];
    expect((await runReal('openssl', old)).code).not.toBe(0);
  });
});
