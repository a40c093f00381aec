// Renewal while everything runs: live publishers and a download that follows one of them go through it without
// losing a frame, and whoever comes later meets the new certificate. And what an authority adds that pebble lacks:
// renewal information, profiles.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { AcmeProxy } from '../support/acme-proxy.ts';
import { TestAppliance, type TestSettings } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { eventually } from '../support/eventually.ts';
import { freePorts } from '../support/free-ports.ts';
import { firstDifference, type Frame, framesIn } from '../support/media.ts';
import { Pebble, trustedSerial } from '../support/pebble.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
let port = 0;
let pebble: Pebble;
let proxy: AcmeProxy;
let root = '';

beforeAll(async () => {
  const [tlsPort = 0, httpPort = 0] = await freePorts(2);
  port = tlsPort;
  pebble = await Pebble.start({ folder, tlsPort, httpPort });
  proxy = await AcmeProxy.start(pebble);
  root = await pebble.root();
});
afterAll(async () => {
  await proxy.stop();
  await pebble.stop();
});

function settingsWith(settings: TestSettings = {}): TestSettings {
  return {
    hosts: ['a.test'],
    listeners: [{ address: `127.0.0.1:${port}`, accept: ['rtmps', 'https'] }],
    'tls.certificate': 'acme',
    'acme.directoryUrl': proxy.directoryUrl,
    'acme.caFile': pebble.caFile,
    ...settings,
  };
}

const serialServed = () => trustedSerial({ port, servername: 'a.test', ca: root });

async function startWith(settings: TestSettings = {}): Promise<TestAppliance> {
  const appliance = await TestAppliance.start(settingsWith(settings));
  onTestFinished(() => appliance.stop());
  await eventually('a certificate', serialServed);
  return appliance;
}

/** A publisher that sends a frame every 100 ms until it is told to stop; answers what it sent. */
async function publishUntil(encoder: Encoder, over: () => boolean): Promise<Frame[]> {
  const sent: Frame[] = [];
  for (let timestamp = 0; !over(); timestamp += 100) {
    const payload = Buffer.alloc(2000, timestamp / 100);
    payload.set([timestamp === 0 ? 0x17 : 0x27, 1, 0, 0, 0]);
    sent.push({ type: TagType.Video, timestamp, payload });
    await encoder.send(TagType.Video, timestamp, payload);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return sent;
}

describe('a renewal', () => {
  it('drops nobody, loses no frame, and is what newcomers meet', { timeout: 60_000 }, async () => {
    const appliance = await startWith({ 'limits.connectionsPerAddress': 200 });
    const before = await serialServed();
    const count = 50;
    let over = false;
    const tls = { servername: 'a.test', ca: root };
    const encoders = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const { key } = await appliance.createKey(`live/n${index}`);
        const encoder = new Encoder({ port, name: key, tls });
        await encoder.published;
        return encoder;
      }),
    );
    const publishing = encoders.map((encoder) => publishUntil(encoder, () => over));
    await Promise.all(encoders.map((_, index) => appliance.recorded(`live/n${index}`, 200)));

    // A download that stands still in the middle of it.
    const big = Buffer.alloc(1 << 20, 7);
    big.set([0x17, 1, 0, 0, 0]);
    const uploader = new Encoder({ port, name: (await appliance.createKey('live/big')).key, tls });
    await uploader.published;
    for (let index = 0; index < 32; index += 1) await uploader.send(TagType.Video, index * 40, big);
    await uploader.finish();
    const { entry } = await appliance.finishedRecording('live/big');
    const headers = { Authorization: `Bearer ${await appliance.createToken()}` };
    const path = `/api/v1/recordings/${entry.id}/file`;
    const download = request({ port, host: '127.0.0.1', path, headers, ...tls }).end();
    const [response] = (await once(download, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);

    await appliance.renewCertificates();
    const after = await eventually('another certificate', async () => {
      const serial = await serialServed();
      return serial === before ? undefined : serial;
    });
    expect(after).toBeDefined();

    // The download was in the middle all the while.
    expect(response.socket.bytesRead).toBeLessThan(entry.bytes ?? 0);
    let bytes = 0;
    for await (const piece of response) bytes += (piece as Buffer).length;
    expect(bytes).toBe(entry.bytes);
    over = true;
    const sent = await Promise.all(publishing);
    for (const encoder of encoders) await encoder.finish();
    for (const [index, frames] of sent.entries()) {
      const { path: file, entry: recording } = await appliance.finishedRecording(`live/n${index}`);
      expect(recording.state).toBe('complete');
      expect(firstDifference(frames, framesIn(file))).toBeUndefined();
    }
    expect(appliance.logged('session.broken')).toEqual([]);
    const renewed = (await appliance.audit()).filter(({ action }) => action === 'certificate.renewed');
    expect(renewed.map(({ detail }) => detail)).toEqual([expect.stringContaining(`serial ${after}`)]);
  });

  it('follows the time that the authority suggests, names what it replaces, and asks for the profile', async () => {
    proxy.window = { start: Date.now() - 10_000, end: Date.now() - 5000 }; // now, as after a mistake of its own
    proxy.profiles = ['classic', 'shortlived'];
    proxy.passed.length = 0;
    const appliance = await startWith({ 'acme.profile': 'shortlived' });
    // The window is long over: the first certificate is due at once, and so would be each one after it.
    await eventually('a renewal', async () => appliance.logged('certificate.issued')[1]);
    const orders = proxy.asked('/order-plz').map(({ payload }) => payload);
    expect(orders[0]).toMatchObject({ profile: 'shortlived' });
    expect(orders[0]).not.toHaveProperty('replaces');
    const asked = proxy.asked('/renewal-info/')[0]?.path.split('/').at(-1);
    expect(orders[1]).toMatchObject({ profile: 'shortlived', replaces: asked });
    // An authority that always says "now" gets no more than a few orders.
    await eventually('a pause', async () => appliance.logged('renewal.postponed')[0]);
    expect(appliance.logged('certificate.issued').length).toBeLessThanOrEqual(4);
    proxy.window = undefined;
  });
});

describe('the command line', () => {
  it(
    'tells the same with and without a server, and renews through the one that runs',
    { timeout: 90_000 },
    async () => {
      const server = new ServerProcess({ folder: temporaryFolder(), settings: settingsWith() });
      onTestFinished(() => server.discard());
      await server.start();
      const serial = await eventually('a certificate', serialServed);
      await server.event('certificate.issued');
      const [status] = await server.json<Record<string, unknown>[]>('cert', 'status');
      expect(status).toMatchObject({ kind: 'acme', names: ['a.test'], serial, lastError: null });
      expect(status?.['issuer']).toMatch(/Pebble/);
      const [renewed] = await server.json<Record<string, unknown>[]>('cert', 'renew');
      expect(renewed?.['serial']).not.toBe(serial);
      expect(await serialServed()).toBe(renewed?.['serial']);
      await server.stop();
      expect(await server.json('cert', 'status')).toEqual([renewed]);
      const refused = await server.cli('cert', 'renew');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/tls-alpn-01 is answered by the running server/);
    },
  );
});
