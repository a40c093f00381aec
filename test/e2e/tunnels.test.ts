// RTMPT, RTMPTS and RTMPTE: the same streams through HTTP requests, also where a proxy or a bad network repeats
// them, swaps them, or gives each a connection of its own.
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import { TestAppliance } from '../support/appliance.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';
import { type HttpAnswer, HttpConnection, postOnce, TunnelEncoder } from '../support/tunnel-encoder.ts';

const everyTunnel = ['rtmpt', 'rtmpts', 'rtmpte', 'rtmps'];
const frames = syntheticFrames('tunnels', 2);

async function started(accept = everyTunnel): Promise<TestAppliance> {
  const appliance = await TestAppliance.start({ listeners: [{ address: '127.0.0.1:0', accept }] });
  onTestFinished(() => appliance.stop());
  return appliance;
}

/** An encoder that has been let in. */
async function publishing(
  appliance: TestAppliance,
  options: Partial<ConstructorParameters<typeof TunnelEncoder>[0]> = {},
): Promise<TunnelEncoder> {
  const { key } = await appliance.createKey('live/camera-1');
  const encoder = new TunnelEncoder({ port: appliance.port, name: key, ...options });
  onTestFinished(() => void encoder.connection.socket.destroy());
  await encoder.publish();
  return encoder;
}

async function expectRecorded(appliance: TestAppliance, door: string): Promise<void> {
  const { entry, path } = await appliance.finishedRecording('live/camera-1');
  expect(firstDifference(frames, framesIn(path))).toBeUndefined();
  expect(framesIn(path).length).toBe(frames.length);
  expect(entry.state).toBe('complete');
  expect(appliance.logged('publish.started')).toMatchObject([{ door, stream: 'live/camera-1' }]);
}

describe('through a tunnel what was sent is what is recorded', () => {
  it.each([
    { name: 'rtmpt', door: 'rtmpt' },
    { name: 'rtmpts', door: 'rtmpts', tls: true },
    { name: 'rtmpte of type 6', door: 'rtmpte', version: 6 as const },
    { name: 'rtmpte of type 9', door: 'rtmpte', version: 9 as const },
    { name: 'RTMPE inside rtmpts', door: 'rtmpts', tls: true, version: 8 as const },
    { name: 'rtmpt, a TCP connection for each request', door: 'rtmpt', hopping: true },
    { name: 'rtmpts, a TLS connection for each request', door: 'rtmpts', tls: true, hopping: true },
  ])('$name', async ({ door, tls, version, hopping }) => {
    const appliance = await started();
    const encoder = await publishing(appliance, {
      ...(tls && { tls: { ca: readFileSync(appliance.caFile), servername: 'localhost' } }),
      ...(version && { version }),
      ...(hopping && { hopping }),
    });
    const step = hopping === true ? 10 : 1; // as real clients bundle
    for (let at = 0; at < frames.length; at += step) {
      for (const { type, timestamp, payload } of frames.slice(at, at + step))
        encoder.client.sendTag(type, timestamp, payload);
      expect((await encoder.exchange()).status).toBe(200);
    }
    expect((await encoder.close()).body).toEqual(Buffer.of(0));
    await expectRecorded(appliance, door);
  });

  it('pipelined: no answer is waited for', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance, { version: 6 });
    const answers = frames.map((frame) => encoder.finish(encoder.post(encoder.prepareFrame(frame))));
    answers.push(encoder.close());
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
    await expectRecorded(appliance, 'rtmpte');
  });

  it('repeated: each request twice, over two connections', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance, { version: 6 });
    const other = new HttpConnection({ port: appliance.port });
    onTestFinished(() => void other.socket.destroy());
    for (const frame of frames) {
      const prepared = encoder.prepareFrame(frame);
      const first = await encoder.finish(encoder.post(prepared));
      expect(await other.post(prepared.path, prepared.body)).toEqual(first);
    }
    await encoder.close();
    await expectRecorded(appliance, 'rtmpte');
  });

  it('swapped: each four requests come in the wrong order, over connections of their own', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance, { version: 6 });
    const connections = [0, 1, 2, 3].map(() => new HttpConnection({ port: appliance.port }));
    onTestFinished(() => connections.forEach(({ socket }) => socket.destroy()));
    for (let at = 0; at < frames.length; at += 4) {
      const prepared = frames.slice(at, at + 4).map((frame) => encoder.prepareFrame(frame));
      const answers: Promise<HttpAnswer>[] = [];
      for (const [index, { path, body }] of [...prepared.entries()].toReversed())
        answers.unshift(connections[index]!.post(path, body));
      for (const answer of answers) expect((await encoder.finish(answer)).status).toBe(200);
    }
    await encoder.close();
    await expectRecorded(appliance, 'rtmpte');
  });

  it('its connection cut in the middle of a request: the request comes again over the next', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance);
    for (const [index, frame] of frames.entries()) {
      const prepared = encoder.prepareFrame(frame);
      if (index % 20 === 7) {
        const { socket } = encoder.connection;
        const head = `POST ${prepared.path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${prepared.body.length}\r\n\r\n`;
        socket.write(
          Buffer.concat([Buffer.from(head), prepared.body.subarray(0, prepared.body.length >> 1)]),
        );
        await new Promise<void>((resolve) => void socket.end(() => resolve()));
        socket.destroy();
      }
      expect((await encoder.finish(encoder.post(prepared))).status).toBe(200);
    }
    await encoder.close();
    await expectRecorded(appliance, 'rtmpt');
  });
});

describe('a tunnel is its own', () => {
  it('another address, another listener and the outside of TLS do not find it, and do not disturb it', async () => {
    const appliance = await TestAppliance.start({
      listeners: [
        { address: '127.0.0.1:0', accept: everyTunnel },
        { address: '127.0.0.1:0', accept: everyTunnel },
      ],
    });
    onTestFinished(() => appliance.stop());
    const encoder = await publishing(appliance);
    const { port } = appliance;
    const path = (verb: string) => `/${verb}/${encoder.id}/${encoder.sequence}`;
    const strangers = [
      { port, localAddress: '127.0.0.2' },
      { port: appliance.ports[1] ?? 0 },
      { port, tls: { rejectUnauthorized: false } },
    ];
    for (const stranger of strangers)
      for (const verb of ['send', 'idle', 'close'])
        expect((await postOnce(stranger, path(verb), Buffer.of(0))).status).toBe(404);
    for (const frame of frames)
      expect((await encoder.finish(encoder.post(encoder.prepareFrame(frame)))).status).toBe(200);
    await encoder.close();
    await expectRecorded(appliance, 'rtmpt');
  });

  it('and ends when its requests can no longer be in order; the recording is finished', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance);
    for (const frame of frames.slice(0, 60)) await encoder.post(encoder.prepareFrame(frame));
    await appliance.recorded('live/camera-1', 1);
    encoder.sequence += tunnelLimits.heldAhead + 1;
    expect((await encoder.exchange()).status).toBe(404);
    const { path } = await appliance.finishedRecording('live/camera-1');
    expect(firstDifference(frames.slice(0, 60), framesIn(path))).toBeUndefined();
    expect(appliance.logged('session.ended')).toMatchObject([{ code: 'TUNNEL_OUT_OF_ORDER', door: 'rtmpt' }]);
    expect((await encoder.exchange()).status).toBe(404);
  });

  it('and ends some seconds after its connection, when no request comes by another', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance);
    for (const frame of frames) await encoder.post(encoder.prepareFrame(frame));
    encoder.connection.socket.resetAndDestroy();
    expect(appliance.logged('publish.ended')).toEqual([]);
    await expectRecorded(appliance, 'rtmpt');
    expect(appliance.logged('session.broken')).toMatchObject([{ code: 'PEER_GONE' }]);
  });
});

describe('who is not wanted hears so', () => {
  it('a revoked key, while publishing: in words, then with a closed connection', async () => {
    const appliance = await started();
    const { key, id } = await appliance.createKey('live/camera-1');
    const encoder = new TunnelEncoder({ port: appliance.port, name: key });
    await encoder.publish();
    await appliance.setKeyState(id, 'revoke');
    await expect.poll(() => appliance.logged('session.refused').length, { timeout: 5000 }).toBe(1);
    await encoder.exchange();
    expect(encoder.events.at(-1)).toMatchObject({ code: 'NetStream.Publish.BadName' });
    const gone = await encoder.exchange();
    expect(gone.status).toBe(404);
    expect(gone.head).toContain('Connection: close');
    expect(appliance.logged('publish.ended')).toMatchObject([{ reason: 'revoked' }]);
  });

  it('a wrong key', async () => {
    const appliance = await started();
    const encoder = new TunnelEncoder({ port: appliance.port, name: 'camera-1' });
    await expect(encoder.publish()).rejects.toThrow('key');
    encoder.connection.socket.destroy();
  });

  it.each([
    ['rtmpt', 3 as const, 'clear-text RTMPT'],
    ['rtmpte', 6 as const, 'RTMPTE'],
  ])('%s where only the other is tunnelled: inside RTMP', async (door, version, name) => {
    const appliance = await started(['rtmps', door === 'rtmpt' ? 'rtmpte' : 'rtmpt']);
    const { key } = await appliance.createKey('live/camera-1');
    const encoder = new TunnelEncoder({ port: appliance.port, name: key, version });
    await expect(encoder.publish()).rejects.toThrow(`${name} is switched off here; use rtmps://`);
    encoder.connection.socket.destroy();
    expect(appliance.logged('session.refused')).toMatchObject([{ door, code: 'DOOR_CLOSED' }]);
  });

  it('while the appliance stops', async () => {
    const appliance = await started();
    const encoder = await publishing(appliance);
    await encoder.post(encoder.prepareFrame(frames[0]!));
    const asking = encoder.exchange();
    await appliance.stop();
    await asking;
    expect(encoder.events.at(-1)).toMatchObject({ type: 'status', level: 'error' });
    expect(appliance.logged('publish.ended')).toMatchObject([{ reason: 'shutdown' }]);
  });
});
