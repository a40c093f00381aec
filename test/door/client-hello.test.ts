import { connect, type ConnectionOptions } from 'node:tls';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { helloKindOf } from '../../src/door/client-hello.ts';
import { doorLimits } from '../../src/door/door-limits.ts';

/** What a real client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const server = createServer((socket) =>
    socket.once('data', (bytes: Buffer) => (resolve(bytes), socket.destroy())),
  );
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  connect({ port, host: '127.0.0.1', ...options }).on('error', () => undefined);
  const hello = await promise;
  server.close();
  return hello;
}

/** The same handshake in records of a few bytes. */
function inSmallRecords(hello: Buffer, size: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    records.push(Buffer.from([0x16, 3, 1, piece.length >> 8, piece.length & 0xff]), piece);
  }
  return Buffer.concat(records);
}

describe('server name', () => {
  it.each([
    ['TLS 1.3 with a name', { servername: 'localhost' }, 'ordinary'],
    ['TLS 1.2 with a name', { servername: 'localhost', maxVersion: 'TLSv1.2' }, 'ordinary'],
    ['TLS 1.2 and 1.3 without', {}, 'nameless'],
    ['nothing but TLS 1.3 without', { minVersion: 'TLSv1.3' }, 'ordinary'],
    ['TLS 1.2 without', { maxVersion: 'TLSv1.2' }, 'nameless'],
    ['a validation', { servername: 'localhost', ALPNProtocols: ['acme-tls/1'] }, 'validation'],
    ['a validation and more', { servername: 'localhost', ALPNProtocols: ['acme-tls/1', 'h2'] }, 'ordinary'],
    ['another protocol', { servername: 'localhost', ALPNProtocols: ['acme-tls/2'] }, 'ordinary'],
  ] as const)('%s', async (_, options, answer) => {
    const hello = await helloOf(options);
    expect(helloKindOf(hello)).toBe(answer);
    const small = inSmallRecords(hello, Math.ceil(hello.length / doorLimits.clientHelloRecords));
    expect(helloKindOf(small)).toBe(answer);
    expect(helloKindOf(Buffer.concat([hello, Buffer.from('what follows')]))).toBe(answer);
    for (let length = 1; length < hello.length; length++) {
      expect(helloKindOf(hello.subarray(0, length)), `${length} bytes`).toBe('incomplete');
    }
  });

  it('is not searched for in records without end, which drip in and are read again at each byte', async () => {
    const hello = await helloOf({});
    const tiny = inSmallRecords(hello, 1);
    expect(helloKindOf(tiny.subarray(0, 6 * doorLimits.clientHelloRecords))).toBe('incomplete');
    expect(helloKindOf(tiny.subarray(0, 6 * doorLimits.clientHelloRecords + 1))).toBe('ordinary');
    expect(helloKindOf(Buffer.from('1603010000', 'hex'))).toBe('ordinary');
  });

  it('leaves what is no ClientHello to OpenSSL', () => {
    for (const hex of [
      '15030100020100',
      '160301000502000001ff',
      '474554202f',
      '16030100050101010101010101',
    ]) {
      expect(helloKindOf(Buffer.from(hex, 'hex'))).toBe('ordinary');
    }
  });

  it('never reads beyond what it was given, whatever the lengths claim', async () => {
    const hello = await helloOf({ servername: 'localhost' });
    for (let at = 5; at < hello.length; at++) {
      const damaged = Buffer.from(hello);
      damaged[at] = 0xff;
      expect(['ordinary', 'nameless', 'incomplete']).toContain(helloKindOf(damaged));
    }
  });
});
