import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileSource } from '../../src/certificates/file-source.ts';
import { makeIssuer, makeKey, makeLeaf, tamperWith, writePair } from '../support/certificate-files.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const now = Date.UTC(2026, 10, 22);
const life = { notBefore: now - 86_400_000, notAfter: now + 86_400_000 };
const root = makeIssuer('Test root', now);
const intermediate = makeIssuer('Test intermediate', now, root);
const leaf = makeLeaf(intermediate, ['a.example', '*.a.example', '192.0.2.1', '2001:db8::1'], life);

const parts = (hosts: readonly string[] = []) => {
  const clock = new FakeClock();
  clock.advance(now - clock.now());
  return { clock, log: new RecordedLog(), hosts };
};

const load = (chain: string, key: string) => {
  const folder = temporaryFolder();
  return new FileSource([writePair(folder, 'server', chain, key)], parts()).load();
};

describe("the operator's certificate files", () => {
  it('are served with their chain, names and dates', async () => {
    const chain = `Bag Attributes: something\n${leaf.pem}${intermediate.pem}${root.pem}`;
    const [bundle] = await load(chain, leaf.keyPem);
    expect(bundle.chainPem).toBe(leaf.pem + intermediate.pem + root.pem);
    expect(bundle.names).toEqual(['a.example', '*.a.example', '192.0.2.1', '2001:db8::1']);
    expect(bundle).toMatchObject(life);
    expect(JSON.stringify(bundle)).not.toContain('PRIVATE KEY');
  });

  it('may be one file for both, and in the traditional form of keys', async () => {
    const traditional = execFileSync('openssl', ['ec'], {
      input: leaf.keyPem,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const [bundle] = await load(leaf.pem + leaf.keyPem, traditional.toString());
    expect(bundle.chainPem).toBe(leaf.pem);
  });

  const damaged = leaf.pem.replace(/\n.{40}/, '\nAAAA');
  const encrypted = execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:x'], {
    input: leaf.keyPem,
  }).toString();
  const nameless = makeLeaf(root, [], life);
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  const weak = openssl(
    ...'req -x509 -newkey rsa:1024 -noenc -keyout - -subj /CN=w -addext subjectAltName=DNS:w.example'.split(
      ' ',
    ),
  );

  it.each([
    [
      'a foreign key',
      leaf.pem,
      makeKey(),
      /key in .*server\.key does not belong to the certificate in .*server\.pem/,
    ],
    [
      'an issuer first',
      intermediate.pem + leaf.pem,
      leaf.keyPem,
      /own certificate must come first in .*; now it is number 2/,
    ],
    [
      'a missing link',
      leaf.pem + root.pem,
      leaf.keyPem,
      /certificate 2 in .* is not the issuer of certificate 1/,
    ],
    [
      'a forged issuer',
      leaf.pem + makeIssuer('Test intermediate', now).pem,
      leaf.keyPem,
      /certificate 2 in .* is not the issuer/,
    ],
    [
      'a changed signature',
      tamperWith(leaf.pem) + intermediate.pem,
      leaf.keyPem,
      /certificate 2 in .* is not the issuer/,
    ],
    [
      'a damaged certificate',
      leaf.pem + damaged,
      leaf.keyPem,
      /certificate 2 of 2 in .*server\.pem is damaged/,
    ],
    ['an empty file', '', leaf.keyPem, /holds no certificate in PEM form/],
    ['a key as certificate', leaf.keyPem, leaf.keyPem, /holds a private key, not a certificate/],
    ['a certificate as key', leaf.pem, leaf.pem, /server\.key holds no private key in PEM form/],
    ['an encrypted key', leaf.pem, encrypted, /server\.key is protected by a passphrase/],
    ['no names', nameless.pem, nameless.keyPem, /carries no DNS name or IP address/],
    ['a weak key', weak, weak, /not accepted by the TLS library \(ee key too small\)/],
  ])('are refused in one sentence: %s', async (_, chain, key, message) => {
    const failure = load(chain, key);
    await expect(failure).rejects.toMatchObject({
      name: 'SetupError',
      message: expect.stringMatching(message),
    });
    await expect(failure).rejects.toSatisfy((error: Error) => !/BEGIN|MI[A-Z]/.test(error.message));
  });

  it.each(['cert', 'key'] as const)('are refused when %s is missing', async (missing) => {
    const folder = temporaryFolder();
    const files = {
      ...writePair(folder, 'server', leaf.pem, leaf.keyPem),
      [missing]: join(folder, 'absent'),
    };
    await expect(new FileSource([files], parts()).load()).rejects.toMatchObject({
      name: 'SetupError',
      message: `${join(folder, 'absent')} cannot be read (ENOENT)`,
    });
  });

  it('say so when they are in binary form', async () => {
    const folder = temporaryFolder();
    const files = writePair(folder, 'server', '', leaf.keyPem);
    writeFileSync(files.cert, execFileSync('openssl', ['x509', '-outform', 'der'], { input: leaf.pem }));
    await expect(new FileSource([files], parts()).load()).rejects.toMatchObject({
      hint: expect.stringContaining('-inform der'),
    });
  });
});

describe('files that change while they are served', () => {
  const hour = 3_600_000;
  const make = (names: readonly string[], notAfter = now + 90 * 24 * hour) => {
    const { pem, keyPem } = makeLeaf(root, names, { notBefore: now - hour, notAfter });
    return { pem: pem + root.pem, keyPem };
  };

  /** A source that serves `first`, watched, and how often it has asked to be read again. */
  async function serveFirst(first = make(['a.example']), hosts = ['a.example']) {
    const folder = temporaryFolder();
    const given = parts(hosts);
    const files = writePair(folder, 'server', first.pem, first.keyPem);
    const source = new FileSource([files], given);
    onTestFinished(() => source.stop());
    await source.load();
    let asked = 0;
    const start = () => source.start(() => (asked += 1));
    const put = ({ pem, keyPem }: { pem: string; keyPem: string }) =>
      writePair(folder, 'server', pem, keyPem);
    return { ...given, source, files, first, put, start, asked: () => asked };
  }

  it('are served as soon as they are whole', async () => {
    const { source, put, log } = await serveFirst();
    const second = make(['a.example', 'b.example']);
    put(second);
    const [bundle] = await source.load();
    expect(bundle.chainPem).toBe(second.pem);
    expect(log.of('certificate.replaced')).toMatchObject([{ serial: '42' }]);
  });

  it('are read again while they are half written; then the complaint comes once', async () => {
    const { source, put, first, start, clock, log, asked } = await serveFirst();
    put({ ...first, keyPem: makeKey() });
    start();
    for (const times of [1, 2]) {
      const [bundle] = await source.load();
      expect(bundle.chainPem).toBe(first.pem);
      expect(log.of('certificate.failed')).toEqual([]);
      clock.advance(2000);
      expect(asked()).toBe(times);
    }
    await source.load();
    expect(log.of('certificate.failed')).toMatchObject([
      { message: expect.stringContaining('does not belong to the certificate') },
    ]);
  });

  it.each([
    ['has run out', make(['a.example'], now - 1000), /expired at/],
    ['lost a name of this server', make(['b.example']), /does not carry a\.example/],
    [
      'came without its issuer',
      makeLeaf(intermediate, ['a.example'], life),
      /ends with a certificate issued by/,
    ],
  ])('are refused when the new one %s, and the old one is served on', async (_, second, message) => {
    const { source, put, first, log } = await serveFirst(); // not started: there are no more tries
    put(second);
    const [bundle] = await source.load();
    expect(bundle.chainPem).toBe(first.pem);
    expect(log.of('certificate.failed')).toMatchObject([
      { message: expect.stringMatching(message), hint: expect.anything() },
    ]);
  });

  it('are taken whatever they are when the old one has run out', async () => {
    const { source, put, clock } = await serveFirst(make(['a.example'], now + hour));
    clock.advance(2 * hour);
    const second = make(['b.example']);
    put(second);
    const [bundle] = await source.load();
    expect(bundle.chainPem).toBe(second.pem);
  });

  it('raise doubts at the start, where there is nothing better: names and issuers', async () => {
    const { log } = await serveFirst(makeLeaf(intermediate, ['*.a.example'], life), [
      'x.a.example',
      'b.example',
    ]);
    expect(log.of('certificate.doubted').map(({ message }) => message)).toEqual([
      expect.stringContaining('"CN=Test intermediate"'),
      expect.stringContaining('does not carry b.example'),
    ]);
  });
});
