import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { CertificateKeeper } from '../../src/certificates/certificate-keeper.ts';
import type { CertificateBundle, CertificateSource } from '../../src/certificates/certificate-source.ts';
import { type LocalSourceOptions, openLocalSource } from '../../src/certificates/local-source.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { makeIssuer, makeKey, makeLeaf, writePair } from '../support/certificate-files.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const day = 86_400_000;

function keeperOf(options: Partial<LocalSourceOptions> = {}) {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const certsDir = options.certsDir ?? temporaryFolder();
  const parts = { clock, log, random: systemRandom, machineName: 'studio' };
  const source = openLocalSource({ certificate: 'self-signed', hosts: [], ...options, certsDir }, parts);
  const keeper = new CertificateKeeper(source, parts);
  return { keeper, clock, log, certsDir };
}

/** One day passes, and the look that it brings. */
async function nextLook({ keeper, clock }: ReturnType<typeof keeperOf>, days = 1): Promise<void> {
  clock.advance(days * day);
  await keeper.stop();
  await keeper.start();
}

describe('the certificate keeper', () => {
  it('knows its names and files, and serves only after its start', async () => {
    const { keeper, certsDir, clock } = keeperOf({ hosts: ['ingest.example.com'] });
    expect(() => keeper.contextFor(undefined)).toThrow('not started');
    await keeper.start();
    expect(keeper.kind).toBe('development');
    expect(keeper.names).toEqual(['ingest.example.com', 'localhost', '127.0.0.1', '::1', 'studio']);
    expect(keeper.certificateFile).toBe(join(certsDir, 'development/leaf.pem'));
    expect(keeper.caFile).toBe(join(certsDir, 'development/ca.pem'));
    expect(keeper.contextFor('ingest.example.com')).toBe(keeper.contextFor(undefined));
    await keeper.stop();
    await keeper.stop();
    expect(clock.timers).toBe(0);
  });

  it('looks every day and renews while it runs', async () => {
    const { keeper, clock, log, certsDir } = keeperOf();
    await keeper.start();
    const renewed = new Promise<void>((resolve) => keeper.onRenewed(resolve));
    const before = keeper.contextFor(undefined);
    clock.advance(365 * day); // 365 looks at once: one does the work
    await keeper.stop();
    expect(keeper.contextFor(undefined)).toBe(before);
    await keeper.start();
    clock.advance(3 * day);
    await renewed;
    await keeper.stop();
    expect(log.events).toContain('certificate.issued');
    expect(keeper.contextFor(undefined)).not.toBe(before);
    const leaf = new X509Certificate(readFileSync(join(certsDir, 'development/leaf.pem')));
    expect(Date.parse(leaf.validTo)).toBe(keeper.bundleFor(undefined).notAfter);
    expect(Date.parse(leaf.validTo) - clock.now()).toBeGreaterThan(395 * day);
  });

  it('serves on what it has when a look fails, and says so', async () => {
    const folder = temporaryFolder();
    const setup = keeperOf({ certificate: { cert: join(folder, 'a.pem'), key: join(folder, 'a.key') } });
    const now = setup.clock.now();
    const issuer = makeIssuer('Test root', now);
    const first = makeLeaf(issuer, ['a.example'], { notBefore: now, notAfter: now + 90 * day });
    const files = writePair(folder, 'a', first.pem, first.keyPem);
    const { keeper, clock, log } = setup;
    await keeper.start();
    const served = keeper.contextFor(undefined);
    let renewals = 0;
    keeper.onRenewed(() => (renewals += 1));

    writeFileSync(files.key, makeKey()); // half of a renewal
    clock.advance(day);
    await vi.waitFor(() => {
      clock.advance(2000); // it is read again before it counts as wrong
      expect(log.of('certificate.failed')).toMatchObject([{ code: 'CERTIFICATE_FILE_UNUSABLE' }]);
    });
    await keeper.stop();
    expect(keeper.contextFor(undefined)).toBe(served);

    const second = makeLeaf(issuer, ['a.example', 'b.example'], {
      notBefore: now,
      notAfter: now + 180 * day,
    });
    writePair(folder, 'a', second.pem, second.keyPem);
    await keeper.start();
    expect(renewals).toBe(1);
    expect(keeper.names).toEqual(['a.example', 'b.example']);
    await keeper.stop();
  });

  it('reminds before the end of a file, complains after it, and serves all the same', async () => {
    const folder = temporaryFolder();
    const setup = keeperOf({ certificate: [{ cert: join(folder, 'a.pem'), key: join(folder, 'a.key') }] });
    const now = setup.clock.now();
    const life = { notBefore: now + day / 2, notAfter: now + 100 * day };
    const root = makeIssuer('Test root', now);
    const leaf = makeLeaf(root, ['a.example'], life);
    writePair(folder, 'a', leaf.pem + root.pem, leaf.keyPem);
    await setup.keeper.start();
    expect(setup.log.of('certificate.expired')).toMatchObject([
      { message: expect.stringContaining('is not valid before') },
    ]);
    await nextLook(setup);
    expect(setup.log.lines).toHaveLength(1);
    await nextLook(setup, 86);
    expect(setup.log.lines[1]).toMatchObject({ level: 'warn', event: 'certificate.nearly-expired' });
    await nextLook(setup, 14);
    expect(setup.log.lines.at(-1)).toMatchObject({
      level: 'error',
      event: 'certificate.expired',
      fields: {
        code: 'CERTIFICATE_UNUSABLE',
        message: expect.stringContaining('expired at 2027-03-02'),
        hint: expect.anything(),
      },
    });
    expect(setup.keeper.contextFor('a.example')).toBeDefined();
    await setup.keeper.stop();
  });

  it('starts and stops its source, and loads again whenever that asks, one more time if it asks meanwhile', async () => {
    const now = Date.UTC(2026, 10, 22);
    const issuer = makeIssuer('Test root', now);
    const make = (): CertificateBundle => {
      const life = { notBefore: now - day, notAfter: now + 90 * day };
      const { pem, keyPem } = makeLeaf(issuer, ['a.example'], life);
      const told = { names: ['a.example'], issuer: 'CN=Test root', serial: '42', file: 'a.pem' };
      return { ...told, ...life, chainPem: pem, keyPem: new Secret(keyPem) };
    };
    let bundle = make();
    let loads = 0;
    let ask: (() => void) | undefined;
    const source: CertificateSource = {
      kind: 'acme',
      certificateFile: 'a.pem',
      authorityFile: undefined,
      load: async () => {
        loads += 1;
        const found = bundle;
        await Promise.resolve();
        return [found];
      },
      start: (changed) => (ask = changed),
      stop: async () => (ask = undefined),
    };
    const keeper = new CertificateKeeper(source, { clock: new FakeClock(now), log: new RecordedLog() });
    await keeper.start();
    const renewed: string[] = [];
    keeper.onRenewed(() => renewed.push(keeper.bundleFor('a.example').chainPem));
    bundle = make();
    ask?.();
    bundle = make(); // after the look had read
    ask?.();
    ask?.();
    await vi.waitFor(() => expect(renewed.at(-1)).toBe(bundle.chainPem));
    expect(loads).toBe(3);
    await keeper.stop();
    expect(ask).toBeUndefined();
  });
});
