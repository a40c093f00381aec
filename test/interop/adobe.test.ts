// What real clients make of being asked for a password when things are not as they should be. That signing in works, and
// through which doors, is in table.test.ts.
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { TestAppliance } from '../support/appliance.ts';
import { makeSample, publishWithFfmpeg, publishWithGStreamer } from '../support/real-clients.ts';
import type { RealProcess } from '../support/real-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
let appliance: TestAppliance;
let sample = '';
beforeAll(async () => {
  sample = await makeSample(folder, 'h264 and aac', 1);
  appliance = await TestAppliance.start({ 'signIn.apps': ['studio'] }, folder);
});
afterAll(() => appliance.stop());

const at = (path: string, user = '') => `rtmps://${user}127.0.0.1:${appliance.port}/${path}`;
const outcome = async (encoder: RealProcess) => {
  const { code, stderr } = await encoder.finish(10_000);
  return { code, stderr };
};
const ffmpeg = (url: string) => outcome(publishWithFfmpeg(sample, url));

describe('ffmpeg', () => {
  it('with a wrong password says so', async () => {
    await appliance.createKey('studio/wrong');
    const { key } = await appliance.createKey('studio/other');
    const { code, stderr } = await ffmpeg(at('studio/wrong', `wrong:${key}@`));
    expect(code).not.toBe(0);
    expect(stderr).toContain('?reason=authfailed');
    expect(appliance.logged('sign-in.refused').at(-1)).toMatchObject({ reason: 'wrong-secret' });
  });

  it('without a password where one is asked for says that it has none', async () => {
    const { key } = await appliance.createKey('studio/none');
    const { code, stderr } = await ffmpeg(at(`studio/${key}`));
    expect(code).not.toBe(0);
    expect(stderr).toContain('No credentials set');
  });

  it('with a password where it is not asked for gets in at the fourth start', async () => {
    const { key, id } = await appliance.createKey('live/learnt');
    const codes: (number | null)[] = [];
    for (let start = 0; start < 5; start++)
      codes.push((await ffmpeg(at('live/learnt', `learnt:${key}@`))).code);
    expect(codes.map((code) => code === 0)).toEqual([false, false, false, true, true]);
    expect(appliance.logged('publish.started').at(-1)).toMatchObject({ stream: 'live/learnt', key: id });
  });

  it('with a good key in its place is never asked, also after a slip', async () => {
    const { key } = await appliance.createKey('field/slip');
    expect((await ffmpeg(at('field/slip'))).code).not.toBe(0);
    for (const name of [key, `slip?key=${key}`]) expect((await ffmpeg(at(`field/${name}`))).code).toBe(0);
    for (let slip = 0; slip < 3; slip++) await ffmpeg(at('field/slip'));
    expect((await ffmpeg(at(`field/${key}`))).code).toBe(0);
  });

  it('with a key where another one like it signs in is asked once by mistake, and then no more', async () => {
    const { key } = await appliance.createKey('live/neighbour');
    const codes: (number | null)[] = [];
    for (let start = 0; start < 3; start++) codes.push((await ffmpeg(at(`live/${key}`))).code);
    expect(codes.map((code) => code === 0)).toEqual([false, true, true]);
  });

  it('of a rotated key may use either password, until the grace is over', async () => {
    const { key, id } = await appliance.createKey('studio/rotated');
    const rotated = await appliance.rotateKey(id, '1h');
    for (const password of [key, rotated.key])
      expect((await ffmpeg(at('studio/rotated', `rotated:${password}@`))).code).toBe(0);
    await appliance.rotateKey(id, '0');
    const { code, stderr } = await ffmpeg(at('studio/rotated', `rotated:${key}@`));
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining('authfailed') as string]);
  });
});

it('GStreamer takes user and password as properties, and with wrong ones fails at once', async () => {
  const { key } = await appliance.createKey('live/gst');
  const sink = (password: string) => [
    'rtmp2sink',
    `location=${at('live/gst/gst')}`,
    'tls-validation-flags=0',
    'username=gst',
    `password=${password}`,
  ];
  const publish = (password: string) =>
    outcome(publishWithGStreamer(sample, sink(password), `${folder}/gst.flv`));
  expect((await publish(key)).code).toBe(0);
  const { code, stderr } = await publish('wrong');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/auth/i);
});

it('no step of all this has left a key in the log', () => {
  const said = appliance.log.join('');
  for (const secret of appliance.secrets) expect(said).not.toContain(secret);
  expect(said).not.toMatch(/authmod=[a-z]+&user/);
});
