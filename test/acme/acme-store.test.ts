import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { acmeLimits } from '../../src/acme/acme-limits.ts';
import { emptyState, formatState } from '../../src/acme/acme-state.ts';
import { AcmeStore, bundleOf } from '../../src/acme/acme-store.ts';
import { Secret } from '../../src/bytes/secret.ts';
import { makeIssuer, makeKey, makeLeaf } from '../support/certificate-files.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function openStore(certsDir = temporaryFolder(), directoryUrl = 'https://acme.example/directory?x=1') {
  const log = new RecordedLog();
  const clock = new FakeClock();
  const store = new AcmeStore(certsDir, directoryUrl, { clock, log, random: { bytes: seededRandom('s') } });
  return { store, log, clock, certsDir };
}

const now = Date.UTC(2026, 10, 22);
const leaf = makeLeaf(makeIssuer('Root', now), ['a.example'], { notBefore: now, notAfter: now + 1e9 });
const pair = { chainPem: leaf.pem, keyPem: new Secret(leaf.keyPem) };
const order = {
  url: 'https://acme.example/order/1',
  kind: 'ecdsa',
  names: 'a.example',
  keyPem: pair.keyPem,
} as const;

it('keeps everything in one folder for each authority, closed to others, and reads it again', async () => {
  const { store, certsDir } = openStore();
  await store.saveAccount({ keyPem: pair.keyPem });
  expect((await store.readAccount())?.url).toBeUndefined();
  await store.saveAccount({ keyPem: pair.keyPem, url: 'https://acme.example/account/1' });
  await store.saveCertificate('ecdsa', pair);
  await store.saveOrder(order);
  await store.saveState({ ...emptyState, failures: 2 });

  const { store: later, log } = openStore(certsDir);
  expect(later.folder).toBe(join(certsDir, 'acme/acme.example-directory-x-1'));
  expect(openStore(certsDir, 'https://other.example/').store.folder).not.toBe(later.folder);
  expect((await later.readAccount())?.url).toBe('https://acme.example/account/1');
  expect((await later.readState()).failures).toBe(2);
  expect((await later.readOrder())?.keyPem.reveal()).toBe(leaf.keyPem);
  expect(await later.readCertificate('ecdsa')).toMatchObject({
    names: ['a.example'],
    serial: '42',
    issuer: 'CN=Root',
    notAfter: now + 1e9,
    file: later.certificateFile('ecdsa'),
  });
  expect(await later.readCertificate('rsa')).toBeUndefined();
  const mode = (name: string) => statSync(join(later.folder, name)).mode & 0o777;
  expect(mode('.')).toBe(0o700);
  expect(readdirSync(later.folder).map((name) => [name, mode(name)])).toEqual(
    ['account.json', 'account.key', 'certificate.pem', 'order.json', 'state.json'].map((name) => [
      name,
      0o600,
    ]),
  );
  await later.removeOrder();
  await later.removeOrder();
  expect(await later.readOrder()).toBeUndefined();
  expect(log.events).toEqual([]);
});

it.each([
  ['state.json', '{"failures":', (store: AcmeStore) => store.readState(), emptyState],
  [
    'state.json',
    ' '.repeat(acmeLimits.fileSize) + formatState(emptyState),
    (store: AcmeStore) => store.readState(),
    emptyState,
  ],
  ['account.key', 'no key', (store: AcmeStore) => store.readAccount(), undefined],
  ['order.json', '{"url": 1}', (store: AcmeStore) => store.readOrder(), undefined],
  ['certificate.pem', leaf.pem, (store: AcmeStore) => store.readCertificate('ecdsa'), undefined],
  ['certificate.pem', makeKey() + leaf.pem, (store: AcmeStore) => store.readCertificate('ecdsa'), undefined],
] as const)('a damaged %s is set aside and told', async (name, text, read, expected) => {
  const { store, log } = openStore();
  await store.prepare();
  writeFileSync(join(store.folder, name), text);
  expect(await read(store)).toEqual(expected);
  expect(log.of('certificate.damaged')).toMatchObject([{ file: join(store.folder, name) }]);
  expect(readFileSync(join(store.folder, `${name}.damaged`), 'utf8')).toBe(text);
  expect(await read(store)).toEqual(expected);
  expect(log.lines).toHaveLength(1);
});

it('a folder in the place of a file is set aside too, over what was set aside before', async () => {
  const { store, log } = openStore();
  await store.prepare();
  for (let turn = 1; turn <= 2; turn += 1) {
    mkdirSync(join(store.folder, 'state.json', 'deep'), { recursive: true });
    expect(await store.readState()).toEqual(emptyState);
    expect(log.of('certificate.damaged')).toHaveLength(turn);
  }
  await store.saveState({ ...emptyState, failures: 1 });
  expect(await store.readState()).toMatchObject({ failures: 1 });
});

it("a lock that is damaged is nobody's, and one that is held is respected", async () => {
  const { store } = openStore();
  await store.prepare();
  writeFileSync(
    join(store.folder, 'lock'),
    'no lock at all, and longer than the header that it should begin with',
  );
  expect(store.lock()).toBeUndefined(); // it is made anew the next time
  const lock = store.lock();
  expect(lock).toBeDefined();
  expect(store.lock()).toBeUndefined();
  lock?.release();
  store.lock()?.release();
  rmSync(store.folder, { recursive: true });
  expect(() => store.lock()).toThrow(expect.objectContaining({ code: 'CERTIFICATE_UNUSABLE' }));
});

it('removes what a process that died has left, and nothing that is being written', async () => {
  const { store, clock } = openStore();
  await store.prepare();
  for (const name of ['.new-old', '.new-young']) writeFileSync(join(store.folder, name), '');
  const seconds = clock.now() / 1000;
  utimesSync(join(store.folder, '.new-old'), seconds - 7200, seconds - 7200);
  utimesSync(join(store.folder, '.new-young'), seconds, seconds);
  await store.prepare();
  expect(readdirSync(store.folder)).toEqual(['.new-young']);
});

it('says which folder the file system refuses', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'acme'), 'a file in its place');
  await expect(openStore(folder).store.saveState(emptyState)).rejects.toMatchObject({
    code: 'CERTIFICATE_UNUSABLE',
    message: expect.stringContaining(folder),
  });
});

it('a certificate without a name that clients could check is none', () => {
  expect(bundleOf(leaf.keyPem + leaf.pem, 'f')?.names).toEqual(['a.example']);
  const nameless = makeLeaf(
    makeIssuer('Root', now),
    [],
    { notBefore: now, notAfter: now + 1e9 },
    leaf.keyPem,
  );
  expect(bundleOf(leaf.keyPem + nameless.pem, 'f')).toBeUndefined();
});
