// The whole life of a key from an encoder's side: rotated with grace, limited, refused as a duplicate, guessed at;
// and what the audit log has to say about it all.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { generateKey } from '../../src/keys/stream-key-format.ts';
import type { AuditEntry } from '../../src/store/audit-log.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder, type Refusal } from '../support/encoder.ts';
import { syntheticFrames } from '../support/media.ts';

async function started(settings = {}): Promise<TestAppliance> {
  const appliance = await TestAppliance.start(settings);
  onTestFinished(() => appliance.stop());
  return appliance;
}

async function live(
  appliance: TestAppliance,
  name: string,
  seconds = 1,
  videoSize?: number,
): Promise<Encoder> {
  const encoder = new Encoder({ port: appliance.port, name });
  await encoder.published;
  for (const { type, timestamp, payload } of syntheticFrames('key life', seconds, videoSize))
    await encoder.send(type, timestamp, payload);
  return encoder;
}

/** Milliseconds: what a loaded machine needs for the goodbye, beyond what is promised. */
const slack = 3000;

describe('rotation', () => {
  it('lets the old key work on; who is switched to the new one takes the stream over at once', async () => {
    const appliance = await started();
    const { id, key: old } = await appliance.createKey('live/camera-1');
    const first = await live(appliance, old);
    const { key, id: sameId } = await appliance.rotateKey(id, '1h');
    expect([sameId, key === old]).toEqual([id, false]);
    const second = await live(appliance, key);
    expect(await first.ended).toMatchObject({ description: expect.stringContaining('took over') });
    const third = await live(appliance, old); // both work, and both are the same key
    expect(await second.ended).toMatchObject({ description: expect.stringContaining('took over') });
    await third.finish();
    await appliance.audit(); // by now the uses are written down
    expect((await appliance.showKey(id)).json).toMatchObject({
      previous: { lastUsedFrom: '127.0.0.1', lastUsedDoor: 'rtmp' },
    });
    expect((await appliance.showKey(id)).text).toMatch(/old secret +works 59m.*last used 0s ago/);
  });

  it('ends the session of the old key with its grace, says why, and leaves the new one alone', async () => {
    const appliance = await started();
    const { id, key: old } = await appliance.createKey('live/camera-1');
    const encoder = await live(appliance, old);
    const { key } = await appliance.rotateKey(id, '700ms');
    const began = performance.now();
    expect(await encoder.ended).toMatchObject({
      code: 'NetStream.Publish.BadName',
      description: expect.stringMatching(/has expired.*replaced by a new one/),
    });
    expect(performance.now() - began).toBeLessThan(1700 + slack);
    expect((await appliance.finishedRecording('live/camera-1')).entry.state).toBe('complete');
    const late = new Encoder({ port: appliance.port, name: old });
    expect(await late.ended).toMatchObject({ code: 'NetStream.Publish.BadName' });
    expect(appliance.logged('publish.refused')).toMatchObject([{ reason: 'rotated', key: id }]);
    await (await live(appliance, key)).finish();
  });

  it('without grace cuts at once', async () => {
    const appliance = await started();
    const { id, key } = await appliance.createKey('live/camera-1');
    const encoder = await live(appliance, key);
    await appliance.rotateKey(id, '0');
    expect(await encoder.ended).toMatchObject({ description: expect.stringContaining('has expired') });
  });
});

describe('the limits of a key', () => {
  it('end a session that sends too much, with the figure in words', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1', { maxBitrate: '300k' });
    const encoder = await live(appliance, key, 10); // 10 s of 1 Mbit/s at once
    expect(await encoder.ended).toMatchObject({
      code: 'NetStream.Failed',
      description: expect.stringContaining('300 kbit/s'),
    });
    expect(appliance.logged('publish.ended')).toMatchObject([{ reason: 'limited' }]);
    const within = await appliance.createKey('live/camera-2', { maxBitrate: '3M' });
    await (await live(appliance, within.key, 2)).finish();
    expect(appliance.logged('publish.ended')).toMatchObject([{}, { reason: 'unpublished' }]);
  });

  it('end a session that lasts too long', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1', { maxSession: '1s' });
    const began = performance.now();
    const encoder = await live(appliance, key);
    expect(await encoder.ended).toMatchObject({ description: expect.stringContaining('as long as') });
    expect(performance.now() - began).toBeGreaterThan(999);
    expect(performance.now() - began).toBeLessThan(2000 + slack);
    expect((await appliance.finishedRecording('live/camera-1')).entry).toMatchObject({ durationMs: 1000 });
    await (await live(appliance, key)).vanish(); // the next session has its own time
  });

  it('end a session whose codec is not allowed, from its first frame or in mid-stream', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1', { codecs: ['h264,opus'] });
    const encoder = await live(appliance, key).catch(() => undefined);
    expect(await encoder?.ended).toMatchObject({
      code: 'NetStream.Publish.BadName',
      description: expect.stringMatching(/codec aac is not allowed.*h264, opus/),
    });
    const both = await appliance.createKey('live/camera-2', { codecs: ['h264', 'aac'] });
    const changing = await live(appliance, both.key);
    await changing.send(9, 2000, Buffer.from('90687663310000000000', 'hex')); // hvc1
    expect(await changing.ended).toMatchObject({ description: expect.stringContaining('codec hevc') });
    expect(appliance.logged('session.failed')).toEqual([]);
  });
});

describe('duplicatePublisher: refuse', () => {
  it('refuses a second publisher, the same key or not, and the first notices nothing', async () => {
    const appliance = await started({ duplicatePublisher: 'refuse' });
    const { key } = await appliance.createKey('live/camera-1');
    const first = await live(appliance, key);
    const second = new Encoder({ port: appliance.port, name: key });
    expect(await second.ended).toMatchObject({
      code: 'NetStream.Publish.BadName',
      description: expect.stringContaining('already being published'),
    });
    await first.finish();
    expect((await appliance.finishedRecording('live/camera-1')).entry.durationMs).toBe(1000);
    await (await live(appliance, key)).finish();
  });
});

describe('guessing', () => {
  it('is answered later and later, then not at all, and nobody else notices', async () => {
    const appliance = await started();
    const { key } = await appliance.createKey('live/camera-1');
    const guess = async (): Promise<{ refusal: Refusal | undefined; waited: number }> => {
      const wrong = generateKey('psk', (length) => randomBytes(length)).secret.reveal();
      const began = performance.now();
      const encoder = new Encoder({ port: appliance.port, name: wrong, localAddress: '127.0.0.9' });
      const refusal = await encoder.ended;
      return { refusal, waited: performance.now() - began };
    };
    const [first, second] = [await guess(), await guess()];
    expect(second.waited).toBeGreaterThan(first.waited + 300);
    expect(first.refusal).toEqual(second.refusal);
    const rest = await Promise.all(Array.from({ length: 12 }, () => guess()));
    for (const { refusal } of rest) expect([first.refusal, undefined]).toContainEqual(refusal);
    expect(Math.max(...rest.map(({ waited }) => waited))).toBeGreaterThan(3500);
    const turnedAway = await guess();
    expect(turnedAway.refusal).toBeUndefined(); // closed as soon as it was accepted
    expect(appliance.logged('connection.refused')[0]).toMatchObject({ code: 'ADDRESS_LOCKED_OUT' });
    await (await live(appliance, key)).finish();
    const actions = (await appliance.audit()).map(({ action }) => action);
    expect(actions.filter((action) => action === 'key.refused').length).toBeGreaterThan(9);
    expect(actions).toContain('address.locked-out');
  });
});

describe('the audit log', () => {
  it('has one line for each step of a life, who did it, and no secret', async () => {
    const appliance = await started();
    const { id, key } = await appliance.createKey('live/camera-1', { note: 'van' });
    await (await live(appliance, key)).finish();
    const { key: fresh } = await appliance.rotateKey(id, '1h');
    await appliance.setKeyState(id, 'disable');
    await new Encoder({ port: appliance.port, name: fresh }).ended;
    await appliance.setKeyState(id, 'enable');
    await appliance.setKeyState(id, 'revoke');
    await appliance.createToken('recordings:read');
    const lines = await appliance.audit();
    const told = ({ action, source, key: of, stream, door, detail }: AuditEntry) =>
      [action, source, of === id ? 'it' : of, stream, door, detail].map((part) => part ?? '-').join(' ');
    expect(lines.map(told)).toEqual([
      'server.started server - - - -',
      expect.stringMatching(/^configuration\.changed server - - - now sha256 [0-9a-f]{16}$/),
      `authority.created server - - - ${join(appliance.folder, 'certs/development/ca.pem')}`,
      'key.created cli it live/camera-1 - publish',
      expect.stringMatching(/^key\.used 127\.0\.0\.1 it live\/camera-1 rtmp encoder /),
      'key.rotated cli it live/camera-1 - grace 1h',
      'key.disabled cli it live/camera-1 - -',
      'key.refused 127.0.0.1 it live/camera-1 rtmp disabled',
      'key.enabled cli it live/camera-1 - -',
      'key.revoked cli it live/camera-1 - -',
      expect.stringMatching(/^token\.created cli [0-9a-z]{8} - - recordings:read$/),
    ]);
    const file = readFileSync(join(appliance.folder, 'data/audit.jsonl'), 'utf8');
    expect(
      file
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as AuditEntry),
    ).toEqual(lines);
    for (const secret of appliance.secrets) expect(file).not.toContain(secret.slice(13));
  });

  it('goes on over a restart, and tells only of settings that changed', async () => {
    const appliance = await TestAppliance.start();
    await appliance.stop();
    await appliance.open();
    onTestFinished(() => appliance.stop());
    expect((await appliance.audit()).map(({ action }) => action)).toEqual([
      'server.started',
      'configuration.changed',
      'authority.created',
      'server.stopped',
      'server.started',
    ]);
  });
});
