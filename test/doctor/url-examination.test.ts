import { describe, expect, it } from 'vitest';
import { streamUrl, type Scheme } from '../../src/doctor/stream-url.ts';
import { examineUrl, type UrlExaminationParts } from '../../src/doctor/url-examination.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { brokenServer, closedPort, testNetwork } from '../support/doctor-network.ts';
import { FakeClock } from '../support/fake-clock.ts';

async function examine(scheme: Scheme, port: number, parts: Partial<UrlExaminationParts> = {}) {
  const { subject, findings } = await examineUrl(streamUrl(scheme, 'h.example', port, 'live'), {
    network: testNetwork(),
    clock: new FakeClock(),
    random: systemRandom,
    key: undefined,
    keyUntried: 'no key was given',
    development: undefined,
    ...parts,
  });
  expect(subject).toBe(`${scheme}://h.example:${port}/live`);
  return findings.map(({ check, state }) => `${check} ${state}`);
}

const untried = (...checks: string[]) => checks.map((check) => `${check} not-tried`);
const tls = ['tls', 'certificate', 'certificate-name'];
const rtmp = ['handshake', 'connect', 'key'];

// The whole way through is in test/e2e/doctor.test.ts.
describe('an examination stops, and says what was not tried,', () => {
  it('without an address', async () => {
    const network = testNetwork({ resolve: () => Promise.resolve([]) });
    expect(await examine('rtmps', 1, { network })).toEqual([
      'name failed',
      ...untried('port', ...tls, ...rtmp),
    ]);
    expect(await examine('rtmp', 1, { network })).toEqual(['name failed', ...untried('port', ...rtmp)]);
  });

  it('at a closed port', async () => {
    expect(await examine('rtmps', await closedPort())).toEqual([
      'name ok',
      'port failed',
      ...untried(...tls, ...rtmp),
    ]);
  });

  it('where no TLS is spoken', async () => {
    const port = await brokenServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const later = untried('certificate', 'certificate-name', ...rtmp);
    expect(await examine('rtmpts', port)).toEqual(['name ok', 'port ok', 'tls failed', ...later]);
  });

  it('where no RTMP is spoken; a name of our own is not asked for', async () => {
    const port = await brokenServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    );
    const found = ['port ok', 'tls warning', 'handshake failed', ...untried('connect', 'key')];
    expect(await examine('rtmp', port, { address: '127.0.0.1' })).toEqual(found);
    expect(await examine('rtmpt', port)).toEqual(['name ok', ...found]);
  });
});
