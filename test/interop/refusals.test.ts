// Encoders that are not wanted: whatever is wrong, ffmpeg and GStreamer end soon, with a sentence for the person
// in front of them; and nothing that the server says holds a key.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalDescription } from '../../src/keys/key-gate.ts';
import { generateKey } from '../../src/keys/stream-key-format.ts';
import type { TestKey } from '../support/appliance.ts';
import { client, makeSample, publishWithFfmpeg, publishWithGStreamer } from '../support/real-clients.ts';
import type { Finished, RealProcess } from '../support/real-process.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const tlsOnly = { address: '127.0.0.1:0', accept: ['rtmps'] };
const rtmpeOnly = { address: '127.0.0.1:0', accept: ['rtmpe'] };
const server = new ServerProcess({
  folder,
  settings: {
    listeners: [{ address: '127.0.0.1:0', accept: ['rtmp', 'rtmps', 'rtmpe'] }, tlsOnly, rtmpeOnly],
  },
});
let sample = '';
let good: TestKey;
/** What to try, by the reason that the operator's log gives. */
const attempts: Record<string, string> = {};

beforeAll(async () => {
  sample = await makeSample(folder, 'h264 and aac', 1);
  await server.start();
  good = await server.createKey('live/camera-1');
  const expired = await server.createKey('live/camera-1', '--expires', '500ms');
  const disabled = await server.createKey('live/camera-1');
  await server.cli('key', 'disable', disabled.id);
  const revoked = await server.createKey('live/camera-1');
  await server.cli('key', 'revoke', revoked.id);
  const play = await server.createKey('live/camera-1', '--role', 'play');
  const unknown = generateKey('psk', (length) => randomBytes(length)).secret.reveal();
  server.secrets.push(unknown);
  Object.assign(attempts, {
    'unknown-key': `live/${unknown}`,
    mistyped: `live/${good.key.slice(0, -1)}${good.key.endsWith('a') ? 'b' : 'a'}`,
    expired: `live/${expired.key}`,
    disabled: `live/${disabled.key}`,
    revoked: `live/${revoked.key}`,
    'role-missing': `live/${play.key}`,
    'wrong-stream': `studio/${good.key}`,
  });
});
afterAll(() => server.discard());

/** How it ended, which has to be by itself, soon, and with a complaint. */
async function refusalOf(encoder: RealProcess): Promise<Finished> {
  const finished = await encoder.finish(8000);
  expect(finished.code).not.toBe(0);
  return finished;
}

function viaGStreamer(location: string, element = 'rtmp2sink'): RealProcess {
  const sink = [element, 'sync=false', `location=${location}`];
  if (location.startsWith('rtmps')) sink.push('tls-validation-flags=bad-identity');
  return publishWithGStreamer(sample, sink, join(folder, 'unsent.flv'));
}

describe('a key that does not open the stream', () => {
  it.each(['unknown-key', 'mistyped', 'expired', 'disabled', 'revoked', 'role-missing', 'wrong-stream'])(
    '%s: ffmpeg shows the whole sentence and fails',
    async (reason) => {
      const before = server.logged('publish.refused').length;
      const { stderr } = await refusalOf(
        publishWithFfmpeg(sample, `rtmps://localhost:${server.port}/${attempts[reason]}`),
      );
      expect(stderr).toContain(`Server error: ${refusalDescription}`);
      expect(server.logged('publish.refused').slice(before)).toMatchObject([{ reason }]);
    },
  );

  it.each(['unknown-key', 'revoked'])('%s: GStreamer shows it too', async (reason) => {
    for (const door of ['rtmps', 'rtmp']) {
      const { stderr } = await refusalOf(
        viaGStreamer(`${door}://localhost:${server.port}/${attempts[reason]}`),
      );
      expect(stderr).toContain(refusalDescription);
    }
  });

  it('librtmp is refused inside RTMPE', async () => {
    const { stderr } = await refusalOf(
      viaGStreamer(`rtmpe://localhost:${server.port}/${attempts['revoked']}`, 'rtmpsink'),
    );
    expect(stderr).toContain('Could not connect to RTMP stream');
    expect(server.logged('publish.refused').at(-1)).toMatchObject({ door: 'rtmpe', reason: 'revoked' });
  });

  it('leaves no recording behind', async () => {
    expect(await server.recordings()).toEqual([]);
  });
});

describe('a player', () => {
  it('is told that nothing is played here: rtmpdump and ffmpeg', async () => {
    const url = `rtmpe://127.0.0.1:${server.port}/${attempts['role-missing']}`;
    const dump = await refusalOf(client('rtmpdump', ['-r', url, '-o', join(folder, 'played.flv')]));
    expect(dump.stderr).toContain('NetStream.Play.Failed');
    const reading = ['-hide_banner', '-nostdin', '-i', url.replace('rtmpe', 'rtmps'), '-f', 'null', '-'];
    const { stderr } = await refusalOf(client('ffmpeg', reading));
    expect(stderr).toContain('This server takes streams in; it does not play them.');
  });
});

describe('the wrong door', () => {
  it.each([
    ['ffmpeg', 'rtmp', 1, 'clear-text RTMP', 'rtmps'],
    ['GStreamer', 'rtmp', 1, 'clear-text RTMP', 'rtmps'],
    ['ffmpeg', 'rtmps', 2, 'RTMPS', 'rtmps'],
  ] as const)('%s comes by %s', async (who, door, listener, name, better) => {
    const url = `${door}://127.0.0.1:${server.ports[listener]}/live/${good.key}`;
    const { stderr } = await refusalOf(who === 'ffmpeg' ? publishWithFfmpeg(sample, url) : viaGStreamer(url));
    expect(stderr).toContain(`${name} is switched off here; use ${better}://127.0.0.1:${server.port}/live`);
    expect(server.logged('session.refused').at(-1)).toMatchObject({ door, code: 'DOOR_CLOSED' });
  });

  it('librtmp comes by rtmpe where only TLS is accepted', async () => {
    await refusalOf(viaGStreamer(`rtmpe://127.0.0.1:${server.ports[1]}/live/${good.key}`, 'rtmpsink'));
    expect(server.logged('session.refused').at(-1)).toMatchObject({ door: 'rtmpe', code: 'DOOR_CLOSED' });
  });
});

describe('everything that the server said meanwhile', () => {
  it('holds no key', () => {
    const said = server.log + server.process.stdout;
    expect(said).toContain('publish.refused');
    for (const secret of server.secrets) expect(said).not.toContain(secret.slice(13)); // what follows the public id
  });
});
