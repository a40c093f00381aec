// Every door by the same yardstick: who knocks at the wrong one hears of the right one, whichever two they are; a key
// that expires or is revoked ends its session behind each; and each way to show a key leaves the same trace of use.
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TestAppliance, type TestSettings } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { eventually } from '../support/eventually.ts';
import { obsSignIn } from '../support/obs-sign-in.ts';
import { postOnce, TunnelEncoder } from '../support/tunnel-encoder.ts';

const doors = ['rtmp', 'rtmpe', 'rtmps', 'rtmpt', 'rtmpte', 'rtmpts'] as const;
type Door = (typeof doors)[number];
const trusting = { rejectUnauthorized: false };
const optionsOf = (door: Door) => ({
  ...(door.endsWith('s') && { tls: trusting }),
  ...(door.endsWith('e') && { version: 6 as const }),
});

async function started(accept: readonly string[], settings: TestSettings = {}): Promise<TestAppliance> {
  const appliance = await TestAppliance.start({
    listeners: [{ address: '127.0.0.1:0', accept }],
    hosts: ['ingest.example.com'],
    ...settings,
  });
  onTestFinished(() => appliance.stop());
  return appliance;
}

/** What an encoder hears that wants to publish through this door and may not. */
async function refusalAt(door: Door, port: number, name: string): Promise<string> {
  const options = { port, name, ...optionsOf(door) };
  if (!door.startsWith('rtmpt')) return (await new Encoder(options).ended)?.description ?? '';
  const { status, body } = await postOnce(options, '/open/1', Buffer.of(0));
  if (status !== 200) return body.toString();
  const encoder = new TunnelEncoder(options);
  onTestFinished(() => void encoder.connection.socket.destroy());
  return encoder.publish().then(
    () => '',
    (error: unknown) => String(error),
  );
}

/** Publishes, and answers what it hears at the end. */
async function lastWords(door: Door, port: number, name: string): Promise<() => Promise<string>> {
  const options = { port, name, ...optionsOf(door) };
  if (!door.startsWith('rtmpt')) {
    const encoder = new Encoder(options);
    await encoder.published;
    return async () => (await encoder.ended)?.description ?? '';
  }
  const encoder = new TunnelEncoder(options);
  onTestFinished(async () => {
    await encoder.close().catch(() => undefined); // or the appliance waits for its next request
    encoder.connection.socket.destroy();
  });
  await encoder.publish();
  return () =>
    eventually('the last words in the tunnel', async () => {
      await encoder.exchange();
      const last = encoder.events.at(-1);
      return last?.type === 'status' && last.level === 'error' ? last.description : undefined;
    });
}

it.each(doors)('where only %s is open, every other encoder hears so', async (open) => {
  const appliance = await started([open]);
  const { key } = await appliance.createKey('live/camera-1');
  const others = doors.filter((door) => door !== open);
  const heard = await Promise.all(others.map((door) => refusalAt(door, appliance.port, key)));
  const better = `${open}://ingest.example.com`;
  const seenAs = others.map((door) => (door === 'rtmpte' && open !== 'rtmpt' ? 'rtmpt' : door)); // before its C0
  const names: Readonly<Partial<Record<Door, string>>> = {
    rtmp: 'clear-text RTMP',
    rtmpt: 'clear-text RTMPT',
  };
  for (const [index, door] of others.entries()) {
    const seen = seenAs[index] ?? door;
    const name = names[seen] ?? seen.toUpperCase();
    expect([door, heard[index]]).toEqual([
      door,
      expect.stringContaining(`${name} is switched off here; use ${better}`),
    ]);
  }
  expect(appliance.logged('publish.started')).toEqual([]);
  await lastWords(open, appliance.port, key); // and it lets its own in
});

describe('behind every door', () => {
  it('a key that expires, or is revoked, ends its session with the reason', async () => {
    const appliance = await started(doors);
    const made = (door: Door, word: 'expired' | 'revoked') =>
      appliance
        .createKey(`live/${word}-${door}`, word === 'expired' ? { expires: '2500ms' } : {})
        .then(({ key, id }) => ({ key, id, door, word }));
    const sessions = await Promise.all(
      doors.flatMap((door) => [made(door, 'expired'), made(door, 'revoked')]),
    );
    const ends = await Promise.all(sessions.map(({ door, key }) => lastWords(door, appliance.port, key)));
    for (const { id, word } of sessions) if (word === 'revoked') await appliance.setKeyState(id, 'revoke');
    const heard = await Promise.all(ends.map((end) => end()));
    const told = sessions.map(({ door, word }, index) => [door, word, heard[index]]);
    expect(told).toEqual(sessions.map(({ door, word }) => [door, word, expect.stringContaining(word)]));
  });

  it('the last use is known: when, whence, by what, through which door', async () => {
    const appliance = await started(doors);
    const keys = await Promise.all(doors.map((door) => appliance.createKey(`live/${door}`)));
    await Promise.all(keys.map(({ key }, index) => lastWords(doors[index] ?? 'rtmp', appliance.port, key)));
    await appliance.audit(); // by now the uses are written down
    const shown = await Promise.all(keys.map(({ id }) => appliance.showKey(id)));
    expect(shown.map(({ json }) => json)).toMatchObject(
      doors.map((door) => ({
        lastUsedAt: expect.any(String) as string,
        lastUsedFrom: '127.0.0.1',
        lastUsedEncoder: expect.stringContaining('FMLE') as string,
        lastUsedDoor: door,
      })),
    );
  });

  it('and for a key in the query, or as a password, no less', async () => {
    const appliance = await started(['rtmps']);
    const [query, password] = [
      await appliance.createKey('live/query'),
      await appliance.createKey('live/password'),
    ];
    await lastWords('rtmps', appliance.port, `query?key=${query.key}`);
    const ca = readFileSync(appliance.caFile);
    const signIn = { user: 'password', password: password.key, app: 'live/password', key: '' };
    const { encoder } = await obsSignIn({ port: appliance.port, ca, ...signIn });
    onTestFinished(() => void encoder.socket.destroy());
    await appliance.audit();
    for (const { id } of [query, password]) {
      const { json } = await appliance.showKey(id);
      expect(json).toMatchObject({ lastUsedFrom: '127.0.0.1', lastUsedDoor: 'rtmps', lastUsedEncoder: /./ });
    }
  });
});

describe('an allow list behind a proxy', () => {
  it.each([
    ['an IPv4 block', '203.0.113.0/24', 'TCP4 203.0.113.7 192.0.2.1', 'TCP4 198.51.100.7 192.0.2.1'],
    ['an IPv6 block', '2001:db8:1::/48', 'TCP6 2001:db8:1::7 ::1', 'TCP6 2001:db8:2::7 ::1'],
    ['an IPv4 block, told in IPv6 dress', '203.0.113.0/24', 'TCP6 ::ffff:203.0.113.7 ::1', 'TCP6 ::7 ::1'],
  ])('of %s goes by the address that the proxy tells', async (_, allow, good, bad) => {
    const appliance = await started(['rtmp'], { trustedProxies: ['127.0.0.0/8'] });
    const { key } = await appliance.createKey('live/camera-1', { allow: [allow] });
    const { port } = appliance;
    const knock = (told: string) =>
      new Encoder({ port, name: key, preamble: Buffer.from(`PROXY ${told} 50122 1935\r\n`) });
    expect((await knock(bad).ended)?.code).toBe('NetStream.Publish.BadName');
    expect(appliance.logged('publish.refused')).toMatchObject([{ reason: 'address-not-allowed' }]);
    const encoder = knock(good);
    await encoder.published;
    await encoder.finish();
  });
});
