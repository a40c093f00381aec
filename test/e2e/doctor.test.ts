// The doctor at the doors of the real appliance: through each of them, with good keys and bad, and without a trace.
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { schemes, type Scheme, streamUrl } from '../../src/doctor/stream-url.ts';
import { examineUrl } from '../../src/doctor/url-examination.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { TestAppliance } from '../support/appliance.ts';
import { testNetwork } from '../support/doctor-network.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const everyDoor = [...schemes, 'https'];
const tls = ['rtmps', 'rtmpts', 'rtmpte', 'https'];
const listeners = [everyDoor, tls].map((accept) => ({ address: '127.0.0.1:0', accept }));
let appliance: TestAppliance;

beforeAll(async () => {
  appliance = await TestAppliance.start({ listeners }, temporaryFolder(afterAll));
});
afterAll(() => appliance.stop());

async function examine(scheme: Scheme, key: string | undefined, listener = 0) {
  const url = streamUrl(scheme, 'localhost', appliance.ports[listener] ?? 0, 'live');
  const { findings } = await examineUrl(url, {
    network: testNetwork(),
    clock: systemClock,
    random: systemRandom,
    key: key === undefined ? undefined : new Secret(key),
    keyUntried: 'no key was given',
    development: { certificate: new X509Certificate(readFileSync(appliance.caFile)), file: appliance.caFile },
  });
  return { findings, states: findings.map(({ check, state }) => `${check} ${state}`), last: findings.at(-1) };
}

/** Waits until the server has nothing of it any more. */
async function nothingRecorded(stream: string): Promise<string[]> {
  await appliance.finishedRecordings(stream, 0);
  const folder = `${appliance.config.recorder.directory}/${stream}`;
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe('the doctor', () => {
  it.each(schemes)('gets through %s with a good key, and leaves nothing behind', async (scheme) => {
    const { key, stream } = await appliance.createKey(`live/doctor-${scheme}`);
    const { states, last } = await examine(scheme, key);
    const secured = ['tls ok', 'certificate warning', 'certificate-name ok'];
    const link = scheme === 'rtmps' || scheme === 'rtmpts' ? secured : ['tls warning'];
    expect(states).toEqual(['name ok', 'port ok', ...link, 'handshake ok', 'connect ok', 'key ok']);
    expect(last?.says).toBe('the key was accepted; nothing was published');
    expect(await nothingRecorded(stream)).toEqual([]);
    expect(appliance.logged('publish.ended').findLast((line) => line['stream'] === stream)).toMatchObject({
      reason: 'unpublished',
      bytes: 0,
    });
  });

  it('stops after connect without a key: the gate is not asked', async () => {
    const asked = appliance.logged('publish.started').length + appliance.logged('publish.refused').length;
    expect((await examine('rtmps', undefined)).states.slice(-2)).toEqual(['connect ok', 'key not-tried']);
    expect(appliance.logged('publish.started').length + appliance.logged('publish.refused').length).toBe(
      asked,
    );
  });

  it('tells what the server says to a wrong key', async () => {
    const { key, id } = await appliance.createKey('live/doctor-revoked');
    await appliance.setKeyState(id, 'revoke');
    const { states, last } = await examine('rtmps', key);
    expect(states.at(-1)).toBe('key failed');
    expect(last?.says).toContain('This stream key was not accepted');
  });

  it.each(['rtmp', 'rtmpt', 'rtmpe'] as const)(
    'hears that %s is switched off, and what to use',
    async (scheme) => {
      const { findings, states } = await examine(scheme, 'psk_whatever', 1);
      const refused = findings.find(({ state }) => state === 'failed');
      expect(refused?.says).toMatch(/is switched off here; use rtmps:\/\//);
      expect(states.at(-1)).toBe('key not-tried');
    },
  );
});
