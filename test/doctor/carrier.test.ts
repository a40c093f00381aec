import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Carrier, SocketCarrier, TunnelCarrier } from '../../src/doctor/carrier.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { brokenServer, connected } from '../support/doctor-network.ts';

/** Starts it; what is heard, and the end. */
function listenTo(carrier: Carrier) {
  const heard: Buffer[] = [];
  const ended = Promise.withResolvers<string | undefined>();
  carrier.start({ bytes: (bytes) => heard.push(Buffer.from(bytes)), end: ended.resolve });
  onTestFinished(() => carrier.destroy());
  return { text: () => Buffer.concat(heard).toString(), ended: ended.promise };
}

async function tunnelTo(listener: RequestListener): Promise<TunnelCarrier> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const socket = await connected((server.address() as AddressInfo).port);
  return new TunnelCarrier({ socket, host: 'h.example:80', clock: systemClock });
}

describe('a socket', () => {
  it('carries both ways, and tells of its end', async () => {
    const port = await brokenServer((socket) => socket.pipe(socket));
    const carrier = new SocketCarrier(await connected(port));
    const { text, ended } = listenTo(carrier);
    carrier.send([Buffer.from('a'), Buffer.from('b')]);
    carrier.finish();
    expect(await ended).toBeUndefined();
    expect(text()).toBe('ab');
    carrier.send([Buffer.from('late')]); // no error
  });
});

describe('a socket that breaks', () => {
  it('tells how', async () => {
    const port = await brokenServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const carrier = new SocketCarrier(await connected(port));
    const { ended } = listenTo(carrier);
    carrier.send([Buffer.from('a')]);
    expect(await ended).toBe('ECONNRESET');
  });
});

describe('a tunnel', () => {
  it('counts its requests, carries both ways, and closes itself', async () => {
    const asked: string[] = [];
    const hosts = new Set<string | undefined>();
    const carrier = await tunnelTo((request, response) => {
      hosts.add(request.headers.host);
      let body = '';
      request.on('data', (bytes: Buffer) => (body += bytes.toString('latin1')));
      request.on('end', () => {
        asked.push(`${request.method} ${request.url} ${body === '\0' ? '-' : body}`);
        if (request.url === '/open/1') response.end('TuNnEl\n');
        else response.end(request.url?.startsWith('/send') === true ? `\x01re:${body}` : '\x01');
        if (asked.length === 3) carrier.send([Buffer.from('more')]);
        if (asked.length === 4) carrier.finish();
      });
    });
    const { text, ended } = listenTo(carrier);
    carrier.send([Buffer.from('he'), Buffer.from('llo')]);
    expect(await ended).toBeUndefined();
    expect(text()).toBe('re:hellore:more');
    expect([...hosts]).toEqual(['h.example:80']);
    expect(asked).toEqual([
      'POST /open/1 -',
      'POST /send/TuNnEl/0 hello',
      'POST /idle/TuNnEl/1 -',
      'POST /send/TuNnEl/2 more',
      'POST /close/TuNnEl/3 -',
    ]);
  });

  it.each([
    [
      'a refusal in words',
      421,
      'clear-text RTMPT is switched off here',
      'HTTP 421: clear-text RTMPT is switched off here',
    ],
    ['a page', 404, '<html>not found</html>', 'HTTP 404'],
    ['no name of a tunnel', 200, '<html>welcome</html>', 'the answer to /open/1 is no tunnel'],
  ])('that is not opened: %s', async (_, status, body, why) => {
    const carrier = await tunnelTo((_request, response) => response.writeHead(status).end(body));
    expect(await listenTo(carrier).ended).toBe(why);
  });

  it('does not swallow whatever a stranger sends', async () => {
    const carrier = await tunnelTo((_request, response) => response.end(Buffer.alloc(2 ** 21)));
    expect(await listenTo(carrier).ended).toBe('an answer is too large');
  });
});
