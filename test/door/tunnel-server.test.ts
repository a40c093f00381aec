// The HTTP side of tunnels, over real sockets; time alone is fake, but for what Node itself measures.
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { doorLimits } from '../../src/door/door-limits.ts';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import { readToEnd } from '../support/loopback.ts';
import { everyDoor, openDoor, type TestDoorOptions } from '../support/open-door.ts';
import { HttpConnection, postOnce } from '../support/tunnel-encoder.ts';

const zero = Buffer.of(0);
const doors = [...everyDoor, 'rtmpt', 'rtmpts', 'rtmpte'];

async function openTunnels(options: TestDoorOptions = {}) {
  const opened = await openDoor({ accept: [doors], ...options });
  const connect = (more: Partial<ConstructorParameters<typeof HttpConnection>[0]> = {}) => {
    const connection = new HttpConnection({ port: opened.ports[0] ?? 0, ...more });
    onTestFinished(() => void connection.socket.destroy());
    return connection;
  };
  /** A tunnel, and the connection that it was opened by. */
  const openTunnel = async () => {
    const connection = connect();
    const { body } = await connection.post('/open/1', zero);
    return { connection, id: body.toString().trim() };
  };
  return { ...opened, connect, openTunnel };
}

describe('answers', () => {
  it('to open: a name nobody guesses, with one line feed, within 63 characters', async () => {
    const { connect } = await openTunnels();
    const [one, two] = [await connect().post('/open/1', zero), await connect().post('/open/1', zero)];
    for (const { body } of [one, two]) expect(body.toString()).toMatch(/^[A-Za-z0-9_-]{22}\n$/);
    expect(one.body).not.toEqual(two.body);
  });

  it('are as short as clients allow, and exactly as they want them', async () => {
    const { openTunnel, arrived } = await openTunnels();
    const { connection, id } = await openTunnel();
    const { head, body } = await connection.post(`/send/${id}/0`, Buffer.of(3, 1));
    expect(head).toBe('HTTP/1.1 200 OK\r\nContent-Type: application/x-fcs\r\nContent-Length: 1');
    expect(body).toEqual(Buffer.of(1));
    expect(arrived[0]?.bytes()).toEqual(Buffer.of(3, 1));
    expect(arrived[0]?.transport).toMatchObject({
      door: 'rtmpt',
      tls: false,
      peer: { address: '127.0.0.1', port: connection.socket.localPort },
    });
  });

  it('to ident: none, and the connection goes on', async () => {
    const { connect } = await openTunnels();
    const connection = connect();
    for (const path of ['/fcs/ident', '/fcs/ident2'])
      expect(await connection.post(path, zero)).toMatchObject({ status: 404, body: Buffer.of() });
    expect((await connection.post('/open/1', zero)).status).toBe(200);
  });

  it('to an HTTP/1.0 client end its connection', async () => {
    const { dial } = await openTunnels();
    const socket = await dial();
    const answer = readToEnd(socket);
    socket.write('POST /open/1 HTTP/1.0\r\nContent-Length: 1\r\n\r\n\0');
    expect((await answer).bytes.toString()).toMatch(/\r\n\r\n[\w-]{22}\n$/);
  });

  it('in pipelines come in the order of the requests', async () => {
    const { openTunnel, arrived } = await openTunnels();
    const { connection, id } = await openTunnel();
    const answers = Array.from({ length: 200 }, (_, sequence) =>
      connection.post(`/send/${id}/${sequence}`, Buffer.of(3 + sequence)),
    );
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
    expect(arrived[0]?.bytes()).toEqual(Buffer.from(answers.map((_, sequence) => 3 + sequence)));
  });

  it('are held back while there is nothing to say', async () => {
    const { clock, openTunnel, arrived } = await openTunnels();
    const { connection, id } = await openTunnel();
    await connection.post(`/send/${id}/0`, Buffer.of(3));
    const timers = clock.timers;
    const asking = connection.post(`/idle/${id}/1`, zero);
    await vi.waitFor(() => expect(clock.timers).toBe(timers + 1));
    arrived[0]?.transport.write([Buffer.from('news')]);
    expect((await asking).body.toString()).toBe('\x01news');
    const again = connection.post(`/idle/${id}/2`, zero);
    await vi.waitFor(() => expect(clock.timers).toBe(timers + 1));
    clock.advance(tunnelLimits.pollTime);
    expect((await again).body).toEqual(Buffer.of(1));
  });
});

describe('refused', () => {
  const cases: readonly [name: string, path: string, headers: string, status: number][] = [
    ['a path that is nearly one', '/send/x/1x', 'Content-Length: 1\r\n', 400],
    ['the path of a tunnel that is not', '/send/AAAAAAAAAAAAAAAAAAAAAA/1', 'Content-Length: 1\r\n', 404],
    ['the name of something every object has', '/idle/constructor/0', 'Content-Length: 1\r\n', 404],
    ['a body without a length', '/open/1', '', 411],
    ['a body in chunks', '/open/1', 'Transfer-Encoding: chunked\r\n', 411],
    ['a body too large', '/open/1', `Content-Length: ${tunnelLimits.bodySizeBeforeAuth + 1}\r\n`, 413],
    ['a body larger than any number', '/open/1', 'Content-Length: 99999999999999999\r\n', 413],
    ['two lengths', '/open/1', 'Content-Length: 1\r\nContent-Length: 2\r\n', 400],
    ['a length and chunks', '/open/1', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', 400],
    ['a length that is none', '/open/1', 'Content-Length: -1\r\n', 400],
    ['headers too large', '/open/1', `X: ${'x'.repeat(doorLimits.httpHeaderSize)}\r\n`, 431],
  ];
  it.each(cases)('%s, before a byte of its body has come; the connection is closed', async (...args) => {
    const [, path, headers, status] = args;
    const { dial, arrived } = await openTunnels();
    const socket = await dial();
    const answer = readToEnd(socket);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
    expect((await answer).bytes.toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(arrived).toEqual([]);
  });

  it('bodies that a known peer may send, until it is known', async () => {
    const { openTunnel, connect, arrived } = await openTunnels();
    const { connection, id } = await openTunnel();
    await connection.post(`/send/${id}/0`, Buffer.of(3));
    const large = Buffer.alloc(tunnelLimits.bodySizeBeforeAuth + 1, 7);
    const early = connect();
    await early.opened;
    expect((await early.post(`/send/${id}/1`, large)).status).toBe(413);
    arrived[0]?.transport.admit();
    expect((await connection.post(`/send/${id}/1`, large)).status).toBe(200);
    expect(arrived[0]?.bytes().length).toBe(1 + large.length);
    const length = `Content-Length: ${tunnelLimits.bodySize + 1}\r\n`;
    expect((await connection.post(`/send/${id}/2`, Buffer.of(), length)).status).toBe(413);
  });

  it('a tunnel from another address, listener or side of TLS, without harm to it', async () => {
    const { openTunnel, ports, certificates } = await openTunnels({ accept: [doors, doors] });
    const { connection, id } = await openTunnel();
    const port = ports[0] ?? 0;
    for (const stranger of [
      { port, localAddress: '127.0.0.2' },
      { port: ports[1] ?? 0 },
      { port, tls: { ca: certificates.ca } },
    ])
      expect((await postOnce(stranger, `/close/${id}/0`, zero)).status).toBe(404);
    expect((await connection.post(`/send/${id}/0`, Buffer.of(3))).status).toBe(200);
  });

  it('more tunnels than an address may have, until one is gone', async () => {
    const { connect, openTunnel, log } = await openTunnels({ limits: { handshakesPerAddress: 3 } });
    const { connection, id } = await openTunnel();
    for (const _ of [1, 2]) expect((await connection.post('/open/1', zero)).status).toBe(200);
    expect((await connection.post('/open/1', zero)).status).toBe(503);
    expect(log.of('connection.refused')).toMatchObject([{ code: 'TOO_MANY_CONNECTIONS' }]);
    const next = connect();
    await next.post(`/close/${id}/0`, zero);
    expect((await next.post('/open/1', zero)).status).toBe(200);
  });

  it('tunnels on a listener without them, in words; what else the listener has is answered as ever', async () => {
    const words = (door: string) => `${door} is switched off here; use rtmps://ingest.example.com/live\n`;
    const { ports, certificates } = await openTunnels({
      accept: [['rtmps', 'https', 'http'], ['rtmps'], ['rtmpte', 'rtmpts']],
    });
    const tls = { ca: certificates.ca };
    const ask = async (listener: number, path: string, inside: boolean) => {
      const port = ports[listener] ?? 0;
      const socket = new HttpConnection({ port, ...(inside && { tls }) }).socket;
      const answer = readToEnd(socket);
      socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\n\0`);
      const [head = '', body = ''] = (await answer).bytes.toString().split('\r\n\r\n');
      return `${head.slice(9, 12)} ${body}`;
    };
    expect(await ask(0, '/open/1', false)).toContain(words('clear-text RTMPT'));
    expect(await ask(0, '/open/1', true)).toContain(words('RTMPTS'));
    expect(await ask(0, '/other', false)).toMatch(/^308/);
    expect(await ask(0, '/other', true)).toContain('POST /other');
    expect(await ask(1, '/open/1', false)).toContain(words('clear-text RTMPT'));
    expect(await ask(1, '/send/x/1', true)).toContain(words('RTMPTS'));
    expect(await ask(1, '/other', false)).toMatch(/^421 clear-text HTTP is switched off here/);
    expect(await ask(2, '/other', false)).toMatch(/^421 clear-text HTTP is switched off here/);
    expect(await ask(2, '/other', true)).toMatch(/^421 HTTPS is switched off here/);
    expect(await ask(2, '/open/1', false)).toMatch(/^200/);
  });
});

describe('a tunnel', () => {
  it('that asks and asks but says nothing is over with the handshake', async () => {
    const { openTunnel, clock, log } = await openTunnels();
    const { connection, id } = await openTunnel();
    const asking = connection.post(`/idle/${id}/0`, zero);
    await vi.waitFor(() => expect(clock.timers).toBeGreaterThan(1));
    clock.advance(10_500);
    await asking;
    expect((await connection.post(`/idle/${id}/1`, zero)).status).toBe(404);
    expect(log.of('tunnel.ended')).toMatchObject([{ code: 'HANDSHAKE_TIMEOUT', peer: '127.0.0.1' }]);
  });

  it('outlives its connection by a grace', async () => {
    const { openTunnel, clock, arrived, connect } = await openTunnels();
    const { connection, id } = await openTunnel();
    await connection.post(`/send/${id}/0`, Buffer.of(3));
    connection.socket.resetAndDestroy();
    clock.advance(tunnelLimits.graceTime - 500);
    expect((await connect().post(`/send/${id}/1`, Buffer.of(4))).status).toBe(200);
    clock.advance(tunnelLimits.graceTime + 500);
    expect(arrived[0]?.ended()).toBe(false);
    expect(arrived[0]?.bytes()).toEqual(Buffer.of(3, 4));
  });

  it('forgets a body that breaks off, and takes it when it comes whole', async () => {
    const { openTunnel, dial, arrived } = await openTunnels();
    const { connection, id } = await openTunnel();
    await connection.post(`/send/${id}/0`, Buffer.of(3));
    const broken = await dial();
    broken.end(`POST /send/${id}/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf`);
    await readToEnd(broken);
    expect((await connection.post(`/send/${id}/1`, Buffer.from('whole'))).status).toBe(200);
    expect(arrived[0]?.bytes().toString()).toBe('\x03whole');
  });

  it('that is not read lets TCP hold its peer back, and loses nothing', async () => {
    const { openTunnel, arrived } = await openTunnels();
    const { connection, id } = await openTunnel();
    await connection.post(`/send/${id}/0`, Buffer.of(3));
    const { transport, bytes } = arrived[0]!;
    transport.admit();
    transport.pause();
    let answered = 0;
    const count = 20_000;
    const size = 700;
    for (let sequence = 1; sequence <= count; sequence++)
      void connection.post(`/send/${id}/${sequence}`, Buffer.alloc(size, sequence)).then(() => answered++);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { writableLength } = connection.socket;
    expect(writableLength).toBeGreaterThan(1024 * 1024); // it is stuck
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([connection.socket.writableLength, bytes().length, answered]).toEqual([writableLength, 1, 0]);
    transport.resume();
    await vi.waitFor(() => expect(answered).toBe(count), 15_000);
    expect(bytes().length).toBe(1 + count * size);
    expect(bytes().subarray(-size)).toEqual(Buffer.alloc(size, count));
  });

  it('is gone with the door', async () => {
    const { openTunnel, door, arrived, clock } = await openTunnels();
    const { connection, id } = await openTunnel();
    await connection.post(`/send/${id}/0`, Buffer.of(3));
    await openTunnel();
    await door.stop();
    expect(arrived[0]?.ended()).toBe(true);
    expect(clock.timers).toBe(0);
  });
});

it('a connection that carries a known tunnel is no stranger', async () => {
  const { openTunnel, arrived, connect } = await openTunnels({ limits: { handshakesPerAddress: 2 } });
  const { connection, id } = await openTunnel();
  await connection.post(`/send/${id}/0`, Buffer.of(3));
  arrived[0]?.transport.admit();
  await connection.post(`/send/${id}/1`, Buffer.of(4));
  for (const one of [connect(), connect()]) expect((await one.post('/fcs/ident2', zero)).status).toBe(404);
});
