import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { parseAddressBlock } from '../../src/ops/address.ts';
import { openDoor, type TestDoorOptions } from '../support/open-door.ts';

const proxies = { trustedProxies: [parseAddressBlock('127.0.0.0/8')!] };
const header = 'PROXY TCP4 203.0.113.7 192.0.2.1 50122 1935\r\n';
const closed = (socket: Socket) => {
  socket.resume();
  return vi.waitFor(() => expect(socket.closed).toBe(true));
};

async function opened(options: TestDoorOptions) {
  const { ports, ...rest } = await openDoor(options);
  const dial = () => connect(ports[0]!, '127.0.0.1').on('error', () => undefined);
  return { ...rest, ports, dial };
}

describe('behind a trusted proxy', () => {
  it('the address that the header tells is the peer, whether or not it comes with the first bytes', async () => {
    const { dial, arrived } = await opened(proxies);
    dial().write(Buffer.concat([Buffer.from(header), Uint8Array.of(3, 9, 9)]));
    await vi.waitFor(() => expect(arrived).toHaveLength(1));
    const slow = dial();
    for (const piece of ['PROXY TCP6 2001:db', '8::7 ::1 50122 1935\r', '\n']) {
      slow.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    slow.write(Uint8Array.of(3));
    await vi.waitFor(() => expect(arrived).toHaveLength(2));
    expect(arrived.map(({ transport }) => transport.peer)).toEqual([
      { address: '203.0.113.7', port: 50_122 },
      { address: '2001:db8::7', port: 50_122 },
    ]);
    expect(arrived[0]!.bytes()).toEqual(Buffer.from([3, 9, 9]));
  });

  it('a health check of the proxy itself keeps its own address', async () => {
    const { dial, arrived } = await opened(proxies);
    dial().write('PROXY UNKNOWN\r\n\u0003');
    await vi.waitFor(() => expect(arrived).toHaveLength(1));
    expect(arrived[0]!.transport.peer.address).toBe('127.0.0.1');
  });

  it('limits count the told address, not that of the proxy', async () => {
    const { dial, arrived, log } = await opened({ ...proxies, limits: { connectionsPerAddress: 1 } });
    dial().write(`${header}\u0003`);
    await vi.waitFor(() => expect(arrived).toHaveLength(1));
    dial().write('PROXY TCP4 203.0.113.8 192.0.2.1 50122 1935\r\n\u0003');
    await vi.waitFor(() => expect(arrived).toHaveLength(2));
    const third = dial();
    third.write(`${header}\u0003`);
    await closed(third);
    expect(log.of('connection.refused')).toMatchObject([
      { peer: '203.0.113.7', code: 'TOO_MANY_CONNECTIONS' },
    ]);
  });

  it('whoever begins with anything else is closed', async () => {
    const { dial, log } = await opened(proxies);
    const socket = dial();
    socket.write(Uint8Array.of(3, 0, 0));
    await closed(socket);
    expect(log.of('proxy.garbled')).toMatchObject([{ peer: '127.0.0.1' }]);
  });

  it('a header that is never finished ends at the handshake deadline', async () => {
    const { dial, clock, log } = await opened(proxies);
    const socket = dial();
    socket.write('PROXY TCP4 ');
    await new Promise((resolve) => socket.once('connect', resolve));
    await vi.waitFor(() => {
      clock.advance(10_000);
      expect(log.events).toContain('connection.timed-out');
    });
    await closed(socket);
  });
});

describe('from anybody else', () => {
  it.each([header, Buffer.from('0d0a0d0a000d0a515549540a2111000ccb007107c0000201c3ca078f', 'hex')])(
    'a PROXY header is garbage',
    async (bytes) => {
      const { dial, arrived } = await opened({ accept: [['rtmp', 'rtmps']] });
      const socket = dial();
      socket.write(bytes);
      await closed(socket);
      expect(arrived).toEqual([]);
    },
  );
});

describe('a locked-out address', () => {
  it('is closed at accept, by the address that a proxy tells as well', async () => {
    const { dial, arrived, log } = await opened({
      ...proxies,
      turnsAway: (address) => address === '203.0.113.7',
    });
    const socket = dial();
    socket.write(`${header}\u0003`);
    await closed(socket);
    expect(arrived).toEqual([]);
    expect(log.of('connection.refused')).toMatchObject([{ peer: '203.0.113.7', code: 'ADDRESS_LOCKED_OUT' }]);
  });
});
