import type { TlsOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { checkTls } from '../../src/doctor/tls-check.ts';
import { makeIssuer, makeLeaf, type TestIssuer } from '../support/certificate-files.ts';
import { brokenServer, connected, testNetwork, tlsServer } from '../support/doctor-network.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { settled } from '../support/settled.ts';

const day = 86_400_000;
const now = Date.now();
const root = makeIssuer('Example Root', now);
const middle = makeIssuer('Example Middle', now, root);

function leafOf(issuer: TestIssuer, names = ['ingest.example.com'], ends = 90 * day): TlsOptions {
  const { pem, keyPem } = makeLeaf(issuer, names, { notBefore: now - 100 * day, notAfter: now + ends });
  return { cert: pem, key: keyPem };
}

async function check(options: TlsOptions, host = 'ingest.example.com', roots = [root.pem]) {
  const serverNames: unknown[] = [];
  const SNICallback: TlsOptions['SNICallback'] = (name, done) => {
    serverNames.push(name);
    done(null);
  };
  const socket = await connected(await tlsServer({ ...options, SNICallback }, () => undefined));
  const network = testNetwork({ trustedRoots: () => roots });
  const answer = await checkTls(socket, host, { network, clock: new FakeClock(now), development: undefined });
  answer.socket?.destroy();
  const states = Object.fromEntries(answer.findings.map((finding) => [finding.check, finding.state]));
  return { ...answer, states, serverNames };
}

const good = { tls: 'ok', certificate: 'ok', 'certificate-name': 'ok' };

describe('TLS', () => {
  it('with a trusted chain for the right name: nothing to say', async () => {
    const { states, serverNames, findings } = await check(leafOf(root));
    expect(states).toEqual(good);
    expect(serverNames).toEqual(['ingest.example.com']);
    expect(findings[0]?.says).toMatch(/^TLSv1\.3 with TLS_/);
  });

  it('names no server for an address (RFC 6066 3)', async () => {
    const { states, serverNames } = await check(leafOf(root, ['127.0.0.1']), '127.0.0.1');
    expect([states, serverNames]).toEqual([good, []]);
  });

  it('with the wrong name: the chain is fine, the name is not', async () => {
    const { states, socket } = await check(leafOf(root), 'ingest.example.org');
    expect(states).toEqual({ ...good, 'certificate-name': 'failed' });
    expect(socket).toBeDefined(); // ffmpeg goes on, so does the doctor
  });

  it('expired', async () => {
    const { states, findings } = await check(leafOf(root, undefined, -day));
    expect(states).toEqual({ ...good, certificate: 'failed' });
    expect(findings[1]?.says).toContain('expired at');
  });

  it('without the intermediate', async () => {
    const { states, findings } = await check(leafOf(middle));
    expect(states).toEqual({ ...good, certificate: 'failed' });
    expect(findings[1]?.hint).toContain('fullchain.pem');
  });

  it('signed by itself', async () => {
    const { states, findings } = await check({ cert: root.pem, key: root.keyPem }, 'x.example', []);
    expect(states).toEqual({ tls: 'ok', certificate: 'failed', 'certificate-name': 'failed' });
    expect(findings[1]?.says).toContain('signed by itself');
  });

  it('without a cipher in common, or a client certificate that is asked for', async () => {
    const { findings, socket } = await check({
      ...leafOf(root),
      ca: root.pem,
      requestCert: true,
      maxVersion: 'TLSv1.2',
    });
    expect(socket).toBeUndefined();
    expect(findings[0]?.hint).toContain('client certificate');
  });

  it('too old', async () => {
    const options = {
      ...leafOf(root),
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL:@SECLEVEL=0',
    };
    const { findings, socket } = await check(options as TlsOptions);
    expect(socket).toBeUndefined();
    expect(findings.map(({ check: step, state, says }) => [step, state, says])).toEqual([
      ['tls', 'failed', expect.stringContaining('TLS 1.2 nor TLS 1.3')],
    ]);
  });
});

describe('no TLS', () => {
  const explained = async (port: number, turn: (clock: FakeClock) => void = () => undefined) => {
    const clock = new FakeClock(now);
    const network = testNetwork();
    const checking = checkTls(await connected(port), 'h.example', { network, clock, development: undefined });
    await settled();
    turn(clock);
    const { findings, socket } = await checking;
    expect(socket).toBeUndefined();
    expect(findings).toMatchObject([{ check: 'tls', state: 'failed' }]);
    return findings[0]?.says;
  };

  it('but a web server in the clear', async () => {
    const port = await brokenServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await explained(port)).toContain('not with TLS');
  });

  it('but a server that hangs up', async () => {
    const port = await brokenServer((socket) => socket.once('data', () => socket.destroy()));
    expect(await explained(port)).toContain('ended the connection during the TLS handshake');
  });

  it('but silence', async () => {
    const port = await brokenServer(() => undefined);
    expect(await explained(port, (clock) => clock.advance(8000))).toContain('says nothing');
  });
});
