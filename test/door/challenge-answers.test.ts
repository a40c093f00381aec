import { once } from 'node:events';
import { connect, type ConnectionOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { parseCertificateName } from '../../src/certificates/certificate-name.ts';
import { ChallengeAnswers } from '../../src/door/challenge-answers.ts';
import { makeIssuer, makeLeaf } from '../support/certificate-files.ts';
import { openDoor } from '../support/open-door.ts';

const day = 86_400_000;
const issuer = makeIssuer('Challenge', Date.now());

function showFor(challenges: ChallengeAnswers, text: string): () => void {
  const life = { notBefore: Date.now() - day, notAfter: Date.now() + day };
  const { pem, keyPem } = makeLeaf(issuer, [text], life);
  return challenges.showCertificate(parseCertificateName(text)!, {
    chainPem: pem,
    keyPem: new Secret(keyPem),
  });
}

/** Who issued what is served, or the error code. */
async function servedTo(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  try {
    await once(socket, 'secureConnect');
    const { issuer: by } = socket.getPeerCertificate();
    if (socket.alpnProtocol === 'acme-tls/1') await once(socket.resume(), 'end'); // RFC 8737 3
    return String(by.CN);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

describe('tls-alpn-01', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is answered over %s with its own certificate, and nothing else is',
    async (version) => {
      const challenges = new ChallengeAnswers();
      const { ports } = await openDoor({ challenges });
      const versions = { minVersion: version, maxVersion: version };
      const validation = { ...versions, servername: 'ingest.example.com', ALPNProtocols: ['acme-tls/1'] };
      expect(await servedTo(ports[0]!, validation)).toMatch(/ALERT_NO_APPLICATION_PROTOCOL|ECONNRESET/);
      const hide = showFor(challenges, 'ingest.example.com');
      expect(await servedTo(ports[0]!, validation)).toBe('Challenge');
      expect(await servedTo(ports[0]!, { ...versions, servername: 'ingest.example.com' })).toBe(
        'Test authority',
      );
      expect(await servedTo(ports[0]!, { ...validation, servername: 'other.example.com' })).not.toBe(
        'Challenge',
      );
      hide();
      hide();
      expect(await servedTo(ports[0]!, validation)).not.toBe('Challenge');
    },
  );

  it.each([
    ['203.0.113.7', '7.113.0.203.in-addr.arpa'],
    ['2001:db8::1', `1${'.0'.repeat(23)}.8.b.d.0.1.0.0.2.ip6.arpa`],
  ])('of %s is asked for by the name of its reverse mapping', (address, serverName) => {
    const challenges = new ChallengeAnswers(); // RFC 8738 6
    showFor(challenges, address);
    expect(challenges.contextFor(serverName)).toBeDefined();
    expect(challenges.contextFor(address)).toBeUndefined();
  });
});

it('http-01 is answered in the clear while it is asked, and redirected like all else after it', async () => {
  const challenges = new ChallengeAnswers();
  const { ports } = await openDoor({ challenges });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${ports[0]}${path}`, { redirect: 'manual' });
    return `${response.status} ${await response.text()}`;
  };
  const path = '/.well-known/acme-challenge/abc';
  const hide = challenges.showPage('abc', 'abc.thumbprint');
  expect(await get(path)).toBe('200 abc.thumbprint');
  expect(await get(`${path}d`)).toMatch(/^308/);
  expect(await get('/abc')).toMatch(/^308/);
  hide();
  expect(await get(path)).toMatch(/^308/);
});
