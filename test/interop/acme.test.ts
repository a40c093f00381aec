// Certificates from a real ACME authority (pebble), by each of the three challenges, served on the very port that
// takes RTMPS; and a real encoder that checks them.
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TestAppliance, type TestSettings } from '../support/appliance.ts';
import { freePorts } from '../support/free-ports.ts';
import { Pebble, trustedSerial } from '../support/pebble.ts';
import { makeSample, publishWithFfmpeg } from '../support/real-clients.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
let tlsPort = 0;
let httpPort = 0;
let pebble: Pebble;
let root = '';

beforeAll(async () => {
  [tlsPort = 0, httpPort = 0] = await freePorts(2);
  pebble = await Pebble.start({ folder, tlsPort, httpPort, badNonces: 20 });
  root = await pebble.root();
});
afterAll(() => pebble.stop());

async function startWith(settings: TestSettings): Promise<TestAppliance> {
  const appliance = await TestAppliance.start({
    hosts: ['a.test', 'b.test'],
    listeners: [
      { address: `127.0.0.1:${tlsPort}`, accept: ['rtmps', 'https'] },
      { address: `127.0.0.1:${httpPort}`, accept: ['rtmps', 'http'] },
    ],
    'tls.certificate': 'acme',
    'acme.directoryUrl': pebble.directoryUrl,
    'acme.caFile': pebble.caFile,
    ...settings,
  });
  onTestFinished(() => appliance.stop());
  return appliance;
}

const trusted = (servername: string, options: ConnectionOptions = {}) =>
  trustedSerial({ port: tlsPort, servername, ca: root, ...options });

/** A program that keeps pebble's DNS, as an operator would write it. */
function dnsHook(): string {
  const path = join(folder, 'dns-hook');
  writeFileSync(
    path,
    `#!/bin/sh
case $1 in
  add) action=set-txt ;;
  remove) action=clear-txt ;;
esac
exec curl -sf -d "{\\"host\\": \\"$2.\\", \\"value\\": \\"$3\\"}" ${pebble.dnsUrl}/$action
`,
  );
  chmodSync(path, 0o755);
  return path;
}

describe('a certificate from ACME is served within 10 s of the first start', () => {
  it.each(['tls-alpn-01', 'http-01', 'dns-01'])('by %s', { timeout: 30_000 }, async (challenge) => {
    const begin = performance.now();
    const appliance = await startWith({
      'acme.challenge': challenge,
      ...(challenge === 'dns-01' && {
        'acme.dnsHook': dnsHook(),
        hosts: ['a.test', 'b.test', '*.b.test'],
      }),
    });
    expect(await trusted('a.test')).toBeUndefined(); // the development certificate answers meanwhile
    await eventually('a certificate', () => trusted('b.test'));
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(await trusted('a.test')).toBe(await trusted('b.test'));
    expect((await trusted('any.b.test')) !== undefined).toBe(challenge === 'dns-01');
    expect(appliance.caFile).toBe('');
    const actions = (await appliance.audit()).map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['authority.created', 'certificate.issued']));

    const certs = join(appliance.folder, 'certs/acme');
    const [authority = ''] = readdirSync(certs);
    const files = readdirSync(join(certs, authority)).filter((name) =>
      /^[a-z]+\.(?:json|key|pem)$/.test(name),
    );
    expect(files.toSorted()).toEqual(['account.json', 'account.key', 'certificate.pem', 'state.json']);
    for (const file of files) expect(statSync(join(certs, authority, file)).mode & 0o777).toBe(0o600);
  });
});

it('ffmpeg publishes through it with the certificate checked', { timeout: 60_000 }, async () => {
  const appliance = await startWith({ hosts: ['localhost'] });
  await eventually('a certificate', () => trusted('localhost'));
  const caFile = join(folder, 'root.pem');
  writeFileSync(caFile, root);
  const { key } = await appliance.createKey('live/acme');
  const sample = await makeSample(folder, 'h264 and aac', 2);
  const output = ['-f', 'flv', '-tls_verify', '1', '-ca_file', caFile];
  const url = `rtmps://localhost:${tlsPort}/live/${key}`;
  const { code, stderr } = await publishWithFfmpeg(sample, url, { output }).finish();
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect((await appliance.finishedRecording('live/acme')).entry.state).toBe('complete');
  expect(appliance.log.join('')).not.toMatch(/PRIVATE KEY/);
});

it(
  'an address, a second certificate with RSA, and a restart that asks nothing',
  { timeout: 60_000 },
  async () => {
    const appliance = await startWith({ hosts: ['a.test', '127.0.0.1'], 'acme.rsa': true });
    const onlyRsa = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' as const };
    const old = await eventually('a certificate with RSA', () => trusted('a.test', onlyRsa));
    const modern = await trusted('a.test');
    expect(new Set([modern, old]).size).toBe(2);
    const socket = connect({ port: tlsPort, host: '127.0.0.1', ca: root });
    await once(socket, 'secureConnect'); // by its address, without a server name
    socket.destroy();
    await appliance.stop();
    await appliance.open();
    expect(await trusted('a.test')).toBe(modern);
    expect(appliance.logged('certificate.issued')).toHaveLength(2);
  },
);

it('an account that was bound beforehand', { timeout: 30_000 }, async () => {
  const bound = await Pebble.start({
    folder: temporaryFolder(),
    tlsPort,
    httpPort,
    accounts: { 'kid-1': 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' },
  });
  onTestFinished(() => bound.stop());
  const hmacKeyFile = join(folder, 'eab.key');
  writeFileSync(hmacKeyFile, 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n');
  const authority = { 'acme.directoryUrl': bound.directoryUrl, 'acme.caFile': bound.caFile };
  const refused = await startWith(authority);
  await eventually('a refusal', async () => refused.logged('renewal.failed')[0]);
  expect(refused.logged('renewal.failed')).toMatchObject([
    { problem: 'externalAccountRequired', hint: expect.stringContaining('acme.eab'), level: 'error' },
  ]);
  await refused.stop();
  const welcome = await startWith({ ...authority, 'acme.eab': { keyId: 'kid-1', hmacKeyFile } });
  await eventually('a certificate', async () => welcome.logged('certificate.issued')[0]);
});
