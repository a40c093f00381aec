import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AcmeIssuer, type AcmeOptions } from '../../src/acme/acme-issuer.ts';
import { acmeStage } from '../support/acme-stage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const day = 86_400_000;

async function stageWith(given: Partial<AcmeOptions> = {}) {
  const stage = await acmeStage(given);
  return { ...stage, issuer: new AcmeIssuer(stage.options, stage.parts) };
}

it('registers once, agrees to the terms, and tells the e-mail address', async () => {
  const { authority, issuer, clock } = await stageWith({ email: 'a@a.example' });
  expect(await issuer.attempt(false)).toEqual({ type: 'issued' });
  clock.advance(1000);
  expect(await issuer.attempt(true)).toEqual({ type: 'issued' });
  expect(authority.asked('/newAccount')).toMatchObject([
    { termsOfServiceAgreed: true, contact: ['mailto:a@a.example'] },
  ]);
  expect(await issuer.attempt(false)).toEqual({ type: 'current' });
  expect(authority.asked('/dir')).toHaveLength(2);
});

it('registers anew when the authority has forgotten the account, at the next attempt', async () => {
  const { authority, issuer, clock, store } = await stageWith();
  await issuer.attempt(false);
  authority.mishaps.set('/newOrder', { status: 400, type: 'accountDoesNotExist' });
  expect(await issuer.attempt(true)).toMatchObject({ type: 'failed' });
  const { notBefore } = await store.readState();
  clock.advance(notBefore - clock.now());
  expect(await issuer.attempt(true)).toEqual({ type: 'issued' });
  expect(authority.asked('/newAccount')).toHaveLength(2);
});

it('repeats what was refused for its nonce alone', async () => {
  const { authority, issuer } = await stageWith();
  for (const path of ['/newAccount', '/newOrder', '/finalize'])
    authority.mishaps.set(path, { status: 400, type: 'badNonce' });
  expect(await issuer.attempt(false)).toEqual({ type: 'issued' });
  expect(authority.asked('/newOrder')).toHaveLength(2);
});

it('one at a time: who comes second hears that somebody is at it', async () => {
  const { authority, issuer, options, parts } = await stageWith();
  const other = new AcmeIssuer(options, parts);
  const outcomes = await Promise.all([issuer.attempt(false), other.attempt(false)]);
  expect(outcomes.map(({ type }) => type).sort()).toEqual(['busy', 'issued']);
  expect(authority.asked('/newOrder')).toHaveLength(1);
});

it('an operator cannot use up what the authority grants either', async () => {
  const { authority, issuer } = await stageWith();
  const outcomes = [];
  for (let turn = 0; turn < 6; turn += 1) outcomes.push((await issuer.attempt(true)).type);
  expect(outcomes).toEqual([...Array.from({ length: 4 }, () => 'issued'), 'waiting', 'waiting']);
  expect(authority.asked('/newOrder')).toHaveLength(4);
});

it('replaces by the id of the certificate, and orders without when that is refused', async () => {
  const { authority, issuer, clock, store } = await stageWith();
  const now = clock.now();
  authority.renewalWindow = { start: now + 10 * day, end: now + 11 * day };
  await issuer.attempt(false);
  const bundle = await store.readCertificate('ecdsa');
  await issuer.refreshRenewal(bundle!);
  const { renewal } = await store.readState();
  expect(renewal).toMatchObject({
    serial: bundle?.serial,
    checkAt: now + day / 4,
    window: authority.renewalWindow,
  });
  expect(await issuer.dueAt()).toBe(renewal?.at);
  authority.mishaps.set('/newOrder', { status: 409, type: 'alreadyReplaced' });
  await issuer.attempt(true);
  const [, refused, second] = authority.asked('/newOrder') as Record<string, unknown>[];
  expect(refused).toHaveProperty('replaces');
  expect(second).not.toHaveProperty('replaces');
});

it('renewal information that cannot be had leaves the usual time, and is asked for again', async () => {
  const { authority, issuer, clock, store } = await stageWith();
  await issuer.attempt(false);
  const bundle = await store.readCertificate('ecdsa');
  authority.mood = 'failing';
  await issuer.refreshRenewal(bundle!);
  const { renewal } = await store.readState();
  expect(renewal?.checkAt).toBe(clock.now() + 3_600_000);
  expect(renewal?.at).toBeGreaterThan(clock.now() + 55 * day);
  const asked = authority.requests.length;
  await issuer.refreshRenewal(bundle!);
  expect(authority.requests).toHaveLength(asked);
});

it('two kinds of key are two certificates; one that fails does not cost the other', async () => {
  const { authority, issuer, store, clock } = await stageWith({ rsa: true });
  authority.onValidation = () => {
    // The first order is validated; the second is refused.
    authority.mishaps.set('/newOrder', { status: 500, type: 'serverInternal' });
  };
  expect(await issuer.attempt(false)).toMatchObject({ type: 'failed' });
  const first = await store.readCertificate('ecdsa');
  expect(first).toBeDefined();
  clock.advance(600_000);
  authority.onValidation = () => undefined;
  expect(await issuer.attempt(false)).toEqual({ type: 'issued' });
  expect((await store.readCertificate('ecdsa'))?.serial).toBe(first?.serial);
  const rsa = new X509Certificate((await store.readCertificate('rsa'))!.chainPem);
  expect(rsa.publicKey.asymmetricKeyType).toBe('rsa');
});

it('names that were added are ordered at once', async () => {
  const { issuer, options, parts } = await stageWith();
  await issuer.attempt(false);
  const more = new AcmeIssuer({ ...options, hosts: ['a.example', 'b.example'] }, parts);
  expect(await more.dueAt()).toBe(0);
  expect(await more.attempt(false)).toEqual({ type: 'issued' });
});

it.each<[string, Partial<AcmeOptions>, RegExp]>([
  [
    'a caFile that is not there',
    { caFile: '/nowhere/ca.pem' },
    /\/nowhere\/ca\.pem cannot be read \(ENOENT\)/,
  ],
  [
    'an eab key that is not there',
    { eab: { keyId: 'x', hmacKeyFile: '/nowhere/key' } },
    /acme\.eab\.hmacKeyFile/,
  ],
  ['a profile that is not offered', { profile: 'shortlived' }, /acme\.profile: it has no profiles/],
  ['a hook that fails', { challenge: 'dns-01', dnsHook: '/bin/false' }, /DNS hook failed .*exit code 1/],
])('%s is told in words', async (_, given, words) => {
  const { issuer } = await stageWith(given);
  const outcome = await issuer.attempt(false);
  expect(outcome).toMatchObject({ type: 'failed', failure: { message: expect.stringMatching(words) } });
});

it('asks nothing when it could not write down that it does', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'acme'), 'a file in its place');
  const { issuer, authority } = await stageWith({ certsDir: folder });
  await expect(issuer.attempt(false)).rejects.toMatchObject({ code: 'CERTIFICATE_UNUSABLE' });
  expect(authority.requests).toEqual([]);
});

it('a host that no certificate can carry is refused at once', async () => {
  await expect(stageWith({ hosts: ['a b'] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('a renewal that was put off beyond the end of the certificate, by a damaged file or another clock, is not', async () => {
  const { authority, clock, issuer, store } = await stageWith();
  await issuer.attempt(false);
  const bundle = (await store.readCertificate('ecdsa'))!;
  const far = clock.now() + 1000 * 86_400_000;
  await store.saveState({
    ...(await store.readState()),
    renewal: { serial: bundle.serial, at: far, checkAt: far },
  });
  expect(await issuer.dueAt()).toBe(bundle.notAfter - (bundle.notAfter - bundle.notBefore) / 10);
  authority.renewalWindow = { start: clock.now() + 1000, end: clock.now() + 3000 };
  await issuer.refreshRenewal(bundle);
  expect(await issuer.dueAt()).toBeLessThan(clock.now() + 3000);
});
