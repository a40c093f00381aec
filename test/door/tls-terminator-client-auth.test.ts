// Who gets through the handshake where clients are asked for certificates, and who must not.
import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { ChallengeAnswers } from '../../src/door/challenge-answers.ts';
import { writeCertificate } from '../../src/certificates/x509-writer.ts';
import { makeIssuer, makeKey, type TestIssuer } from '../support/certificate-files.ts';
import { openDoor } from '../support/open-door.ts';

const now = Date.now();
const authority = makeIssuer('Client CA', now);
const own = makeClient(authority, now + 3_600_000);
const strange = makeClient(makeIssuer('Strange CA', now), now + 3_600_000);
const stale = makeClient(authority, now - 3_600_000);

function makeClient(issuer: TestIssuer, notAfter: number) {
  const keyPem = makeKey();
  const content = {
    serial: Uint8Array.of(0x43),
    issuer: issuer.name,
    subject: 'encoder',
    notBefore: now - 7_200_000,
    notAfter,
    key: createPrivateKey(keyPem),
    role: { authority: false, clientUri: 'penstock:key:7h2kq9d4' },
  } as const;
  return { pem: writeCertificate(content, createPrivateKey(issuer.keyPem)), keyPem };
}

const shown = ({ pem, keyPem }: { pem: string; keyPem: string }) => ({ cert: pem, key: keyPem });

const gone = (socket: TLSSocket) =>
  new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));

const rtmp = Buffer.concat([Buffer.of(3), Buffer.alloc(1536)]);

async function openAsking(clientAuth: 'optional' | 'required') {
  const challenges = new ChallengeAnswers();
  challenges.showCertificate(
    { kind: 'dns', name: 'validated.example' },
    {
      chainPem: own.pem,
      keyPem: new Secret(own.keyPem),
    },
  );
  const ticketKeys = new Uint8Array(48).fill(7);
  const tls = { minVersion: 'TLSv1.2', ticketKeys, clientAuth, clientAuthority: authority.pem } as const;
  const opened = await openDoor({ tls, challenges });
  /** What a client hears in the end. The last word on TLS 1.3 comes after its own handshake is over. */
  const visit = async (options: ConnectionOptions): Promise<TLSSocket> => {
    const socket = connect({
      port: opened.ports[0]!,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...options,
    });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    await Promise.race([once(socket, 'secureConnect'), gone(socket)]).catch(() => undefined);
    if (!socket.destroyed) socket.write(rtmp);
    return socket;
  };
  const session = () => vi.waitFor(() => expect(opened.arrived.length).toBe(1));
  return { ...opened, visit, session };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a client that must show a certificate, %s', (version) => {
  const versions = { minVersion: version, maxVersion: version };

  it('gets in with one that the authority signed, and its session sees it', async () => {
    const { arrived, visit, session } = await openAsking('required');
    await visit({ ...versions, ...shown(own) });
    await session();
    expect(Buffer.from(arrived[0]!.transport.certificate!)).toEqual(new X509Certificate(own.pem).raw);
  });

  it.each([
    ['none', {}, 'peer did not return a certificate'],
    ['one of a stranger', shown(strange), /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/],
    ['one that is out of date', shown(stale), 'CERT_HAS_EXPIRED'],
  ])('stays outside with %s', async (_, certificate, reason) => {
    const { arrived, log, visit } = await openAsking('required');
    const socket = await visit({ ...versions, ...certificate });
    await gone(socket);
    await vi.waitFor(() => expect(log.events).toContain('tls.failed'));
    expect(JSON.stringify(log.lines)).toMatch(reason);
    expect(arrived).toEqual([]);
  });
});

describe('a client that may show a certificate', () => {
  it.each([
    ['none', {}, undefined],
    ['ours', shown(own), own],
    ['that of a stranger', shown(strange), strange],
  ])('gets in with %s; what it is worth is for the gate', async (_, certificate, seen) => {
    const { arrived, visit, session } = await openAsking('optional');
    await visit(certificate);
    await session();
    const der = arrived[0]!.transport.certificate;
    expect(der && Buffer.from(der)).toEqual(seen && new X509Certificate(seen.pem).raw);
  });
});

describe('a TLS session that is resumed', () => {
  const sessionOf = async (socket: TLSSocket) => {
    const [session] = (await once(socket, 'session')) as [Buffer];
    return session;
  };

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'still has the certificate of its client: %s',
    async (maxVersion) => {
      const { arrived, ports, visit, session } = await openAsking('required');
      const first = connect({
        port: ports[0]!,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ...shown(own),
        maxVersion,
        servername: 'a.example',
      });
      onTestFinished(() => void first.destroy());
      const ticket = await sessionOf(first);
      const second = await visit({ session: ticket, maxVersion, servername: 'a.example' });
      expect(second.isSessionReused()).toBe(true);
      await session();
      expect(Buffer.from(arrived[0]!.transport.certificate!)).toEqual(new X509Certificate(own.pem).raw);
    },
  );

  it('is none that an ACME authority had: it showed no certificate', async () => {
    const { arrived, visit } = await openAsking('required');
    // TLS 1.2, where the ticket comes with the handshake: in 1.3 the door hangs up before a client sees one.
    const known = { servername: 'validated.example', maxVersion: 'TLSv1.2' } as const;
    const first = await visit({ ...known, ALPNProtocols: ['acme-tls/1'] });
    const second = await visit({ ...known, session: first.getSession()! });
    expect(second.isSessionReused()).toBe(false);
    await gone(second);
    expect(arrived).toEqual([]);
  });
});

describe('an ACME authority that validates', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'needs no certificate, and sees the challenge: %s',
    async (maxVersion) => {
      const { arrived, visit } = await openAsking('required');
      const socket = await visit({
        servername: 'validated.example',
        ALPNProtocols: ['acme-tls/1'],
        maxVersion,
      });
      expect(socket.alpnProtocol).toBe('acme-tls/1');
      expect(socket.getPeerX509Certificate()?.serialNumber).toBe(new X509Certificate(own.pem).serialNumber);
      await gone(socket);
      expect(arrived).toEqual([]);
    },
  );

  it.each([
    ['with another protocol beside it', ['acme-tls/1', 'rtmp']],
    ['with another protocol before it', ['rtmp', 'acme-tls/1']],
  ])('is no way in %s', async (_, ALPNProtocols) => {
    const { arrived, visit } = await openAsking('required');
    const socket = await visit({ servername: 'validated.example', ALPNProtocols });
    await gone(socket);
    expect(arrived).toEqual([]);
  });
});
