// The loop, with a clock that is turned by hand: what is served on good and bad days, and what an authority sees.
import { cpSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AcmeIssuer } from '../../src/acme/acme-issuer.ts';
import { AcmeSource } from '../../src/acme/acme-source.ts';
import type { CertificateSource } from '../../src/certificates/certificate-source.ts';
import { openLocalSource } from '../../src/certificates/local-source.ts';
import { acmeStage, settledWith } from '../support/acme-stage.ts';
import type { AuthorityMood } from '../support/fake-authority.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

type Stage = Awaited<ReturnType<typeof acmeStage>>;

function sourceOn({ options, parts }: Stage): { source: AcmeSource; changes: () => number } {
  const local = { certificate: 'self-signed', hosts: options.hosts, certsDir: options.certsDir } as const;
  const fallback: CertificateSource = openLocalSource(local, { ...parts, machineName: 'studio' });
  const source = new AcmeSource(options, fallback, parts);
  let changes = 0;
  source.start(() => (changes += 1));
  return { source, changes: () => changes };
}

/** Lets so much time pass, in steps in which the network can keep up. */
async function pass(stage: Stage, milliseconds: number, step: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += step) {
    stage.clock.advance(step);
    await settledWith(stage);
  }
}

describe('on a good day', () => {
  it('serves the development certificate, then its own, and renews it at two thirds of its life', async () => {
    const stage = await acmeStage();
    const { source, changes } = sourceOn(stage);
    const [first] = await source.load();
    expect([source.kind, first.issuer]).toEqual(['development', expect.stringContaining('Penstock')]);
    expect(source.authorityFile).toMatch(/ca\.pem$/);
    expect(stage.log.of('certificate.substituted')).toMatchObject([{ names: 'a.example' }]);
    expect(stage.authority.requests).toEqual([]); // not before the doors are open
    source.begin();
    await pass(stage, 2000, 500);
    expect(changes()).toBeGreaterThan(0);
    const [second] = await source.load();
    expect([source.kind, second.issuer, source.authorityFile]).toEqual([
      'acme',
      'CN=Fake authority',
      undefined,
    ]);
    const asked = stage.authority.requests.length;
    await pass(stage, 56 * day, day);
    expect(stage.log.of('certificate.issued')).toHaveLength(1);
    expect(stage.authority.requests.length - asked).toBeLessThan(56 * 3); // it looks whether there is renewal info
    await pass(stage, 5 * day, 3 * hour);
    expect(stage.log.of('certificate.issued')).toHaveLength(2);
    expect(changes()).toBeGreaterThan(1);
    await source.stop();
    await source.stop();
    expect(stage.clock.timers).toBe(0);
  });

  it('takes over within seconds what another process is about to get', async () => {
    const stage = await acmeStage();
    const { source } = sourceOn(stage);
    await source.load();
    await stage.store.prepare();
    const lock = stage.store.lock();
    source.begin();
    await pass(stage, 2000, 500);
    const other = await acmeStage();
    await new AcmeIssuer(other.options, other.parts).attempt(false);
    cpSync(other.store.certificateFile('ecdsa'), stage.store.certificateFile('ecdsa'));
    lock?.release();
    await pass(stage, 6000, 1000);
    expect((await source.load())[0].issuer).toBe('CN=Fake authority');
    expect(source.kind).toBe('acme');
    expect(stage.authority.asked('/newOrder')).toEqual([]);
    await source.stop();
  });

  it('takes over at once what another process has got', async () => {
    const stage = await acmeStage();
    const { source, changes } = sourceOn(stage);
    await source.load();
    const other = sourceOn(stage).source;
    await other.load();
    other.begin();
    await pass(stage, 2000, 500);
    await other.stop();
    const asked = stage.authority.asked('/newOrder').length;
    source.begin();
    await pass(stage, 2000, 500);
    expect(changes()).toBeGreaterThan(0);
    expect(stage.authority.asked('/newOrder')).toHaveLength(asked);
    await source.stop();
  });
});

describe.each<AuthorityMood>(['hanging', 'failing', 'limiting', 'refusing', 'garbled'])(
  'with an authority that is %s',
  (mood) => {
    it('a certificate is served at once, and next to nothing asked, however often the process restarts', async () => {
      const stage = await acmeStage();
      stage.authority.mood = mood;
      const perMinute: number[] = [];
      const issuers = new Set<string>();
      let { source } = sourceOn(stage);
      for (let turn = 0; turn < 120; turn += 1) {
        if (turn % 10 === 0) {
          await source.stop();
          ({ source } = sourceOn(stage));
          issuers.add((await source.load())[0].issuer);
          source.begin();
        }
        const before = stage.authority.requests.length;
        await pass(stage, 30_000, 15_000);
        perMinute.push(stage.authority.requests.length - before);
      }
      await source.stop();
      expect([...issuers]).toEqual([expect.stringMatching(/Penstock/)]);
      const total = stage.authority.requests.length;
      expect(total).toBeGreaterThan(0);
      expect(total).toBeLessThan(60);
      // In any ten minutes fewer than six a minute; one attempt has to be whole, so a single minute may hold more.
      const worst = Math.max(
        ...perMinute.map((_, at) => perMinute.slice(at, at + 20).reduce((a, b) => a + b)),
      );
      expect(worst).toBeLessThan(60);
      expect(mood === 'refusing' || Math.max(...perMinute) < 6).toBe(true);
      expect(stage.authority.asked('/challenge').length).toBeLessThanOrEqual(4);
    });

    it('recovers by itself, and says why it took so long', async () => {
      const stage = await acmeStage();
      stage.authority.mood = mood;
      const { source } = sourceOn(stage);
      await source.load();
      source.begin();
      await pass(stage, 30_000, 5000);
      expect((await stage.store.readState()).lastError?.reason).toMatch(
        {
          hanging: /does not answer/,
          failing: /failing \(HTTP 503\)/,
          limiting: /rate limit/,
          refusing: /firewall: .*a\.example: Connection refused/,
          garbled: /no ACME directory/,
          well: /never/,
        }[mood],
      );
      expect(stage.log.of('renewal.failed')).toMatchObject([
        { code: 'ACME_FAILED', hint: expect.anything() },
      ]);
      stage.authority.mood = 'well';
      await pass(stage, 3 * hour, 5 * minute);
      expect((await source.load())[0].issuer).toBe('CN=Fake authority');
      expect(await stage.store.readState()).toMatchObject({ failures: 0 });
      expect(await stage.store.readState()).not.toHaveProperty('lastError');
      await source.stop();
    });
  },
);

it('a failing renewal leaves the last good certificate in place, and is louder as the end comes near', async () => {
  const stage = await acmeStage();
  const { source } = sourceOn(stage);
  await source.load();
  source.begin();
  await pass(stage, 2000, 500);
  const [good] = await source.load();
  stage.authority.mood = 'failing';
  await pass(stage, 62 * day, day);
  const levels = () =>
    stage.log.lines.filter(({ event }) => event === 'renewal.failed').map(({ level }) => level);
  expect(new Set(levels())).toEqual(new Set(['warn']));
  await pass(stage, 20 * day, 12 * hour);
  expect(levels().at(-1)).toBe('error');
  expect((await source.load())[0].chainPem).toBe(good.chainPem);
  await source.stop();
});
