// The PROXY protocol as a weapon: whoever is no trusted proxy is not believed, and what a trusted one passes on or
// garbles costs a connection and nothing else. Beside it an encoder publishes through the proxy. HAProxy's
// specification 2.1, 2.2.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/stream-key-format.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Attacker } from '../support/attacker.ts';
import { ClientScript } from '../support/client-script.ts';
import { Encoder } from '../support/encoder.ts';
import { eventually } from '../support/eventually.ts';
import { ascii, filled, joined } from '../support/hostile-bytes.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds. */
const deadline = 1500;
const tolerance = 2500;
const settings = {
  trustedProxies: ['127.5.0.0/16'],
  'limits.handshakeTimeout': `${deadline}ms`,
  'limits.commandTimeout': '2s',
};

let appliance: TestAppliance;
let bystander: Encoder;
const frames = syntheticFrames('proxy', 1);
let sent = 0;
let last = 0;
const newProxy = () => `127.5.0.${++last}`;
const newStranger = () => `127.6.0.${++last}`;
/** What the header says, each only once, so that the log tells of one connection. */
const newSource = () => `203.0.113.${++last}`;

const version1 = (source: string, port: number | string = 50_122) =>
  ascii(`PROXY TCP4 ${source} 192.0.2.1 ${port} 1935\r\n`);

interface Version2 {
  readonly source?: string;
  /** Version and command. */
  readonly command?: number;
  readonly family?: number;
  readonly more?: Uint8Array;
  /** What the header says of its own length; the truth unless told. */
  readonly length?: number;
}

function version2({
  source = '192.0.2.9',
  command = 0x21,
  family = 0x11,
  more,
  length,
}: Version2): Uint8Array {
  const addresses = joined(
    Uint8Array.from(source.split('.'), Number),
    Uint8Array.of(192, 0, 2, 1, 0xc3, 0xca, 7, 0x8f),
    more ?? new Uint8Array(0),
  );
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex');
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(length ?? addresses.length, 14);
  return joined(head, addresses);
}

/** C0, C1 and a C2, a connect, and the wish to play, which is refused in words: the end of an honest session. */
const session = () =>
  new ClientScript().handshake().connect().createStream().command(4, 1, 0, 'play', 5, null, 'x').take();

const linesOf = (address: string) =>
  appliance.log
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['peer'] === address);
const eventsOf = (address: string) => [...new Set(linesOf(address).map(({ event }) => event))];

/** Sends it all, waits for the end, and answers how long that took (ms). */
async function send(address: string, ...pieces: readonly Uint8Array[]): Promise<number> {
  return new Attacker({ port: appliance.port, address }).send(...pieces).closed;
}

beforeAll(async () => {
  appliance = await TestAppliance.start(settings, temporaryFolder(afterAll));
  const { key } = await appliance.createKey('live/behind-a-proxy');
  bystander = new Encoder({
    port: appliance.port,
    name: key,
    localAddress: '127.5.1.1',
    preamble: version1('198.51.100.200'),
  });
  await bystander.published;
});
afterAll(() => appliance.stop());

/** A frame for each test. */
async function play(): Promise<void> {
  const frame = frames[sent];
  if (frame === undefined) return;
  sent += 1;
  await bystander.send(frame.type, frame.timestamp, frame.payload);
}

describe('who is no trusted proxy', () => {
  it('is not believed in version 2', async () => {
    const [address, source] = [newStranger(), newSource()];
    expect(await send(address, version2({ source }), session())).toBeLessThan(tolerance);
    expect(eventsOf(address)).toEqual(['connection.garbled']);
    expect(linesOf(source)).toEqual([]);
    await play();
  });

  it('is not believed in version 1, which is no HTTP either', async () => {
    const [address, source] = [newStranger(), newSource()];
    const attacker = new Attacker({ port: appliance.port, address }).send(version1(source), session());
    expect(await attacker.closed).toBeLessThan(2 * tolerance);
    expect(Buffer.concat(attacker.received).toString('latin1')).toMatch(/^(?:HTTP\/1\.1 4\d\d .*)?/);
    expect(linesOf(source)).toEqual([]);
    expect(appliance.log.join('')).not.toContain(source);
    await play();
  });

  it('is not believed inside TLS, nor is a proxy there', async () => {
    for (const address of [newStranger(), newProxy()]) {
      const source = newSource();
      const preamble = address.startsWith('127.5.') ? version1(newSource()) : new Uint8Array(0);
      const plain = connect({ port: appliance.port, host: '127.0.0.1', localAddress: address });
      plain.on('error', () => undefined);
      plain.write(preamble);
      const secure = connectTls({
        socket: plain,
        ca: readFileSync(appliance.caFile),
        servername: 'localhost',
      });
      secure.on('error', () => undefined);
      const ended = new Promise((resolve) => secure.once('close', resolve));
      secure.write(joined(version2({ source }), session()));
      await ended;
      expect(linesOf(source)).toEqual([]);
    }
    await play();
  });
});

describe('from a trusted proxy', () => {
  it.each([
    ['version 1', (source: string) => version1(source)],
    ['version 2', (source: string) => version2({ source })],
    [
      'version 2 with TLVs that are garbage',
      (source: string) =>
        version2({ source, more: joined(Uint8Array.of(0x20, 0xff, 0xff), filled(1800, 0xff)) }),
    ],
    ['version 2 over UDP, as it says', (source: string) => version2({ source, family: 0x12 })],
  ])('%s, byte by byte, then a session: the told address has it', async (_, header) => {
    const source = newSource();
    const attacker = new Attacker({ port: appliance.port, address: newProxy() });
    await attacker.opened();
    for (const byte of header(source)) {
      attacker.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    attacker.send(session());
    await attacker.closed;
    expect(eventsOf(source)).toContain('session.opened');
    expect(linesOf(source).map(({ code }) => code)).toContain('PLAYING_UNSUPPORTED');
    await play();
  });

  it.each([
    ['LOCAL', () => version2({ command: 0x20 })],
    ['LOCAL with nothing', () => version2({ command: 0x20, family: 0, length: 0 }).subarray(0, 16)],
    ['no family', () => version2({ family: 0 })],
    ['UNKNOWN', () => ascii('PROXY UNKNOWN\r\n')],
    ['UNKNOWN with all 107 bytes', () => ascii(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`)],
  ])('%s: the proxy speaks for itself', async (_, header) => {
    const address = newProxy();
    await send(address, header(), session());
    expect(linesOf(address).map(({ code }) => code)).toContain('PLAYING_UNSUPPORTED');
    await play();
  });

  it.each([
    ['a line of 108 bytes', () => ascii(`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`)],
    ['a line without an end', () => joined(ascii('PROXY TCP4 '), filled(200, 0x31))],
    ['a line that ends in a bare line feed', () => ascii('PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n')],
    ['a port above 65,535', () => version1('192.0.2.7', 65_536)],
    ['a port with a sign', () => version1('192.0.2.7', '-1')],
    ['an address in octal', () => version1('0300.0.2.7')],
    ['an address of the other family', () => version1('2001:db8::1')],
    ['a name for an address', () => version1('localhost')],
    ['a forged log line for an address', () => version1('192.0.2.7"}\u0000{"event":"forged.line')],
    ['an escape sequence for an address', () => version1('\u001b[2J')],
    ['two spaces', () => ascii('PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n')],
    ['a field too many', () => ascii('PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n')],
    ['small letters', () => ascii('proxy tcp4 192.0.2.7 192.0.2.1 1 2\r\n')],
    ['version 3 of the second form', () => version2({ command: 0x31 })],
    ['a command nobody knows', () => version2({ command: 0x2f })],
    ['a length too short for its addresses', () => version2({ length: 11 })],
    ['a length of 64 KiB', () => joined(version2({ length: 0xffff }), filled(65_535))],
    ['IPv6 in the length of IPv4', () => version2({ family: 0x21 })],
    ['a signature with one byte wrong', () => version2({}).with(5, 1)],
    ['no header, but a C0 and a C1', () => session()],
    ['no header, but TLS', () => Uint8Array.of(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0)],
    ['no header, but HTTP', () => ascii('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ])('%s: closed at once', async (_, header) => {
    const address = newProxy();
    expect(await send(address, header(), session())).toBeLessThan(deadline);
    expect(eventsOf(address)).toEqual(['proxy.garbled']);
    expect(appliance.log.join('')).not.toMatch(/"event":"forged.line"|\u001b/);
    await play();
  });

  it.each([
    ['nothing at all', () => new Uint8Array(0)],
    ['half a header of version 1', () => ascii('PROXY TCP4 192.0.2.7')],
    ['half a header of version 2', () => version2({}).subarray(0, 20)],
    ['less than its length says', () => version2({ length: 2000 })],
  ])('%s, and then silence: closed at the deadline', async (_, header) => {
    const address = newProxy();
    const lasted = await send(address, header());
    expect(lasted).toBeGreaterThan(deadline - 100);
    expect(lasted).toBeLessThan(deadline + tolerance);
    expect(linesOf(address).map(({ code }) => code)).toEqual(['HANDSHAKE_TIMEOUT']);
  });

  it('a whole header and then silence: closed at the deadline', async () => {
    const [address, source] = [newProxy(), newSource()];
    const lasted = await send(address, version1(source));
    expect(lasted).toBeGreaterThan(deadline - 100);
    expect(lasted).toBeLessThan(deadline + tolerance);
    expect(JSON.stringify([linesOf(address), linesOf(source)])).toContain('HANDSHAKE_TIMEOUT');
  });

  it('a header that drips: closed at the deadline', async () => {
    const attacker = new Attacker({ port: appliance.port, address: newProxy() });
    expect(await attacker.drip(version1(newSource()).subarray(0, 20), 100)).toBeLessThan(
      deadline + tolerance,
    );
  });

  it.each([
    ['of version 1', version1],
    ['of version 2', (source: string) => version2({ source })],
  ])('a second header %s is no header', async (_, header) => {
    const [first, second] = [newSource(), newSource()];
    await send(newProxy(), header(first), header(second), session());
    expect(linesOf(second)).toEqual([]);
    expect(eventsOf(first)).not.toContain('session.opened');
    await play();
  });

  it('a length that swallows the beginning of the session: what is left is no session', async () => {
    const source = newSource();
    await send(newProxy(), version2({ source, length: 12 + 7 }), session());
    expect(eventsOf(source)).not.toContain('session.opened');
    await play();
  });

  it('10,000 headers in one connection', async () => {
    const [first, others] = [newSource(), newSource()];
    const flood = joined(
      version2({ source: first }),
      ...Array.from({ length: 10_000 }, () => version2({ source: others })),
    );
    expect(await send(newProxy(), flood)).toBeLessThan(deadline);
    expect(linesOf(others)).toEqual([]);
    await play();
  });

  it('500 connections of 500 addresses, and one address that comes 100 times', async () => {
    const proxy = newProxy();
    const crowd = Array.from({ length: 500 }, (_, at) => {
      const attacker = new Attacker({ port: appliance.port, address: proxy });
      return attacker.send(version1(`198.18.${at >> 8}.${at & 0xff}`), Uint8Array.of(3));
    });
    await Promise.all(crowd.map((one) => one.opened()));
    const greedy = newSource();
    const many = Array.from({ length: 100 }, () =>
      new Attacker({ port: appliance.port, address: proxy }).send(version1(greedy), Uint8Array.of(3)),
    );
    await Promise.all([...crowd, ...many].map((one) => one.closed));
    expect(linesOf(greedy).filter(({ event }) => event === 'session.opened').length).toBe(64);
    expect(linesOf(greedy).map(({ code }) => code)).toContain('TOO_MANY_CONNECTIONS');
    expect(linesOf('198.18.1.243').map(({ event }) => event)).toContain('session.opened');
    await play();
  });

  it('an address is the same one in its IPv6 dress: guesses add up', async () => {
    const source = newSource();
    const random = seededRandom('proxy guesses');
    const guess = (told: Uint8Array) => {
      const name = generateKey('psk', random).secret.reveal();
      return new Encoder({ port: appliance.port, name, localAddress: newProxy(), preamble: told }).ended;
    };
    const dressed = ascii(`PROXY TCP6 ::ffff:${source} ::1 50122 1935\r\n`);
    await Promise.all(
      Array.from({ length: 12 }, (_, at) => guess(at % 2 === 0 ? version1(source) : dressed)),
    );
    const locked = await eventually('the lockout', async () => appliance.logged('address.locked-out')[0]);
    expect(locked).toMatchObject({ address: source });
    for (const told of [version1(source), dressed]) expect(await guess(told)).toBeUndefined(); // not even heard
  });
});

describe('when it is over', () => {
  it('the publisher behind the proxy recorded every frame, and nothing was a mistake of ours', async () => {
    while (sent < frames.length) await play();
    await bystander.finish();
    const { entry, path } = await appliance.finishedRecording('live/behind-a-proxy');
    expect(entry.state).toBe('complete');
    expect(firstDifference(frames, framesIn(path))).toBeUndefined();
    const lines = appliance.log.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter((line) => line['bug'] === true || line['level'] === 'error')).toEqual([]);
    await eventually('the last session to end', async () =>
      appliance.logged('session.opened').length === appliance.logged('session.closed').length
        ? true
        : undefined,
    );
  });
});
