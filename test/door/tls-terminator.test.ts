import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { doorLimits } from '../../src/door/door-limits.ts';
import { openDoor } from '../support/open-door.ts';

const day = 86_400_000;

async function versionFor(port: number, options: ConnectionOptions): Promise<string | null> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const version = socket.getProtocol();
  socket.destroy();
  return version;
}

describe('TLS versions', () => {
  it('1.3 for who names a server, 1.2 for who names none', async () => {
    const { ports } = await openDoor();
    expect(await versionFor(ports[0]!, { servername: 'localhost' })).toBe('TLSv1.3');
    expect(await versionFor(ports[0]!, {})).toBe('TLSv1.2');
    expect(await versionFor(ports[0]!, { minVersion: 'TLSv1.3' })).toBe('TLSv1.3'); // it has no other
    expect(await versionFor(ports[0]!, { servername: 'localhost', maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
  });

  it('1.3 for everybody where nothing less is allowed', async () => {
    const { ports } = await openDoor({ tls: { minVersion: 'TLSv1.3', ticketKeys: new Uint8Array(48) } });
    expect(await versionFor(ports[0]!, {})).toBe('TLSv1.3');
    await expect(versionFor(ports[0]!, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/version/);
  });

  it('a renewed certificate is served to both kinds of client', async () => {
    const { ports, certificates } = await openDoor();
    const serial = async (options: ConnectionOptions) => {
      const socket = connect({ port: ports[0]!, host: '127.0.0.1', rejectUnauthorized: false, ...options });
      await once(socket, 'secureConnect');
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = [await serial({}), await serial({ servername: 'localhost' })];
    certificates.renew(['localhost']);
    const after = [await serial({}), await serial({ servername: 'localhost' })];
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
  });

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a session is resumed, %s', (maxVersion) => {
    it.each([
      ['within the day', false, day - 1, true],
      ['not the day after: the ticket keys are others', false, day, false],
      ['not when the certificate was renewed in between', true, 0, false],
    ])('%s', async (_, renewed, pause, resumed) => {
      const { ports, certificates, clock } = await openDoor();
      const options = { port: ports[0]!, host: '127.0.0.1', rejectUnauthorized: false, maxVersion };
      const first = connect({ ...options, servername: 'localhost' });
      const [session] = (await once(first, 'session')) as [Buffer];
      first.destroy();
      if (renewed) certificates.renew(['localhost']);
      clock.advance(pause);
      const second = connect({ ...options, servername: 'localhost', session });
      await once(second, 'secureConnect');
      expect(second.isSessionReused()).toBe(resumed);
      second.destroy();
    });
  });

  it('a hello that never ends is looked through to its limit only, then left to OpenSSL', async () => {
    const { ports, log } = await openDoor();
    const socket = connectTcp(ports[0]!, '127.0.0.1').on('error', () => undefined);
    const record = Buffer.alloc(5 + 4096);
    record.set([0x16, 3, 1, 0x10, 0]);
    record.set([1, 0xff, 0xff, 0xff], 5); // a ClientHello of 16 MiB
    for (let sent = 0; sent <= doorLimits.clientHelloSize; sent += record.length) socket.write(record);
    await vi.waitFor(() => expect(log.events).toContain('tls.failed'));
  });
});
