// An authority on its bad days: the RTMPS port answers within a second of the start, publishing works, hardly
// anything is asked of the authority, and cert status says in words what is wrong.
import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { AcmeProxy, type Mood } from '../support/acme-proxy.ts';
import { TestAppliance } from '../support/appliance.ts';
import { makeIssuer, makeLeaf } from '../support/certificate-files.ts';
import { Encoder } from '../support/encoder.ts';
import { eventually } from '../support/eventually.ts';
import { freePorts } from '../support/free-ports.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';
import { Pebble } from '../support/pebble.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const frames = syntheticFrames('bad days', 1);
let port = 0;
let strangerPort = 0;
let pebble: Pebble;
let proxy: AcmeProxy;

beforeAll(async () => {
  [port = 0, strangerPort = 0] = await freePorts(2);
  // It validates at a port where nobody, or somebody else, answers.
  pebble = await Pebble.start({
    folder: temporaryFolder(afterAll),
    tlsPort: strangerPort,
    httpPort: strangerPort,
  });
  proxy = await AcmeProxy.start(pebble);
});
afterAll(async () => {
  await proxy.stop();
  await pebble.stop();
});

it.each<[Mood | 'down', RegExp]>([
  ['down', /cannot be reached: .*ECONNREFUSED/],
  ['hanging', /^$/], // nothing to tell yet
  ['failing', /failing \(HTTP 500\)/],
  ['limiting', /^rate limit: /],
  ['well', /^firewall: the authority cannot connect to a\.test/],
])('%s', async (mood, reason) => {
  proxy.mood = mood === 'down' ? 'well' : mood;
  proxy.passed.length = 0;
  const [nowhere = 0] = await freePorts(1);
  const begin = performance.now();
  const appliance = await TestAppliance.start({
    hosts: ['a.test'],
    listeners: [{ address: `127.0.0.1:${port}`, accept: ['rtmps', 'https'] }],
    'tls.certificate': 'acme',
    'acme.directoryUrl': mood === 'down' ? `https://127.0.0.1:${nowhere}/dir` : proxy.directoryUrl,
    'acme.caFile': pebble.caFile,
  });
  onTestFinished(() => appliance.stop());
  const socket = connect({ port, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.destroy();
  expect(performance.now() - begin).toBeLessThan(1000);

  const { key } = await appliance.createKey('live/bad');
  const encoder = new Encoder({ port, name: key, tls: { rejectUnauthorized: false } });
  await encoder.published;
  for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
  await encoder.finish();
  const { path } = await appliance.finishedRecording('live/bad');
  expect(firstDifference(frames, framesIn(path))).toBeUndefined();

  if (mood !== 'hanging') await eventually('a failure', async () => appliance.logged('renewal.failed')[0]);
  const [failed] = appliance.logged('renewal.failed');
  expect(failed?.['reason'] ?? '').toMatch(reason);
  const failures = (await appliance.audit()).filter(({ action }) => action === 'certificate.failed');
  expect(failures.map(({ detail }) => detail)).toEqual(failed === undefined ? [] : [failed['reason']]);
  // One attempt: with the challenge it takes a handful, and the next is more than a minute away.
  expect(proxy.passed.length).toBeLessThan(mood === 'well' ? 12 : 2);
});

it.each([
  ['proves nothing of the kind', ['acme-tls/1']],
  ['knows no ACME', []],
])('another server that %s answers at the name', async (_, ALPNProtocols) => {
  proxy.mood = 'well';
  const leaf = makeLeaf(makeIssuer('Stranger', Date.now()), ['a.test'], {
    notBefore: Date.now() - 1000,
    notAfter: Date.now() + 86_400_000,
  });
  const stranger = createServer({ cert: leaf.pem, key: leaf.keyPem, ALPNProtocols }, (socket) =>
    socket.end(),
  );
  stranger.on('tlsClientError', () => undefined);
  await once(stranger.listen(strangerPort, '127.0.0.1'), 'listening');
  onTestFinished(() => void stranger.close());
  const appliance = await TestAppliance.start({
    hosts: ['a.test'],
    listeners: [{ address: `127.0.0.1:${port}`, accept: ['rtmps'] }],
    'tls.certificate': 'acme',
    'acme.directoryUrl': proxy.directoryUrl,
    'acme.caFile': pebble.caFile,
  });
  onTestFinished(() => appliance.stop());
  const failed = await eventually('a failure', async () => appliance.logged('renewal.failed')[0]);
  expect(failed['reason']).toMatch(/^another server answers for a\.test: /);
  expect(failed['hint']).toMatch(/^port 443 of that name must lead/);
});
