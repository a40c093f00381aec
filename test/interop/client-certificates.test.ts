// Encoders that come with a certificate in place of a stream key: ffmpeg over rtmps, and OpenSSL with what a .p12 file
// holds. Who has no right to a stream is refused in words, or by TLS; whose certificate is revoked goes at once.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { certificateRefusal } from '../../src/keys/key-rule.ts';
import type { TestKey } from '../support/appliance.ts';
import { makeIssuer, makeLeaf, writePair } from '../support/certificate-files.ts';
import { eventually } from '../support/eventually.ts';
import { client, makeSample, publishWithFfmpeg } from '../support/real-clients.ts';
import type { RealProcess } from '../support/real-process.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface IssuedAnswer {
  readonly serial: string;
  readonly files: { readonly certificate: string; readonly key: string; readonly pkcs12: string };
  readonly passphrase: string;
}
type Pair = Pick<IssuedAnswer['files'], 'certificate' | 'key'>;

const folder = temporaryFolder(afterAll);
const listeners = [{ address: '127.0.0.1:0', accept: ['rtmps', 'rtmp', 'https'] }];
const asking = new ServerProcess({
  folder: join(folder, 'optional'),
  settings: { listeners, 'tls.clientAuth': 'optional' },
});
const demanding = new ServerProcess({
  folder: join(folder, 'required'),
  settings: { listeners, 'tls.clientAuth': 'required' },
});
let [short, long] = ['', ''];
let key: TestKey;

beforeAll(async () => {
  short = await makeSample(folder, 'h264 and aac', 1);
  long = await makeSample(folder, 'h264 and aac', 30);
  for (const server of [asking, demanding]) {
    mkdirSync(server.folder);
    await server.start();
  }
  key = await asking.createKey('live/camera-1');
});
afterAll(async () => {
  await asking.discard();
  await demanding.discard();
});

async function issue(server: ServerProcess, name: string, keyId: string, ...options: string[]) {
  const answer = await server.json<IssuedAnswer>(
    'cert',
    'client',
    name,
    '--key-id',
    keyId,
    '-o',
    join(server.folder, 'clients'),
    ...options,
  );
  server.secrets.push(answer.passphrase);
  return answer;
}

function publish(
  server: ServerProcess,
  files: Pair | undefined,
  name = 'camera-1',
  live = false,
): RealProcess {
  const shown = files === undefined ? [] : ['-cert_file', files.certificate, '-key_file', files.key];
  const output = ['-f', 'flv', '-tls_verify', '1', '-ca_file', server.caFile, ...shown];
  const url = `rtmps://localhost:${server.port}/live/${name}`;
  return publishWithFfmpeg(live ? long : short, url, { live, output });
}

/** How the encoder and the operator's log tell of it. */
async function refusalOf(server: ServerProcess, files: Pair | undefined, name?: string) {
  const before = server.logged('publish.refused').length;
  const { code, stderr } = await publish(server, files, name).finish(8000);
  expect(code).not.toBe(0);
  return { stderr, reason: server.logged('publish.refused')[before]?.['reason'] };
}

describe('an encoder with a certificate', () => {
  it('publishes without a key, and is recorded as the stream of the key that the certificate names', async () => {
    const { files, serial } = await issue(asking, 'one', key.id);
    const { code, stderr } = await publish(asking, files).finish();
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(await asking.finishedRecording('live/camera-1')).toMatchObject({ keyId: key.id });
    expect(asking.logged('publish.started').at(-1)).toMatchObject({ certificate: serial, key: key.id });
    const audit = await eventually('the audit line', async () =>
      (await asking.json<{ action: string; detail: string }[]>('audit', 'list')).find(
        ({ action }) => action === 'key.used',
      ),
    );
    expect(audit.detail).toContain(`certificate ${serial}, encoder`);
    const used = await eventually('the last use', async () => {
      const shown = await asking.json<Record<string, unknown>>('key', 'show', key.id);
      return shown['lastUsedAt'] === null ? undefined : shown;
    });
    expect(used).toMatchObject({
      lastUsedFrom: '127.0.0.1',
      lastUsedDoor: 'rtmps',
      lastUsedEncoder: expect.stringContaining('Lavf') as string,
    });
  });

  it('may still use a stream key, which then decides', async () => {
    const { files } = await issue(asking, 'with-key', key.id);
    const other = await asking.createKey('live/camera-2');
    expect((await publish(asking, files, other.key).finish()).code).toBe(0);
    expect(await asking.finishedRecording('live/camera-2')).toMatchObject({ keyId: other.id });
  });

  it('is refused another stream in words', async () => {
    const { files } = await issue(asking, 'nosy', key.id);
    const { stderr, reason } = await refusalOf(asking, files, 'camera-9');
    expect(stderr).toContain(certificateRefusal);
    expect(reason).toBe('wrong-stream');
  });

  it('is refused when it was revoked, when the key is disabled, and when a stranger signed it', async () => {
    const revoked = await issue(asking, 'revoked', key.id);
    await asking.cli('cert', 'revoke', revoked.serial);
    expect(await refusalOf(asking, revoked.files)).toMatchObject({ reason: 'certificate-revoked' });

    const disabled = await asking.createKey('live/camera-3');
    const { files } = await issue(asking, 'disabled', disabled.id);
    await asking.cli('key', 'disable', disabled.id);
    expect(await refusalOf(asking, files, 'camera-3')).toMatchObject({ reason: 'disabled' });

    const now = Date.now();
    const life = { notBefore: now - 3_600_000, notAfter: now + 3_600_000 };
    // GnuTLS shows no certificate of an issuer that it was not asked for, so this one calls itself like ours.
    const ours = new X509Certificate(readFileSync(asking.caFile)).subject.replace('CN=', '');
    const stranger = makeLeaf(makeIssuer(ours, now), ['camera-1'], life);
    const { cert, key: strangersKey } = writePair(folder, 'stranger', stranger.pem, stranger.keyPem);
    const refused = await refusalOf(asking, { certificate: cert, key: strangersKey });
    expect(refused).toMatchObject({ reason: 'certificate-unknown' });
    expect(refused.stderr).toContain(certificateRefusal);
  });

  it('without certificate or key is refused as ever', async () => {
    expect(await refusalOf(asking, undefined)).toMatchObject({ reason: 'key-missing' });
  });

  it('goes within a second of its revocation, and hears why; others of the same key stay', async () => {
    const { files, serial } = await issue(asking, 'live', key.id);
    const encoder = publish(asking, files, 'camera-1', true);
    const count = asking.logged('publish.started').length;
    await asking.event('publish.started', count + 1);
    await asking.cli('cert', 'revoke', 'one'); // another one of this key
    expect(encoder.running).toBe(true);
    expect((await asking.cli('cert', 'revoke', 'live')).stdout).toContain(serial);
    const revokedAt = performance.now();
    await asking.event('publish.ended', count + 1);
    expect(performance.now() - revokedAt).toBeLessThan(1000);
    const { stderr } = await encoder.finish();
    expect(stderr).toContain('The client certificate of this session was revoked.');
  });
});

describe('tls.clientAuth: required', () => {
  it('lets nobody through the handshake without a certificate', async () => {
    const { stderr } = await refusalOf(demanding, undefined);
    expect(stderr).not.toContain('NetStream');
    const failed = await eventually('the log', async () => demanding.logged('tls.failed').at(-1));
    expect(String(failed['reason'])).toContain('peer did not return a certificate');
    expect(demanding.logged('session.opened')).toEqual([]);
  });

  it('lets in OpenSSL with what the .p12 holds, and ffmpeg with the PEM files', async () => {
    const own = await demanding.createKey('live/camera-1');
    const { files, passphrase } = await issue(demanding, 'one', own.id);
    const pem = join(folder, 'from-p12.pem');
    const opened = ['pkcs12', '-in', files.pkcs12, '-passin', `pass:${passphrase}`, '-noenc', '-out', pem];
    execFileSync('openssl', opened);
    const connection = ['-connect', `localhost:${demanding.port}`, '-CAfile', demanding.caFile];
    const shown = client('openssl', [
      's_client',
      ...connection,
      '-cert',
      pem,
      '-key',
      pem,
      '-verify_return_error',
    ]);
    await shown.until('the handshake', () => (/Verify return code: 0/.test(shown.stdout) ? true : undefined));
    expect((await publish(demanding, files).finish()).code).toBe(0);
    await demanding.finishedRecording('live/camera-1');
  });
});

describe('certificate files that are replaced under a live publisher', () => {
  it('are shown to who comes next, and the publisher notices nothing', async () => {
    const now = Date.now();
    const root = makeIssuer('Own root', now);
    const names = ['localhost'];
    const make = (days: number) => {
      const { pem, keyPem } = makeLeaf(root, names, {
        notBefore: now - 3_600_000,
        notAfter: now + days * 86_400_000,
      });
      return { pem: pem + root.pem, keyPem };
    };
    const own = join(folder, 'own');
    mkdirSync(own);
    const first = make(30);
    const pair = writePair(own, 'server', first.pem, first.keyPem);
    const server = new ServerProcess({ folder: own, settings: { listeners, 'tls.certificate': pair } });
    onTestFinished(() => server.discard());
    await server.start();
    const shown = () => {
      const hello = ['s_client', '-connect', `localhost:${server.port}`, '-servername', 'localhost'];
      const text = execFileSync('openssl', hello, {
        input: '',
        stdio: ['pipe', 'pipe', 'ignore'],
      }).toString();
      return new X509Certificate(text.slice(text.indexOf('-----BEGIN'))).validTo;
    };
    const before = shown();
    const { key: secret } = await server.createKey('live/camera-1');
    const encoder = publishWithFfmpeg(long, `rtmps://localhost:${server.port}/live/${secret}`, {
      live: true,
    });
    await server.event('publish.started');
    const second = make(60);
    writePair(own, 'server', second.pem, second.keyPem);
    await server.event('certificate.replaced');
    await eventually('the new certificate', async () => (shown() === before ? undefined : true));
    writeFileSync(pair.key, first.keyPem); // a pair that does not fit
    await server.event('certificate.failed');
    expect(new Date(shown()).getTime()).toBeGreaterThan(now + 59 * 86_400_000);
    expect(encoder.running).toBe(true);
    expect(server.logged('publish.ended')).toEqual([]);
    encoder.kill('SIGTERM');
    await encoder.finish();
    await server.finishedRecording('live/camera-1');
  });
});

describe('what is written down', () => {
  it('holds no private key and no passphrase', () => {
    for (const server of [asking, demanding]) {
      for (const secret of server.secrets) expect(server.log).not.toContain(secret);
      expect(server.log).not.toContain('PRIVATE KEY');
    }
    const database = readFileSync(join(asking.folder, 'data', 'penstock.sqlite'), 'latin1');
    expect(database).not.toContain('PRIVATE KEY');
  });
});
