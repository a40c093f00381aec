import { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkName, checkPort } from '../../src/doctor/reach-check.ts';
import { brokenServer, closedPort, testNetwork } from '../support/doctor-network.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { settled } from '../support/settled.ts';

const clock = new FakeClock();
const failing = (code: string) =>
  testNetwork({ resolve: () => Promise.reject(Object.assign(new Error(), { code })) });

describe('the name', () => {
  it('leads to addresses, each once', async () => {
    const network = testNetwork({
      resolve: () => Promise.resolve(['192.0.2.7', '192.0.2.7', '2001:db8::1']),
    });
    expect(await checkName('h.example', false, { network, clock })).toEqual({
      addresses: ['192.0.2.7', '2001:db8::1'],
      finding: { check: 'name', state: 'ok', says: 'h.example is 192.0.2.7, 2001:db8::1' },
    });
  });

  it('need not be asked about when it is an address', async () => {
    expect((await checkName('2001:db8::1', false, { network: failing('never'), clock })).addresses).toEqual([
      '2001:db8::1',
    ]);
  });

  it('that nobody knows fails, and says which record is missing', async () => {
    const { finding, addresses } = await checkName('h.example', true, {
      network: failing('ENOTFOUND'),
      clock,
    });
    expect(addresses).toEqual([]);
    expect(finding).toMatchObject({
      state: 'failed',
      says: 'h.example has no address (ENOTFOUND)',
      encoders: { obs: expect.stringContaining('Hostname not found') as string },
    });
    expect(finding.hint).toMatch(/A or AAAA record with the address 192\.0\.2\.7$/);
  });

  it('is not blamed when the resolver does not answer', async () => {
    const again = await checkName('h.example', false, { network: failing('EAI_AGAIN'), clock });
    expect(again.finding.hint).toContain('/etc/resolv.conf');
    const network = testNetwork({ resolve: () => new Promise(() => undefined) });
    const waiting = checkName('h.example', false, { network, clock });
    clock.advance(5000);
    expect((await waiting).finding.says).toContain('no answer in time');
  });

  it('of this installation that leads elsewhere is a warning with both sides', async () => {
    const network = testNetwork({ resolve: () => Promise.resolve(['203.0.113.9']) });
    const { finding } = await checkName('h.example', true, { network, clock });
    expect(finding.state).toBe('warning');
    expect(finding.says).toContain(
      'h.example is 203.0.113.9, and this machine has 127.0.0.1, ::1, 192.0.2.7',
    );
  });
});

describe('the port', () => {
  it('that answers gives a socket', async () => {
    const port = await brokenServer(() => undefined);
    const { finding, socket } = await checkPort(['127.0.0.1'], port, false, {
      network: testNetwork(),
      clock,
    });
    onTestFinished(() => void socket?.destroy());
    expect([finding.state, socket?.remotePort]).toEqual(['ok', port]);
  });

  it('that is closed fails, with a hint that differs for our own', async () => {
    const port = await closedPort();
    const foreign = await checkPort(['127.0.0.1'], port, false, { network: testNetwork(), clock });
    expect(foreign.socket).toBeUndefined();
    expect(foreign.finding).toMatchObject({
      state: 'failed',
      says: `nobody listens at port ${port} of 127.0.0.1 (ECONNREFUSED)`,
      encoders: { ffmpeg: 'Connection refused' },
    });
    const own = await checkPort(['127.0.0.1'], port, true, { network: testNetwork(), clock });
    expect(own.finding.hint).toContain('scripts/penstock serve');
  });

  it('behind a firewall is told by its silence', async () => {
    const network = testNetwork({ connect: () => new Socket() });
    const waiting = checkPort(['203.0.113.9'], 1935, false, { network, clock });
    await settled();
    clock.advance(5000);
    expect((await waiting).finding.hint).toContain('open TCP port 1935 in the firewall of 203.0.113.9');
  });

  it('of the second address is found, and the first one named', async () => {
    const port = await brokenServer(() => undefined);
    const addresses = ['127.0.0.2', '127.0.0.1'];
    const { finding, socket } = await checkPort(addresses, port, false, { network: testNetwork(), clock });
    onTestFinished(() => void socket?.destroy());
    expect(finding.state).toBe('warning');
    expect(finding.says).toContain('127.0.0.2 does not (ECONNREFUSED)');
  });

  it('without a route is no firewall', async () => {
    const network = testNetwork({
      connect: () => {
        const socket = new Socket();
        setImmediate(() => socket.destroy(Object.assign(new Error(), { code: 'ENETUNREACH' })));
        return socket;
      },
    });
    const { finding } = await checkPort(['2001:db8::1'], 1935, false, { network, clock });
    expect(finding.says).toContain('2001:db8::1 (ENETUNREACH)');
    expect(finding.hint).toContain('route');
  });
});
