// The policy as a peer meets it: real handshakes over a real socket.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateKeeper } from '../../src/certificates/certificate-keeper.ts';
import { type LocalSourceOptions, openLocalSource } from '../../src/certificates/local-source.ts';
import { chooseApplicationProtocol, tlsServerOptions } from '../../src/certificates/tls-policy.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { silentLog } from '../../src/ops/log.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { makeIssuer, makeLeaf, writePair } from '../support/certificate-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-tls-'));
const parts = { clock: systemClock, random: systemRandom, log: silentLog, machineName: 'studio' };
const keeperOf = (options: LocalSourceOptions) =>
  new CertificateKeeper(openLocalSource(options, parts), parts);
const closers: (() => unknown)[] = [];
let port: number;
let ca: string;

async function serve(
  keeper: CertificateKeeper,
  minVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.2',
): Promise<number> {
  await keeper.start();
  const server = createServer(
    tlsServerOptions({ minVersion, ticketKeys: systemRandom.bytes(48) }, keeper),
    (socket) => {
      socket.on('error', () => undefined);
      socket.end();
    },
  );
  server.on('tlsClientError', (_, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(
    () => keeper.stop(),
    () => server.close(),
  );
  return (server.address() as AddressInfo).port;
}

async function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca, ...options });
  try {
    await once(socket, 'secureConnect');
  } finally {
    socket.destroy();
  }
  return socket;
}

beforeAll(async () => {
  const keeper = keeperOf({ certificate: 'self-signed', hosts: ['ingest.example.com'], certsDir: folder });
  port = await serve(keeper);
  ca = readFileSync(keeper.caFile ?? '', 'utf8');
});

afterAll(async () => {
  for (const close of closers) await close();
  rmSync(folder, { recursive: true });
});

describe('a TLS handshake with the development certificate', () => {
  it.each([
    ['a configured host', { servername: 'ingest.example.com' }],
    ['localhost', { servername: 'localhost' }],
    ['an IP address, hence no server name', {}],
    ['TLS 1.2', { servername: 'localhost', maxVersion: 'TLSv1.2' }],
  ] as const)('is trusted by who trusts the authority: %s', async (_, options) => {
    expect((await handshake(options)).authorized).toBe(true);
  });

  it('answers an unknown server name with the default certificate, and the client tells the difference', async () => {
    await expect(handshake({ servername: 'unknown.example' })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    const socket = await handshake({ servername: 'unknown.example', checkServerIdentity: () => undefined });
    expect(socket.authorized).toBe(true);
  });

  it('answers an IP literal as server name, as OBS sends it', async () => {
    const output = await new Promise<string>((resolve) => {
      const args = [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-servername',
        '127.0.0.1',
        '-verify_ip',
        '127.0.0.1',
      ];
      const child = execFile('openssl', [...args, '-CAfile', join(folder, 'development/ca.pem')], (_, out) =>
        resolve(out),
      );
      child.stdin?.end();
    });
    expect(output).toContain('Verify return code: 0 (ok)');
  });

  it('is refused by who does not trust the authority', async () => {
    await expect(handshake({ ca: makeIssuer('Other', Date.now()).pem })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });

  it.each([
    'ECDHE-ECDSA-AES128-SHA',
    'ECDHE-ECDSA-AES128-SHA256',
    'AES256-GCM-SHA384',
    'DHE-RSA-AES128-GCM-SHA256',
  ])('refuses %s', async (ciphers) => {
    await expect(handshake({ ciphers, maxVersion: 'TLSv1.2' })).rejects.toThrow(/handshake failure/);
  });

  it('takes its own first suite, not the first of the client', async () => {
    const ciphers = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256';
    const socket = connect({ port, ca, ciphers, maxVersion: 'TLSv1.2' });
    await once(socket, 'secureConnect');
    expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES128-GCM-SHA256');
    socket.destroy();
  });

  it('refuses TLS 1.1, and TLS 1.2 where 1.3 is asked for', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(handshake(old)).rejects.toThrow(/protocol version/);
    const keeper = keeperOf({ certificate: 'self-signed', hosts: ['ingest.example.com'], certsDir: folder });
    const strict = await serve(keeper, 'TLSv1.3');
    await expect(handshake({ port: strict, maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/);
    expect((await handshake({ port: strict })).authorized).toBe(true);
  });

  it.each([
    [undefined, false],
    [['rtmp'], 'rtmp'],
    [['h2', 'http/1.1'], 'http/1.1'],
    [['x-encoder'], 'x-encoder'],
  ])('with ALPN %j agrees on %j', async (offered, agreed) => {
    const socket = connect({ port, ca, ...(offered === undefined ? {} : { ALPNProtocols: [...offered] }) });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe(agreed);
    socket.destroy();
  });

  it.each([['h2'], ['acme-tls/1']])('refuses a client that speaks nothing but %s', async (protocol) => {
    await expect(handshake({ ALPNProtocols: [protocol] })).rejects.toThrow(/no application protocol/);
  });
});

describe('the choice of application protocol', () => {
  it.each([
    [['h2', 'x', 'rtmp', 'http/1.1'], 'rtmp'],
    [['\x0a\x0a', 'h2', 'h2c', 'acme-tls/1', 'spdy/3.1', 'h3-29', 'encoder'], 'encoder'],
    [['\x0a\x0a', '\xfa\xfa'], undefined],
    [['h2'], undefined],
    [['h264'], 'h264'],
    [[], undefined],
  ])('%j → %s', (offered, chosen) => {
    expect(chooseApplicationProtocol(offered)).toBe(chosen);
  });
});

describe('a TLS handshake with files', () => {
  it('shows the certificate that the server name asks for', async () => {
    const now = Date.now();
    const life = { notBefore: now - 1000, notAfter: now + 100 * 86_400_000 };
    const issuer = makeIssuer('Test root', now);
    const pairs = [['default.example', '127.0.0.1'], ['*.example.com'], ['live.example.com']].map(
      (names, index) => {
        const { pem, keyPem } = makeLeaf(issuer, names, life);
        return writePair(folder, `pair-${index}`, pem, keyPem);
      },
    );
    const keeper = keeperOf({ certificate: pairs, hosts: [], certsDir: folder });
    const files = await serve(keeper);
    expect(keeper).toMatchObject({ kind: 'files', certificateFile: pairs[0]?.cert, caFile: undefined });
    expect(keeper.names).toEqual(['default.example', '127.0.0.1', '*.example.com', 'live.example.com']);
    const shown = async (servername?: string): Promise<string> => {
      const socket = connect({
        host: '127.0.0.1',
        port: files,
        ca: issuer.pem,
        ...(servername === undefined ? {} : { servername }),
      });
      await once(socket, 'secureConnect');
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return String(name);
    };
    expect(await shown('live.example.com')).toBe('live.example.com');
    expect(await shown('other.example.com')).toBe('*.example.com');
    expect(await shown('default.example')).toBe('default.example');
    expect(await shown()).toBe('default.example');
  });
});
