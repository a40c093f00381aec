// Keys from an encoder's side: who is refused hears one sentence, who is withdrawn hears why, and no log at any
// level ever holds a key.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder, type Refusal } from '../support/encoder.ts';
import { syntheticFrames } from '../support/media.ts';

async function started(settings = {}): Promise<TestAppliance> {
  const appliance = await TestAppliance.start(settings);
  onTestFinished(async () => {
    await appliance.stop();
    expectNoSecrets(appliance);
  });
  return appliance;
}

/** No line of the debug log and no file of any folder holds a key, but what the test itself keeps in memory. */
function expectNoSecrets({ secrets, log, folder }: TestAppliance): void {
  const text = log.join('');
  expect(text.length).toBeGreaterThan(0);
  for (const secret of secrets) expect(text).not.toContain(secret.slice(13)); // the part behind the public id
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, file);
    if (!statSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    for (const secret of secrets) expect(bytes.includes(secret), file).toBe(false);
  }
}

async function live(appliance: TestAppliance, key: string): Promise<Encoder> {
  const encoder = new Encoder({ port: appliance.port, name: key });
  await encoder.published;
  for (const { type, timestamp, payload } of syntheticFrames('live', 1))
    await encoder.send(type, timestamp, payload);
  return encoder;
}

describe('keys', () => {
  it('refuses every wrong key alike, in words, before Publish.Start and without a file', async () => {
    const appliance = await started();
    const good = await appliance.createKey('live/camera-1');
    const play = await appliance.createKey('live/camera-1', { role: 'play' });
    const disabled = await appliance.createKey('live/camera-1');
    await appliance.setKeyState(disabled.id, 'disable');
    const revoked = await appliance.createKey('live/camera-1');
    await appliance.setKeyState(revoked.id, 'revoke');
    const early = await appliance.createKey('live/camera-1', { notBefore: '2100-01-01' });
    const elsewhere = await appliance.createKey('live/camera-1', { allow: ['203.0.113.0/24'] });
    const tlsOnly = await appliance.createKey('live/camera-1', { require: 'tls' });
    const swapped = good.key.at(-1) === 'a' ? 'b' : 'a';
    const attempts: Record<string, { app?: string; name: string }> = {
      mistyped: { name: good.key.slice(0, -1) + swapped },
      'not a key': { name: 'camera-1' },
      unknown: { name: (await otherKey()).key },
      'play only': { name: play.key },
      disabled: { name: disabled.key },
      revoked: { name: revoked.key },
      'not yet valid': { name: early.key },
      'wrong address': { name: elsewhere.key },
      'needs TLS': { name: tlsOnly.key },
      'other app': { app: 'studio', name: good.key },
      'other name': { name: `camera-2?key=${good.key}` },
    };
    const words = new Set<string>();
    for (const [what, attempt] of Object.entries(attempts)) {
      const encoder = new Encoder({ port: appliance.port, ...attempt });
      const refusal = await encoder.ended;
      expect(refusal?.code, what).toBe('NetStream.Publish.BadName');
      expect(encoder.events, what).not.toContainEqual({ type: 'published' });
      words.add(refusal?.description ?? '');
    }
    expect(words.size).toBe(1);
    expect([...words][0]).toMatch(/stream key was not accepted/);
    expect(await appliance.recordings()).toEqual([]);
    const reasons = appliance.logged('publish.refused').map(({ reason }) => reason);
    expect(new Set(reasons).size).toBeGreaterThan(7); // the operator's log tells them apart

    async function otherKey() {
      const other = await TestAppliance.start();
      const made = await other.createKey('live/camera-1');
      await other.stop();
      return made;
    }
  });

  it.each([
    ['revoke', 'revoked'],
    ['disable', 'disabled'],
  ] as const)(
    '%s ends the live session within a second, says so, and keeps what was recorded',
    async (verb, word) => {
      const appliance = await started();
      const key = await appliance.createKey('live/camera-1');
      const other = await appliance.createKey('live/camera-2');
      const [encoder, bystander] = [await live(appliance, key.key), await live(appliance, other.key)];
      const began = performance.now();
      await appliance.setKeyState(key.id, verb);
      const refusal = await encoder.ended;
      expect(performance.now() - began).toBeLessThan(4000); // told at once; the rest is the loaded machine and the goodbye
      expect(refusal).toMatchObject({
        code: 'NetStream.Publish.BadName',
        description: expect.stringContaining(word),
      });
      expect((await appliance.finishedRecording('live/camera-1')).entry).toMatchObject({
        state: 'complete',
        durationMs: 1000,
      });
      await bystander.finish();
      expect(bystander.events).not.toContainEqual(expect.objectContaining({ level: 'error' }));
    },
  );

  it('expiry ends the live session', async () => {
    const appliance = await started();
    const key = await appliance.createKey('live/camera-1', { expires: '1500ms' });
    const encoder = await live(appliance, key.key);
    expect(await encoder.ended).toMatchObject({ description: expect.stringContaining('expired') });
  });

  it('the same key takes over at once; another key is refused and nothing happens to the first', async () => {
    const appliance = await started();
    const key = await appliance.createKey('live/camera-1');
    const other = await appliance.createKey('live/camera-1');
    const first = await live(appliance, key.key);
    const stranger = new Encoder({ port: appliance.port, name: other.key });
    expect(await stranger.ended).toMatchObject({ code: 'NetStream.Publish.BadName' });
    const second = await live(appliance, key.key);
    expect(await first.ended).toMatchObject({ description: expect.stringContaining('took over') });
    await second.finish();
    const takes = await appliance.finishedRecordings('live/camera-1', 2);
    expect(takes.map(({ durationMs }) => durationMs)).toEqual([1000, 1000]);
  });

  it.each([
    ['takeover', 'NetStream.Failed', 'A newer session with the same stream key took over.'],
    ['refuse', 'NetStream.Publish.BadName', 'This stream is already being published by another encoder.'],
  ])(
    'of twenty publishers at once with one key exactly one goes on, and each other hears why (%s)',
    async (duplicatePublisher, code, description) => {
      const appliance = await started({ duplicatePublisher });
      const { key } = await appliance.createKey('live/camera-1');
      const encoders = Array.from({ length: 20 }, () => new Encoder({ port: appliance.port, name: key }));
      const losers = new Map<Encoder, Refusal | undefined>();
      const nineteen = Promise.withResolvers<void>();
      for (const encoder of encoders) {
        void encoder.ended.then((words) => {
          losers.set(encoder, words);
          if (losers.size === 19) nineteen.resolve();
        });
      }
      await nineteen.promise;
      expect([...losers.values()]).toEqual(Array.from({ length: 19 }, () => ({ code, description })));
      const [winner] = encoders.filter((encoder) => !losers.has(encoder));
      await winner?.published;
      expect(winner?.events).toEqual([{ type: 'published' }]);
      await winner?.finish();
    },
  );
});
