// Signing in with user and password, through the whole appliance: OBS as a script of its exact steps.
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TestAppliance, type TestSettings } from '../support/appliance.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';
import { obsSignIn, type ObsSignIn } from '../support/obs-sign-in.ts';
import { refusalDescription } from '../../src/keys/key-gate.ts';

const authFailed = '[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed';

async function started(settings: TestSettings = {}) {
  const appliance = await TestAppliance.start({
    listeners: [{ address: '127.0.0.1:0', accept: ['rtmps'] }],
    'signIn.apps': ['studio'],
    ...settings,
  });
  onTestFinished(() => appliance.stop());
  const obs = (given: Omit<ObsSignIn, 'port' | 'ca' | 'key'> & { readonly key?: string }) =>
    obsSignIn({
      port: appliance.port,
      ca: readFileSync(appliance.caFile),
      key: '',
      ...given,
      onEncoder: (encoder) => onTestFinished(() => void encoder.socket.destroy()),
    });
  return { appliance, obs };
}

describe('OBS with "Use authentication"', () => {
  it.each([
    ['an application that is set aside for it', 'studio', 'studio/camera-1', ''],
    ['the name of the stream in the server address', 'live/camera-1', 'live/camera-1', ''],
    ['the stream as stream key', 'live/camera-1', 'live/camera-1', 'camera-1'],
  ])('%s', async (_, app, stream, field) => {
    const { appliance, obs } = await started();
    const { key, id } = await appliance.createKey(stream);
    const { encoder, refusals } = await obs({ app, user: 'camera-1', password: key, key: field });
    expect(refusals.map((words) => /need ?auth/.exec(words)?.[0])).toEqual(['need auth', 'needauth']);
    const sent = syntheticFrames('adobe', 1);
    await encoder.stream(sent);
    await encoder.stop();
    const { path, entry } = await appliance.finishedRecording(stream);
    expect(firstDifference(sent, framesIn(path))).toBeUndefined();
    expect(entry.keyId).toBe(id);
    const used = (await appliance.audit()).filter(
      ({ action }) => action.startsWith('key.') && action !== 'key.created',
    );
    expect(used).toMatchObject([{ action: 'key.used', key: id, door: 'rtmps' }]);
    const told = appliance.log.map((line) => JSON.parse(line) as { level: string; session?: string });
    expect(told.filter(({ level, session }) => session && (level === 'warn' || level === 'error'))).toEqual(
      [],
    );
    expect(appliance.log.join('')).not.toContain(key);
  });

  it('in an application for everybody works from the fourth start, and from then on at once', async () => {
    const { appliance, obs } = await started();
    const { key } = await appliance.createKey('live/camera-1');
    const start = () => obs({ user: 'camera-1', password: key, key: 'camera-1' });
    for (let round = 0; round < 3; round++) expect((await start()).refusals).toEqual([refusalDescription]);
    for (let round = 0; round < 2; round++) {
      const { encoder, refusals } = await start();
      expect(refusals.length).toBe(2);
      await encoder.stop();
    }
  });

  it('is refused for a wrong password and an unknown user in the same words', async () => {
    const { appliance, obs } = await started();
    const { key } = await appliance.createKey('studio/camera-1');
    for (const [user, password] of [
      ['camera-1', `${key}x`],
      ['camera-2', key],
    ] as const) {
      const { refusals } = await obs({ app: 'studio', user, password });
      expect(refusals[1]?.replace(user, 'USER')).toMatch(
        /: \?reason=needauth&user=USER&salt=[0-9a-f]{12}&challenge=\w{44}&opaque=\w{44}$/,
      );
      expect(refusals.at(-1)).toBe(authFailed);
    }
    expect(appliance.logged('sign-in.refused').map(({ reason }) => reason)).toEqual([
      'wrong-secret',
      'unknown-user',
    ]);
  });

  it('ends within a second when its key is revoked', async () => {
    const { appliance, obs } = await started();
    const { key, id } = await appliance.createKey('studio/camera-1');
    const { encoder } = await obs({ app: 'studio', user: 'camera-1', password: key });
    await appliance.setKeyState(id, 'revoke');
    await encoder.closed;
    expect(encoder.answers.statuses.at(-1)?.description).toBe('The stream key of this session was revoked.');
    const { encoder: next } = await obs({ app: 'studio', user: 'camera-1', password: key });
    expect(next.answers.statuses.at(-1)).toMatchObject({ code: 'NetStream.Publish.BadName' });
  });
});
