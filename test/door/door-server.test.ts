import { once } from 'node:events';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer, Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { doorLimits } from '../../src/door/door-limits.ts';
import { SetupError } from '../../src/errors.ts';
import { readToEnd } from '../support/loopback.ts';
import { buildDoor, everyDoor, openDoor } from '../support/open-door.ts';

const firstOf = <T>(list: readonly T[]) =>
  vi.waitFor(() => {
    expect(list).not.toEqual([]);
    return list[0]!;
  });
const closed = async (socket: Socket) => {
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve)); // by a reset as well
};

/** What an HTTP client without any doubt about the port gets to hear. */
async function httpAnswer(socket: Socket, head: string): Promise<string> {
  const answer = readToEnd(socket);
  socket.write(`${head}\r\nHost: ingest.example.com\r\nConnection: close\r\n\r\n`);
  return (await answer).bytes.toString();
}

describe('the first byte', () => {
  it.each([
    [3, 'rtmp'],
    [6, 'rtmpe'],
    [8, 'rtmpe'],
    [9, 'rtmpe'],
  ])('%i in the clear is %s', async (byte, door) => {
    const { dial, arrived, clock } = await openDoor();
    clock.advance(5);
    const socket = await dial();
    socket.write(Uint8Array.of(byte));
    const { transport, bytes } = await firstOf(arrived);
    expect(transport).toMatchObject({
      door,
      tls: false,
      acceptedAt: 5,
      peer: { address: '127.0.0.1', port: socket.localPort },
    });
    expect(transport.refusal).toBeUndefined();
    socket.write(Buffer.from('and so on'));
    await vi.waitFor(() => expect(bytes().toString('latin1')).toBe(`${String.fromCharCode(byte)}and so on`));
  });

  it.each([[3], [6]])('%i inside TLS is rtmps', async (byte) => {
    const { dialTls, arrived } = await openDoor();
    const socket = await dialTls();
    socket.write(Uint8Array.of(byte, 1, 2, 3));
    const { transport, bytes, ended } = await firstOf(arrived);
    expect(transport).toMatchObject({ door: 'rtmps', tls: true, peer: { port: socket.localPort } });
    transport.write([Buffer.from('answer')]);
    expect(String((await once(socket, 'data'))[0])).toBe('answer');
    expect(bytes()).toEqual(Buffer.of(byte, 1, 2, 3));
    socket.destroy();
    await vi.waitFor(() => expect(ended()).toBe(true));
  });

  it.each([[0x00], [0x04], [0x80], [0xff], [0x61]])('%i is nothing, and closed at once', async (byte) => {
    const { dial, arrived, log } = await openDoor();
    const socket = await dial();
    socket.write(Uint8Array.of(byte));
    await closed(socket);
    expect(arrived).toEqual([]);
    expect(log.of('connection.garbled')).toMatchObject([{ firstByte: byte, peer: '127.0.0.1' }]);
  });

  it('of TLS inside TLS is nothing either', async () => {
    const { dialTls, log } = await openDoor();
    const socket = await dialTls();
    socket.write(Uint8Array.of(0x16, 3, 1));
    await closed(socket);
    expect(log.of('connection.garbled')).toMatchObject([{ firstByte: 0x16 }]);
  });
});

describe('TLS', () => {
  it('serves HTTP to who asks for it', async () => {
    const { ports, certificates } = await openDoor();
    const ask = request({
      port: ports[0],
      host: '127.0.0.1',
      path: '/api?x=1',
      method: 'PUT',
      ca: certificates.ca,
      agent: false,
    });
    ask.end();
    const [response] = (await once(ask, 'response')) as [AsyncIterable<Buffer>];
    let body = '';
    for await (const piece of response) body += piece.toString();
    expect(body).toBe('PUT /api?x=1');
  });

  it.each([
    ['without a server name', {}],
    ['with an address for a server name, as OBS sends it', { servername: '127.0.0.1' }],
    [
      'with a name that nobody here has',
      { servername: 'elsewhere.example', checkServerIdentity: () => undefined },
    ],
    ['with a protocol that nobody here knows', { ALPNProtocols: ['my-rtmp'] }],
  ])('%s is answered', async (_, tls) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined); // Node advises against such server names
    onTestFinished(() => void vi.restoreAllMocks());
    const { dialTls, arrived } = await openDoor();
    (await dialTls(tls)).write(Uint8Array.of(3));
    expect((await firstOf(arrived)).transport.door).toBe('rtmps');
  });

  it('takes a ClientHello in small pieces', async () => {
    const { dial, dialTls, arrived } = await openDoor();
    const raw = await dial();
    let pieces = 0;
    const inPieces = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _, done) => {
        void (async () => {
          for (let at = 0; at < chunk.length; at += 7) {
            raw.write(chunk.subarray(at, at + 7));
            pieces += 1;
            await new Promise(setImmediate);
          }
          done();
        })();
      },
    });
    raw.on('data', (chunk) => inPieces.push(chunk));
    (await dialTls({ socket: inPieces })).write(Uint8Array.of(3));
    expect((await firstOf(arrived)).transport.tls).toBe(true);
    expect(pieces).toBeGreaterThan(50);
  });

  it('that fails is closed, and logged without alarm', async () => {
    const { dial, log } = await openDoor();
    const socket = await dial();
    socket.write(Buffer.concat([Buffer.from('1603010005', 'hex'), Buffer.alloc(50, 1)]));
    await closed(socket);
    expect(log.lines.map(({ level, event }) => `${level} ${event}`)).toEqual(['debug tls.failed']);
  });

  it('that breaks behind the handshake, before a word, is closed', async () => {
    const { ports, certificates, arrived, log } = await openDoor();
    const raw = connect({ port: ports[0]!, host: '127.0.0.1', allowHalfOpen: true });
    const inside = connectTls({ socket: raw, host: '127.0.0.1', ca: certificates.ca });
    await Promise.all([once(inside, 'secureConnect'), once(inside, 'session')]); // a ticket: the server is done too
    inside.on('error', () => undefined);
    raw.write(Buffer.concat([Buffer.from('1703030020', 'hex'), Buffer.alloc(32)]));
    await new Promise((resolve) => inside.resume().once('end', resolve));
    expect([arrived, log.events]).toEqual([[], []]); // no tls.failed: that one was done
  });

  it('serves the new certificate once it is renewed', async () => {
    const { dialTls, certificates } = await openDoor();
    const name = async () =>
      (await dialTls({ checkServerIdentity: () => undefined })).getPeerCertificate().subjectaltname;
    expect(await name()).toBe('DNS:ingest.example.com, IP Address:127.0.0.1');
    certificates.renew(['renewed.example.com']);
    expect(await name()).toBe('DNS:renewed.example.com');
  });
});

describe('a door that is switched off', () => {
  it.each([
    [3, ['rtmps'], 'clear-text RTMP is switched off here; use rtmps://ingest.example.com/live'],
    [6, ['rtmp', 'rtmps'], 'RTMPE is switched off here; use rtmps://ingest.example.com/live'],
  ])('of C0 %i: the session refuses it in these words', async (byte, accept, refusal) => {
    const { dial, arrived } = await openDoor({ accept: [accept] });
    (await dial()).write(Uint8Array.of(byte));
    expect((await firstOf(arrived)).transport.refusal).toBe(refusal);
  });

  it('inside TLS too, and without an address where there is none', async () => {
    const { dialTls, arrived } = await openDoor({ accept: [['https']], betterUrl: () => undefined });
    (await dialTls()).write(Uint8Array.of(3));
    expect((await firstOf(arrived)).transport.refusal).toBe('RTMPS is switched off here');
  });

  it('is another door at the next listener', async () => {
    const { dial, arrived } = await openDoor({ accept: [['rtmps'], ['rtmp']] });
    (await dial(1)).write(Uint8Array.of(3));
    expect((await firstOf(arrived)).transport.refusal).toBeUndefined();
  });

  it('is not confused by one remote port that is connected to two listeners', async () => {
    const { ports, dialTls, arrived, clock } = await openDoor({ accept: [['rtmps'], ['https']] });
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port: localPort } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const inner = connect({ port: ports[0]!, host: '127.0.0.1', localPort, localAddress: '127.0.0.1' });
    const outer = connect({ port: ports[1]!, host: '127.0.0.1', localPort, localAddress: '127.0.0.1' });
    await Promise.all([once(inner, 'connect'), once(outer, 'connect')]);
    onTestFinished(() => void outer.destroy());
    outer.write(Buffer.from('160301', 'hex')); // both are inside their TLS handshake at once
    await vi.waitFor(() => expect(clock.timers).toBe(2));
    await new Promise(setImmediate);
    (await dialTls({ socket: inner })).write(Uint8Array.of(3));
    expect((await firstOf(arrived)).transport.refusal).toBeUndefined();
  });

  const sentence = (door: string) => `${door} is switched off here; use https://ingest.example.com:8443/\n`;

  it.each(['GET / HTTP/1.1', 'POST /elsewhere HTTP/1.1', 'PUT /x HTTP/1.0'])(
    'answers clear %s with the sentence',
    async (head) => {
      const { dial } = await openDoor({ accept: [['rtmps', 'https']] });
      const answer = await httpAnswer(await dial(), head);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer.split('\r\n\r\n')[1]).toBe(sentence('clear-text HTTP'));
      expect(answer).toContain(`Content-Length: ${sentence('clear-text HTTP').length}\r\n`);
    },
  );

  it('answers HTTP inside TLS with the sentence', async () => {
    const { dialTls } = await openDoor({ accept: [['rtmps']] });
    const answer = await httpAnswer(await dialTls(), 'GET / HTTP/1.1');
    expect(answer.split('\r\n\r\n')[1]).toBe(sentence('HTTPS'));
  });

  it('is closed before a stray HTTP client has sent much, or has stayed for long', async () => {
    const { dial, clock, ports } = await openDoor({ accept: [['rtmps']] });
    const loud = await dial();
    const chatter = setInterval(() => void loud.write(Buffer.alloc(4096, 'G')), 5);
    await closed(loud);
    clearInterval(chatter);

    const patient = connect({ port: ports[0]!, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void patient.destroy());
    patient.write('GET');
    patient.resume();
    await once(patient, 'end');
    expect(clock.timers).toBe(1);
    clock.advance(2_000);
    patient.on('error', () => undefined);
    await vi.waitFor(() => {
      patient.write('/'); // what is written to nobody comes back as a reset, sooner or later
      expect(patient.destroyed).toBe(true);
    });
  });
});

describe('clear HTTP where it is accepted', () => {
  // What is no path of ours must lead nowhere else: a redirect is followed blindly.
  it.each([
    ['/', 'https://ingest.example.com:8443/'],
    ['/api/v1/keys?x=1', 'https://ingest.example.com:8443/api/v1/keys?x=1'],
    ['//evil.example/x', 'https://ingest.example.com:8443//evil.example/x'],
    ['//[', 'https://ingest.example.com:8443//['],
    ['/\\evil.example', 'https://ingest.example.com:8443/\\evil.example'],
    ['http://evil.example/x', 'https://ingest.example.com:8443/'],
    ['http://[', 'https://ingest.example.com:8443/'],
    ['*', 'https://ingest.example.com:8443/'],
  ])('sends %s to %s', async (path, location) => {
    const { dial } = await openDoor();
    const answer = await httpAnswer(await dial(), `${path === '*' ? 'OPTIONS' : 'GET'} ${path} HTTP/1.1`);
    expect(answer).toMatch(/^HTTP\/1\.1 308 /);
    expect(/^Location: (.*)\r$/m.exec(answer)?.[1]).toBe(location);
  });

  it('goes nowhere when there is nowhere to go', async () => {
    const { dial } = await openDoor({ betterUrl: () => undefined });
    expect(await httpAnswer(await dial(), 'GET / HTTP/1.1')).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('who takes too long', () => {
  const hello = Buffer.from('16030100f8010000f40303', 'hex');

  it.each([
    ['says nothing', new Uint8Array(0)],
    ['sends half a ClientHello', hello],
  ])('%s and is closed', async (_, bytes) => {
    const { dial, clock } = await openDoor();
    const socket = await dial();
    socket.write(bytes);
    await vi.waitFor(() => expect(clock.timers).toBe(1));
    clock.advance(9_999);
    expect(socket.closed).toBe(false);
    clock.advance(1);
    await closed(socket);
    expect(clock.timers).toBe(0);
  });

  it('drips a ClientHello and is closed, whatever comes', async () => {
    const { dial, clock } = await openDoor();
    const socket = await dial();
    await vi.waitFor(() => expect(clock.timers).toBe(1));
    for (let second = 0; second < 10; second += 1) {
      socket.write(hello.subarray(second, second + 1));
      await new Promise(setImmediate);
      clock.advance(1_000);
    }
    await closed(socket);
  });

  it('finishes TLS, says nothing then, and is closed', async () => {
    const { dialTls, clock } = await openDoor();
    const socket = await dialTls();
    clock.advance(9_999);
    expect(socket.closed).toBe(false);
    clock.advance(1);
    await closed(socket);
    expect(clock.timers).toBe(0);
  });

  it('is left to the session once it has said what it speaks', async () => {
    const { dial, clock, arrived } = await openDoor();
    const socket = await dial();
    socket.write(Uint8Array.of(3));
    const { ended } = await firstOf(arrived);
    expect(clock.timers).toBe(0);
    clock.advance(60_000);
    socket.write('x');
    await vi.waitFor(() => expect(arrived[0]!.bytes()).toHaveLength(2));
    expect(ended()).toBe(false);
  });
});

describe('limits', () => {
  it('close who is one too many, say so, and let the next one in when one has left', async () => {
    const { dial, log, arrived, clock } = await openDoor({ limits: { connectionsPerAddress: 2 } });
    const inside = [await dial(), await dial()];
    for (const socket of inside) socket.write(Uint8Array.of(3));
    await vi.waitFor(() => expect(arrived).toHaveLength(2));
    const refused = { peer: '127.0.0.1', code: 'TOO_MANY_CONNECTIONS' };
    for (let count = 0; count < doorLimits.strangerLines + 3; count += 1) await closed(await dial());
    const loud = log.lines.filter(({ event, level }) => event === 'connection.refused' && level === 'warn');
    expect(loud.map(({ fields }) => fields)).toEqual(
      Array.from({ length: doorLimits.strangerLines }, () => refused),
    );
    clock.advance(60_000);
    await closed(await dial());
    expect(log.of('connection.refused').at(-1)).toEqual({ ...refused, leftOut: 3 });
    inside[0]!.destroy();
    await vi.waitFor(() => expect(arrived[0]!.ended()).toBe(true));
    (await dial()).write(Uint8Array.of(3));
    await vi.waitFor(() => expect(arrived).toHaveLength(3));
  });

  it('count strangers apart, and a connection inside TLS once', async () => {
    const { dial, dialTls, arrived } = await openDoor({ limits: { handshakesPerAddress: 1 } });
    const first = await dialTls();
    first.write(Uint8Array.of(3));
    (await firstOf(arrived)).transport.admit();
    const second = await dialTls();
    await closed(await dial());
    second.destroy();
    await vi.waitFor(async () => (await dialTls()).write(Uint8Array.of(3)));
    await vi.waitFor(() => expect(arrived).toHaveLength(2));
  });
});

describe('start', () => {
  it('tells a port that is taken from an address that is not ours', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const failed = (host: string, at: number) =>
      buildDoor({ listeners: [{ host, port: at, accept: everyDoor }] })
        .door.start()
        .catch((error: unknown) => error);
    const inUse = await failed('127.0.0.1', port);
    expect(inUse).toBeInstanceOf(SetupError);
    expect(inUse).toMatchObject({
      code: 'PORT_IN_USE',
      message: `127.0.0.1:${port} is taken by another process`,
    });
    expect(inUse).toHaveProperty('hint', expect.stringContaining('listeners'));
    expect(await failed('192.0.2.1', 0)).toMatchObject({ code: 'LISTEN_FAILED' });
  });

  it('goes on when the system cannot hand a connection over, and says so now and then', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen');
    onTestFinished(() => void vi.restoreAllMocks());
    const { dial, arrived, log } = await openDoor();
    const server = listen.mock.contexts.at(-1) as Server;
    for (let count = 0; count < 150; count += 1)
      server.emit('error', Object.assign(new Error('accept ENFILE'), { code: 'ENFILE' }));
    expect(log.of('listener.failed').map(({ failedSoFar }) => failedSoFar)).toEqual([1, 101]);
    (await dial()).write(Uint8Array.of(3));
    await firstOf(arrived);
  });
});

describe('stop', () => {
  it('leaves nothing behind, whatever was under way', async () => {
    const { door, dial, dialTls, arrived, clock, certificates, ports } = await openDoor({
      accept: [everyDoor, ['rtmps']],
    });
    const silent = await dial();
    const half = await dial();
    half.write(Buffer.from('160301', 'hex'));
    const secured = await dialTls();
    const http = await dialTls();
    http.write('GET /half HTTP/1.1\r\n');
    const clear = await dial();
    clear.write('GET /half HTTP/1.1\r\n');
    const stray = await dial(1);
    stray.write('GET / HTTP/1.1\r\n\r\n');
    const rtmp = await dialTls();
    rtmp.write(Uint8Array.of(3));
    await firstOf(arrived);

    await door.stop();
    await door.stop();
    for (const socket of [silent, half, secured, http, clear, stray, rtmp]) await closed(socket);
    expect(arrived[0]!.ended()).toBe(true);
    expect(clock.timers).toBe(0);
    expect(certificates.listeners.size).toBe(0);
    const again = connect({ port: ports[0]!, host: '127.0.0.1' });
    await expect(once(again, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('begins with taking nobody in, while those inside go on', async () => {
    const { door, dial, arrived, ports } = await openDoor();
    const socket = await dial();
    socket.write(Uint8Array.of(3));
    const { bytes } = await firstOf(arrived);
    door.stopAccepting();
    const late = connect({ port: ports[0]!, host: '127.0.0.1' });
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    socket.write('x');
    await vi.waitFor(() => expect(bytes()).toHaveLength(2));
  });

  it('gives the ports back after a start that failed half-way', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const { door } = buildDoor({
      listeners: [
        { host: '127.0.0.1', port: 0, accept: everyDoor },
        { host: '127.0.0.1', port, accept: everyDoor },
      ],
    });
    await expect(door.start()).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    const [open] = door.addresses;
    await once(connect({ port: open!.port, host: '127.0.0.1' }), 'connect');
    await door.stop();
    const again = createServer().listen(open!.port, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });
});
