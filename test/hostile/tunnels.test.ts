// What can be done to RTMPT by whoever speaks HTTP: to strangers' tunnels, to the order of requests, to lengths and
// headers, slowly, often, and all at once. Beside it two encoders publish, one through RTMPS and one through RTMPT;
// what they record is exact, and nothing is left when it is over. RTMPE 4.3, RFC 9112, CWE-444.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Attacker } from '../support/attacker.ts';
import { ClientScript } from '../support/client-script.ts';
import { Encoder } from '../support/encoder.ts';
import { eventually } from '../support/eventually.ts';
import { filled, joined } from '../support/hostile-bytes.ts';
import { firstDifference, type Frame, framesIn, syntheticFrames } from '../support/media.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type HttpAnswer, HttpConnection, TunnelEncoder } from '../support/tunnel-encoder.ts';

const connectionsPerAddress = 64;
/** Bytes that the server keeps of one byte that came alone; a Buffer of its own would be several times as much. */
const mostForOneByte = 150;
const settings = {
  listeners: [{ address: '127.0.0.1:0', accept: ['rtmps', 'rtmpt', 'rtmpts', 'rtmpte'] }],
  'limits.handshakeTimeout': '2s',
  'limits.commandTimeout': '8s', // longer than a gap may last
  'limits.connectionsPerAddress': connectionsPerAddress,
  'recorder.reconnectWindow': '0', // who is lost is not waited for
};

let appliance: TestAppliance;
let victim: TunnelEncoder;
let base: Record<string, number>;
const victimAddress = '127.4.0.1';
const bystanders: {
  stream: string;
  sent: number;
  frames: readonly Frame[];
  finish: () => Promise<unknown>;
}[] = [];
const over = new AbortController();
let playing: Promise<unknown>;
/** Those that take as long as a deadline lasts: they run beside everything else. */
let slow: Record<'headers' | 'body', Promise<number>>;

let lastAddress = 0;
const newAddress = () => `127.4.1.${++lastAddress}`;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Sockets and timers of this process, the appliance's and the tests' alike. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

beforeAll(async () => {
  appliance = await TestAppliance.start(settings, temporaryFolder(afterAll));
  const keys = [
    await appliance.createKey('live/through-tls'),
    await appliance.createKey('live/through-tunnel'),
  ];
  await pause(300);
  base = resources();
  const { port } = appliance;
  const tls = { ca: readFileSync(appliance.caFile), servername: 'localhost' };
  const encoder = new Encoder({ port, name: keys[0]!.key, localAddress: '127.4.0.2', tls });
  await encoder.published;
  victim = new TunnelEncoder({ port, name: keys[1]!.key, localAddress: victimAddress });
  await victim.publish();
  bystanders.push(
    {
      stream: 'live/through-tls',
      sent: 0,
      frames: syntheticFrames('tls', 90, 1500),
      finish: () => encoder.finish(),
    },
    {
      stream: 'live/through-tunnel',
      sent: 0,
      frames: syntheticFrames('tunnel', 90, 1500),
      finish: () => victim.close(),
    },
  );
  playing = Promise.all([
    play(bystanders[0]!, ({ type, timestamp, payload }) => encoder.send(type, timestamp, payload)),
    play(bystanders[1]!, async ({ type, timestamp, payload }) => {
      victim.client.sendTag(type, timestamp, payload);
      const { status } = await victim.exchange();
      if (status !== 200) throw new Error(`the bystander was answered ${status}`);
    }),
  ]);
  playing.catch(() => undefined); // the last test looks at it
  const dripping = (head: string) => {
    const attacker = new Attacker({ port, address: newAddress() });
    return attacker.send(head).drip(filled(2000, 0x61), 250);
  };
  slow = {
    headers: dripping('POST /open/1 HTTP/1.1\r\nX-Drip: '),
    body: dripping('POST /open/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n'),
  };
}, 60_000);

afterAll(async () => {
  over.abort();
  await appliance.stop();
});

async function play(
  one: (typeof bystanders)[number],
  send: (frame: Frame) => Promise<unknown>,
): Promise<void> {
  const began = performance.now();
  while (!over.signal.aborted && one.sent < one.frames.length) {
    const frame = one.frames[one.sent];
    if (frame === undefined || frame.timestamp > performance.now() - began) await pause(10);
    else {
      one.sent += 1;
      await send(frame);
    }
  }
}

const request = (line: string, headers: readonly string[], body: Uint8Array | string = '') =>
  joined(Buffer.from(`${[line, 'Host: x', ...headers].join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body));
const post = (path: string, body: Uint8Array | string = '\0') =>
  request(`POST ${path} HTTP/1.1`, [`Content-Length: ${Buffer.from(body).length}`], body);

/** Sends bytes and answers what came back until the server hung up, or for as long as `patience` (ms). */
async function raw(bytes: Uint8Array, address = newAddress(), patience = 8000, port = appliance.port) {
  const attacker = new Attacker({ port, address });
  attacker.send(bytes);
  const timer = setTimeout(() => attacker.socket.destroy(new Error('patience')), patience);
  let late = false;
  attacker.socket.on('error', (error) => (late = error.message === 'patience'));
  await attacker.closed;
  clearTimeout(timer);
  const text = Buffer.concat(attacker.received).toString('latin1');
  return {
    statuses: [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)),
    text,
    late,
  };
}

/** A tunnel that a stranger opened. */
async function tunnel(address = newAddress()) {
  const http = new HttpConnection({ port: appliance.port, localAddress: address });
  await http.opened;
  const answer = await http.post('/open/1', Buffer.of(0));
  const id = answer.body.toString('latin1').trim();
  const ask = (
    verb: string,
    sequence: number | string,
    body: Uint8Array = Buffer.of(0),
  ): Promise<HttpAnswer> => http.post(`/${verb}/${id}/${sequence}`, body);
  return { id, http, ask, address, status: answer.status };
}

const hello = joined(Uint8Array.of(3), filled(1536));
const statusOf = async (answer: Promise<HttpAnswer>) =>
  (await answer.catch(() => undefined))?.status ?? 'closed';

describe("a stranger's tunnel", () => {
  afterEach(() => {
    if (toldOf(victimAddress).length > 0) throw new Error('its owner was not left alone');
  });

  it.each(['send', 'idle', 'close'])('%s from another address: no such tunnel', async (verb) => {
    const address = newAddress();
    for (const ahead of [-1, 0, 1, 2]) {
      const path = `/${verb}/${victim.id}/${victim.sequence + ahead}`;
      expect((await raw(post(path), address)).statuses).toEqual([404]);
    }
  });

  it('nor from its own address, by another door', async () => {
    const tls = { ca: readFileSync(appliance.caFile), servername: 'localhost' };
    const http = new HttpConnection({ port: appliance.port, localAddress: victimAddress, tls });
    await http.opened;
    const answer = await http.post(`/close/${victim.id}/${victim.sequence}`, Buffer.of(0));
    expect(answer.status).toBe(404);
  });

  it('is not found by guessing, even from its own address', async () => {
    const other = (victim.id.endsWith('A') ? 'B' : 'A') + victim.id.slice(1);
    const near = [
      victim.id.slice(0, -1),
      `${victim.id}A`,
      victim.id.toUpperCase(),
      victim.id.toLowerCase(),
      Array.from(victim.id).toReversed().join(''),
      other,
    ];
    const guesses = Array.from({ length: 500 }, () => randomBytes(16).toString('base64url'));
    for (const id of [...near.filter((id) => id !== victim.id), ...guesses]) {
      const { statuses } = await raw(post(`/close/${id}/${victim.sequence}`), victimAddress);
      expect(statuses).toEqual([404]);
    }
  });

  it('has a name that nobody guesses: 128 bits, never twice', async () => {
    const ids = new Set<string>();
    for (let count = 0; count < 20; count += 1) {
      const { id, ask, http } = await tunnel();
      expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
      ids.add(id);
      await ask('close', 0);
      http.socket.destroy();
    }
    expect(ids.size).toBe(20);
  });
});

describe('the order of requests', () => {
  it('a replay hears the same again and changes nothing', async () => {
    const { ask, http } = await tunnel();
    const first = await ask('send', 0, hello);
    expect(first.body.length).toBe(1 + 3073);
    for (let again = 0; again < 20; again += 1) {
      // The body of a repeat does not count, whatever it is.
      expect((await ask('send', 0, again % 2 === 0 ? hello : filled(100))).body).toEqual(first.body);
    }
    expect((await ask('send', 1, filled(1536))).status).toBe(200);
    http.socket.destroy();
  });

  it('two connections race for one sequence: one body counts, both hear the same', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id, http, ask, address } = await tunnel();
      const other = new HttpConnection({ port: appliance.port, localAddress: address });
      await other.opened;
      const path = `/send/${id}/0`;
      const answers = await Promise.all([http.post(path, hello), other.post(path, hello)]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(answers[0].body).toEqual(answers[1].body);
      expect(answers[0].body.length).toBe(1 + 3073); // the handshake was answered once
      expect((await ask('close', 1)).status).toBe(200);
      for (const { socket } of [http, other]) socket.destroy();
    }
  });

  it.each([
    ['far ahead', [tunnelLimits.heldAhead + 1]],
    ['as far as digits go', [9_999_999_999]],
    ['backwards', [0, 1, 2, 0]],
    ['from the middle', [500]],
  ])('a sequence %s ends the tunnel', async (_, sequences) => {
    const { ask, http, address } = await tunnel();
    const statuses = [];
    for (const sequence of sequences) statuses.push(await statusOf(ask('idle', sequence)));
    expect(statuses.at(-1)).toBe(404);
    http.socket.destroy();
    expect(toldOf(address)).toContain('TUNNEL_OUT_OF_ORDER');
  });

  it.each(['-1', '1e3', '0x1', '1.0', '12345678901', '', '1/2', '%31', '1?', ' 1', '１'])(
    'a sequence that is none: "%s"',
    async (sequence) => {
      const { id, http, address } = await tunnel();
      const { statuses } = await raw(post(`/idle/${id}/${sequence}`), address);
      expect(statuses).toEqual([400]);
      http.socket.destroy();
    },
  );

  it('a gap that is never filled ends the tunnel, and its requests are answered', async () => {
    const { ask, http, address } = await tunnel();
    await ask('send', 0, joined(hello, filled(1536)));
    const waiting = [2, 3, 4].map((sequence) => statusOf(ask('send', sequence, filled(100))));
    expect(await Promise.all(waiting)).toEqual([404, 'closed', 'closed']);
    http.socket.destroy();
    expect(toldOf(address)).toContain('TUNNEL_OUT_OF_ORDER');
  });

  it('more than a stranger may leave waiting ends the tunnel', async () => {
    const { ask, http, address } = await tunnel();
    await ask('send', 0, hello);
    const waiting = [2, 3, 4].map((sequence) => statusOf(ask('send', sequence, filled(60_000))));
    expect(await waiting[0]).toBe(404);
    http.socket.destroy();
    expect(toldOf(address)).toContain('TUNNEL_OUT_OF_ORDER');
  });
});

describe('lengths', () => {
  it.each([
    ['none', [], '', 411],
    ['chunked', ['Transfer-Encoding: chunked'], '4\r\nabcd\r\n0\r\n\r\n', 411],
    ['above 64 KiB, for a stranger', ['Content-Length: 65537'], '', 413],
    ['above 1 MiB', [`Content-Length: ${1024 * 1024 + 1}`], '', 413],
    ['of a planet', ['Content-Length: 999999999999999'], '', 413],
  ])('%s', async (_, headers, body, status) => {
    const { id, http, address } = await tunnel();
    for (const path of ['/open/1', `/send/${id}/0`]) {
      const { statuses, late } = await raw(request(`POST ${path} HTTP/1.1`, headers, body), address);
      expect(statuses).toEqual([status]);
      expect(late).toBe(false); // the server hung up: it does not wait for what it does not want
    }
    http.socket.destroy();
  });

  it('more than was promised: the rest is a request of its own, and none', async () => {
    const { id, http, address } = await tunnel();
    const bytes = request(
      `POST /send/${id}/0 HTTP/1.1`,
      ['Content-Length: 1537'],
      joined(hello, filled(50, 0x7a)),
    );
    const { statuses, late } = await raw(bytes, address);
    expect(statuses.at(-1)).toBe(400);
    expect(late).toBe(false);
    http.socket.destroy();
  });

  it('less than was promised, and then the end: the tunnel hears nothing of it', async () => {
    const { id, http, address, ask } = await tunnel();
    const attacker = new Attacker({ port: appliance.port, address });
    attacker.send(request(`POST /send/${id}/0 HTTP/1.1`, ['Content-Length: 1537'], hello.subarray(0, 700)));
    await pause(100);
    attacker.reset();
    await attacker.closed;
    expect((await ask('send', 0, hello)).body.length).toBe(1 + 3073);
    http.socket.destroy();
  });
});

describe('two readings of one request', () => {
  const smuggled = 'POST /open/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n\0';
  it.each([
    ['Transfer-Encoding and Content-Length', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['the same, the other way round', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['two lengths', ['Content-Length: 1', 'Content-Length: 60']],
    ['two lengths that agree', ['Content-Length: 1', 'Content-Length: 1']],
    ['a list of lengths', ['Content-Length: 1, 60']],
    ['a length with a sign', ['Content-Length: +1']],
    ['a length in hex', ['Content-Length: 0x1']],
    ['a negative length', ['Content-Length: -1']],
    ['a length with a space in it', ['Content-Length: 1 0']],
    ['a length that wraps', ['Content-Length: 18446744073709551617']],
    ['an encoding nobody knows', ['Transfer-Encoding: xchunked']],
    ['an encoding that ends in another', ['Transfer-Encoding: chunked, identity']],
    ['an encoding behind a tab', ['Transfer-Encoding:\tchunked', 'Content-Length: 1']],
    ['a space in front of the colon', ['Content-Length : 1']],
    ['a header folded over two lines', ['X: a\r\n b', 'Content-Length: 1\r\n 2']],
    ['a bare line feed', ['X: a\nContent-Length: 1']],
    ['a bare carriage return', ['X: a\rContent-Length: 1']],
    ['a NUL', ['X: a\0b', 'Content-Length: 1']],
  ])('%s is no request at all', async (_, headers) => {
    const { statuses, text, late } = await raw(request('POST /open/1 HTTP/1.1', headers, `\0${smuggled}`));
    expect(late).toBe(false);
    expect(statuses.length).toBe(1);
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    expect(text).not.toMatch(/^[A-Za-z0-9_-]{22}$/m); // no tunnel was opened, by neither reading
  });
});

describe('requests of other kinds', () => {
  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND'])('%s', async (method) => {
    const { text } = await raw(
      request(`${method} /open/1 HTTP/1.1`, ['Content-Length: 1', 'Connection: close'], '\0'),
    );
    expect(text).toMatch(/^HTTP\/1\.1 (?:4\d\d|501)/);
    expect(text).not.toMatch(/^[A-Za-z0-9_-]{22}$/m);
  });

  it('CONNECT leads nowhere', async () => {
    const { text, late } = await raw(request('CONNECT 127.0.0.1:22 HTTP/1.1', []));
    expect([late, text]).toEqual([false, '']);
  });

  it('an upgrade is not made', async () => {
    const headers = ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 1'];
    const address = newAddress();
    const attacker = new Attacker({ port: appliance.port, address });
    attacker.send(request('POST /open/1 HTTP/1.1', headers, '\0'));
    await attacker.answered(20);
    expect(Buffer.concat(attacker.received).toString('latin1')).toMatch(/^HTTP\/1\.1 (?:200|4\d\d)/);
    attacker.socket.destroy();
  });

  it('HTTP/1.0 gets its tunnel, and the end of the connection', async () => {
    const { statuses, text, late } = await raw(request('POST /open/1 HTTP/1.0', ['Content-Length: 1'], '\0'));
    expect([statuses, late]).toEqual([[200], false]);
    expect(text).toMatch(/\r\n\r\n[A-Za-z0-9_-]{22}\n$/);
  });

  it('whatever is expected, what is too large is refused, and what nobody knows', async () => {
    const headers = ['Expect: 100-continue', `Content-Length: ${1024 * 1024 + 1}`];
    const { statuses, late } = await raw(request('POST /open/1 HTTP/1.1', headers));
    expect([statuses.at(-1), late]).toEqual([413, false]);
    const other = await raw(
      request('POST /open/1 HTTP/1.1', ['Expect: a miracle', 'Content-Length: 1'], '\0'),
    );
    expect(other.statuses[0]).toBe(417);
  });

  it.each([
    ['one header of 9 KiB', [`X: ${'a'.repeat(9 * 1024)}`]],
    ['a thousand headers', Array.from({ length: 1000 }, (_, at) => `X${at}: aaaa`)],
  ])('%s', async (_, headers) => {
    const { statuses, late } = await raw(
      request('POST /open/1 HTTP/1.1', [...headers, 'Content-Length: 1'], '\0'),
    );
    expect([statuses, late]).toEqual([[431], false]);
  });

  it('a path of 9 KiB', async () => {
    const { statuses } = await raw(post(`/open/${'1'.repeat(9 * 1024)}`));
    expect(statuses).toEqual([431]);
  });

  it('something else than RTMP inside a tunnel', async () => {
    const { ask, http, address } = await tunnel();
    expect(await statusOf(ask('send', 0, Buffer.from('GET / HTTP/1.1\r\n\r\n')))).toBe(404);
    http.socket.destroy();
    expect(toldOf(address)).toContain('PROTOCOL_UNKNOWN');
  });
});

describe('much of it', () => {
  it(`tunnels: no more than ${connectionsPerAddress} of one address, and as many again when they are gone`, async () => {
    const address = newAddress();
    const wave = async () => {
      const http = new HttpConnection({ port: appliance.port, localAddress: address });
      await http.opened;
      const statuses: (number | string)[] = [];
      for (let at = 0; at < 100; at += 1) {
        const status = await statusOf(http.post('/open/1', Buffer.of(0)));
        statuses.push(status);
        if (status === 'closed') break;
      }
      http.socket.destroy();
      return statuses.filter((status) => status === 200).length;
    };
    expect(await wave()).toBe(connectionsPerAddress);
    expect(await wave()).toBe(0);
    const later = await eventually('the first tunnels to end', async () => {
      const { status, ask, http } = await tunnel(address);
      if (status === 200) await ask('close', 0);
      http.socket.destroy();
      return status === 200 ? true : undefined;
    });
    expect(later).toBe(true);
    await pause(2500); // the deadline of those that still count
    expect(await wave()).toBe(connectionsPerAddress);
  });

  it('5,000 polls in a row, all sent at once, are answered in order', async () => {
    const { ask, http } = await tunnel();
    await ask('send', 0, joined(hello, filled(1536)));
    const answers = await Promise.all(Array.from({ length: 5000 }, (_, at) => statusOf(ask('idle', at + 1))));
    expect(answers.findIndex((status) => status !== 200)).toBe(-1);
    http.socket.destroy();
  });

  it('who waits for each answer polls five times a second', async () => {
    const { ask, http } = await tunnel();
    await ask('send', 0, joined(hello, filled(1536)));
    const began = performance.now();
    for (let sequence = 1; sequence <= 6; sequence += 1) await ask('idle', sequence);
    expect(performance.now() - began).toBeGreaterThan(5 * tunnelLimits.pollTime);
    http.socket.destroy();
  });

  it('answers that nobody reads cost the server little', async () => {
    const { id, http, ask, address } = await tunnel();
    await ask('send', 0, hello);
    const attacker = new Attacker({ port: appliance.port, address, reads: false });
    const before = process.memoryUsage();
    // Each asks again for 3 KB: 960 MB in all, if it were all made.
    const repeats = joined(...Array.from({ length: 500 }, () => post(`/send/${id}/0`)));
    for (let burst = 0; burst < 600; burst += 1) attacker.send(repeats);
    await pause(1500);
    const after = process.memoryUsage();
    const waits = attacker.socket.writableLength; // what the server has not read yet is ours
    expect(waits).toBeGreaterThan(0);
    expect((after.rss - before.rss) / 1024 / 1024).toBeLessThan(48);
    attacker.socket.destroy();
    http.socket.destroy();
  });

  it('a body that drips in costs what it has bytes, not what it has pieces', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const used = () => {
      for (let round = 0; round < 3; round += 1) gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const pieces = 10_000;
    const attacker = new Attacker({ port: appliance.port, address: newAddress() });
    await attacker.sent(request('POST /open/1 HTTP/1.1', [`Content-Length: ${pieces + 1}`]));
    const before = used();
    for (let at = 0; at < pieces; at += 1) {
      attacker.send(Uint8Array.of(0));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await pause(50);
    expect((used() - before) / pieces).toBeLessThan(mostForOneByte);
    attacker.send(Uint8Array.of(0));
    await attacker.answered(80);
    expect(Buffer.concat(attacker.received).toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
    attacker.socket.destroy();
  });

  it('pipelined nonsense ends with the first of it', async () => {
    const good = Array.from({ length: 200 }, () => post('/fcs/ident2'));
    const { statuses } = await raw(joined(...good, Buffer.from('NONSENSE\r\n\r\n'), ...good));
    expect(statuses.length).toBeLessThanOrEqual(201);
    expect(statuses.slice(0, 200).every((status) => status === 404)).toBe(true);
  });

  it('a publication that is left in the middle of a frame ends soon, and what came is recorded', async () => {
    const { key } = await appliance.createKey('live/abandoned');
    const frames = syntheticFrames('abandoned', 1);
    const encoder = new TunnelEncoder({ port: appliance.port, name: key, localAddress: newAddress() });
    await encoder.publish();
    for (const frame of frames.slice(0, 40)) {
      encoder.client.sendTag(frame.type, frame.timestamp, frame.payload);
      await encoder.exchange();
    }
    const { path, body } = encoder.prepareFrame(frames[41]!);
    const { socket } = encoder.connection;
    socket.write(request(`POST ${path} HTTP/1.1`, [`Content-Length: ${body.length}`], body.subarray(0, 20)));
    await pause(100);
    socket.resetAndDestroy();
    const { entry, path: file } = await appliance.finishedRecording('live/abandoned');
    expect(entry.state).toBe('complete');
    expect(firstDifference(frames.slice(0, 40), framesIn(file))).toBeUndefined();
  });

  it('a flood of commands through a tunnel is held to the same limits', async () => {
    const { ask, http, address } = await tunnel();
    const script = new ClientScript().handshake().connect();
    for (let id = 2; id < 1500; id += 1) script.command(3, 0, undefined, `call${id}`, id, null);
    const bytes = script.take();
    const statuses = [];
    for (let at = 0, sequence = 0; at < bytes.length; at += 30_000, sequence += 1) {
      statuses.push(await statusOf(ask('send', sequence, bytes.subarray(at, at + 30_000))));
      if (statuses.at(-1) !== 200) break;
    }
    expect(statuses.at(-1)).toBe(404);
    http.socket.destroy();
    expect(toldOf(address)).toContain('TOO_MANY_COMMANDS');
  });
});

describe('when it is over', () => {
  it('who was slow was shown out', async () => {
    expect(await slow.headers).toBeLessThan(15_000);
    expect(await slow.body).toBeLessThan(36_000);
  }, 60_000);

  it('the bystanders recorded every frame', async () => {
    over.abort();
    await playing;
    for (const { stream, sent, frames, finish } of bystanders) {
      await finish();
      const { entry, path } = await appliance.finishedRecording(stream);
      expect(entry.state).toBe('complete');
      expect(sent).toBeGreaterThan(300);
      expect(firstDifference(frames.slice(0, sent), framesIn(path))).toBeUndefined();
    }
  });

  it('every session that was opened is closed, and nothing in the log is a mistake of ours', async () => {
    await eventually('the last session to end', async () =>
      appliance.logged('session.opened').length === appliance.logged('session.closed').length
        ? true
        : undefined,
    );
    const lines = appliance.log.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter((line) => line['bug'] === true || line['level'] === 'error')).toEqual([]);
    const log = appliance.log.join('');
    for (const secret of appliance.secrets) expect(log).not.toContain(secret.slice(13));
    expect(log).not.toContain(victim.id); // who reads the log shall not speak for a publisher
  });

  it('no socket and no timer is left', async () => {
    victim.connection.socket.destroy();
    const left = await eventually('sockets and timers to go', async () => {
      const now = resources();
      const more = Object.entries(now).filter(
        ([name, count]) => /^(?:TCP|TLS|Timeout|HTTP)/.test(name) && count > (base[name] ?? 0),
      );
      return more.length === 0 ? more : undefined;
    }).catch(() => resources());
    expect(left, JSON.stringify(base)).toEqual([]);
  });
});

/** Codes that the log holds of an address. */
function toldOf(address: string): string[] {
  const lines = appliance.log.map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.flatMap((line) => (line['peer'] === address && 'code' in line ? [String(line['code'])] : []));
}
