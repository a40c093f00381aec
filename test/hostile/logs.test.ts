// What peers say of themselves ends up in logs and lists. It must not forge a line, move a cursor or turn text round,
// and wherever somebody puts a key by mistake, the log does not repeat it. SECURITY 0 and 3, CWE-117, CWE-532.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { TagType } from '../../src/flv/tag.ts';
import { openLog } from '../../src/ops/log.ts';
import { TestAppliance, type TestKey } from '../support/appliance.ts';
import { Attacker } from '../support/attacker.ts';
import { AnswerReader, ClientScript } from '../support/client-script.ts';
import { Encoder } from '../support/encoder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Each as it might come in: a forged line, a cleared screen, a title, a text turned round, a C1 control, a NUL. */
const forgeries = {
  line: 'x\n{"level":"error","event":"forged.line","bug":true}',
  'carriage return': 'x\r{"level":"error"}',
  'clear screen': '\u001b[2J\u001b[H\u001b[31mgone',
  title: '\u001b]0;owned\u0007',
  'text direction': '\u202egnp.exe\u2066\u2069\u200f',
  'line separator': 'x\u2028{"event":"forged.line"}\u2029',
  'C1 control': 'x\u009b31mred\u0085next',
  NUL: 'x\0y',
  DEL: 'x\u007fy',
} as const;
const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

let appliance: TestAppliance;
let key: TestKey;

beforeAll(async () => {
  appliance = await TestAppliance.start({}, temporaryFolder(afterAll));
  key = await appliance.createKey('live/camera');
});
afterAll(() => appliance.stop());

let lastAddress = 0;
/** A new one each time, so that refusals do not add up to a lockout. */
const newAddress = () => `127.3.0.${++lastAddress}`;

interface Said {
  readonly app?: string;
  readonly tcUrl?: string;
  readonly flashVer?: string;
  readonly name: string;
}

/** Connects and asks to publish with these words, and answers what it was told; ends by itself or by refusal. */
async function say({
  app = 'live',
  tcUrl = 'rtmp://localhost/live',
  flashVer = 'x',
  name,
}: Said): Promise<string> {
  const properties = new AmfObject([
    ['app', app],
    ['tcUrl', tcUrl],
    ['flashVer', flashVer],
    ['swfUrl', name],
    ['pageUrl', name],
  ]);
  const script = new ClientScript()
    .handshake()
    .command(3, 0, 0, 'connect', 1, properties)
    .command(3, 0, undefined, 'releaseStream', 2, null, name)
    .command(3, 0, undefined, 'FCPublish', 3, null, name)
    .command(3, 0, undefined, name, 9, null, name)
    .createStream()
    .publish(1, name)
    .command(3, 0, 0, 'FCUnpublish', 7, null, name)
    .command(3, 0, 0, 'deleteStream', 8, null, 1);
  const attacker = new Attacker({ port: appliance.port, address: newAddress() });
  attacker.send(script.take());
  const timer = setTimeout(() => attacker.socket.end(), 500);
  await attacker.closed;
  clearTimeout(timer);
  const answers = new AnswerReader();
  answers.read(attacker.received);
  return JSON.stringify(answers.answers);
}

/** Publishes and calls itself so, in onMetaData. */
async function publishAs(name: string, encoderName: string): Promise<Encoder> {
  const encoder = new Encoder({ port: appliance.port, name });
  await encoder.published;
  const payload = encodeAmf0(
    '@setDataFrame',
    'onMetaData',
    new AmfObject([['encoder', encoderName]], 'ecma-array'),
  );
  encoder.connection.sendMessage(7, { type: MessageType.DataAmf0, timestamp: 0, streamId: 1, payload });
  await encoder.send(TagType.Audio, 0, Buffer.from('af001190', 'hex'));
  return encoder;
}

function expectSoundLog(): void {
  for (const line of appliance.log) {
    expect(line.endsWith('\n')).toBe(true);
    expect(line.slice(0, -1)).not.toMatch(/\n/);
    expect(line).not.toMatch(raw);
    const fields = JSON.parse(line) as Record<string, unknown>;
    expect(fields['event']).not.toBe('forged.line');
    expect(fields['bug']).toBeUndefined();
    for (const value of Object.values(fields)) expect(String(value)).not.toMatch(raw);
  }
}

describe('forged lines', () => {
  it.each(Object.entries(forgeries))('%s in every field', async (_, forged) => {
    for (const said of [
      { flashVer: forged, name: key.key },
      { app: forged, name: 'camera' },
      { tcUrl: `rtmp://localhost/${forged}`, name: 'camera' },
      { name: forged },
      { name: `camera?${forged}=${forged}` },
      { name: `psk_${forged}` },
    ]) {
      expect(await say(said)).not.toContain(JSON.stringify(forged).slice(1, -1));
    }
    expectSoundLog();
  });

  it('as the names of encoders, in the list of streams', async () => {
    const encoders = await Promise.all(
      Object.values(forgeries).map(async (forged, index) => {
        const { key } = await appliance.createKey(`live/forger-${index}`);
        return publishAs(key, `${forged} as encoder`);
      }),
    );
    const { text } = await listOnce((list) => list.split(' as encoder').length > encoders.length);
    expect(text.split('\n').length).toBe(1 + encoders.length);
    expect(text.replaceAll('\n', '')).not.toMatch(raw);
    await Promise.all(encoders.map((encoder) => encoder.finish()));
    expectSoundLog();
  });

  it.each(Object.entries(forgeries))('%s in the log that people read', (_, forged) => {
    const lines: string[] = [];
    const log = openLog({ level: 'debug', format: 'pretty', write: (line) => void lines.push(line) });
    log.with({ peer: forged }).warn('publish.refused', { reason: forged });
    expect(lines.length).toBe(1);
    const [line = ''] = lines;
    // Its own colours aside, which stand in front of the fields.
    expect(line.slice(line.indexOf('publish.refused'), -1)).not.toMatch(raw);
  });
});

describe('keys in the wrong place', () => {
  const withoutPrefix = 'correct-horse-battery-staple-9481';

  it.each([
    ['the right key', () => key.key],
    ['a mistyped key', () => `${key.key}x`],
    ['a key in capitals', () => key.key.toUpperCase()],
    ['somebody else’s kind of key', () => withoutPrefix],
    ['half a key', () => key.key.slice(0, 30)],
  ])('%s is nowhere in the log, nor in any answer', async (_, made) => {
    const secret = made();
    const places: readonly Said[] = [
      { name: secret },
      { name: `${secret}/${secret}` },
      { name: `camera?key=${secret}` },
      { name: `camera?token=${secret}` },
      { name: 'camera', app: `live/${secret}` },
      { name: 'camera', app: secret },
      { name: 'camera', app: `live?key=${secret}` },
      { name: 'camera', tcUrl: `rtmp://${secret}@localhost/live` },
      { name: 'camera', tcUrl: `rtmp://localhost/live/${secret}` },
      { name: 'camera', tcUrl: `rtmp://localhost/live?key=${secret}` },
      { name: 'camera', flashVer: secret },
      { name: `${secret}\n` },
      { name: `${'x'.repeat(250)}${secret}` },
      { name: `${secret}${'x'.repeat(600)}` },
    ];
    for (const said of places) expect(await say(said)).not.toContain(secret);
    const encoder = await publishAs(key.key, secret);
    await encoder.finish();
    const log = appliance.log.join('');
    expect(log).toContain('publish.refused');
    expect(log.toLowerCase()).not.toContain(secret.toLowerCase());
    expect(log.toLowerCase()).not.toContain(key.key.slice(13));
  });

  it('nor is one that stands across the place where a field is cut', () => {
    const lines: string[] = [];
    const log = openLog({ level: 'debug', format: 'json', write: (line) => void lines.push(line) });
    for (let length = 190; length < 260; length += 1)
      log.info('x.tried', { text: 'y'.repeat(length) + key.key });
    // The id in front may show, what follows it may not.
    expect(lines.join('')).not.toContain(key.key.slice(0, 15));
  });
});

/** `penstock stream list` as soon as it shows what is waited for. */
async function listOnce(ready: (text: string) => boolean) {
  for (let tries = 0; tries < 200; tries += 1) {
    const report = await appliance.streams();
    if (ready(report.text)) return report;
    await new Promise((resolve) => setTimeout(resolve, 50)); // the heartbeat writes it down
  }
  throw new Error('the stream never came into the list');
}
