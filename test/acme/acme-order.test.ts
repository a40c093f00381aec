import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AcmeIssuer, type AcmeOptions } from '../../src/acme/acme-issuer.ts';
import { namesKey } from '../../src/acme/acme-order.ts';
import { parseCertificateName } from '../../src/certificates/certificate-name.ts';
import { makeKey } from '../support/certificate-files.ts';
import type { FakeAuthority } from '../support/fake-authority.ts';
import { acmeStage } from '../support/acme-stage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function stageWith(given: Partial<AcmeOptions> = {}) {
  const stage = await acmeStage(given);
  return { ...stage, issuer: new AcmeIssuer(stage.options, stage.parts) };
}

it('orders names as dns and addresses as ip, in one order', async () => {
  const { authority, issuer } = await stageWith({ hosts: ['b.example', '203.0.113.7'] });
  await issuer.attempt(false);
  expect(authority.asked('/newOrder')).toEqual([
    {
      identifiers: [
        { type: 'dns', value: 'b.example' },
        { type: 'ip', value: '203.0.113.7' },
      ],
    },
  ]);
});

it('shows every answer before the authority looks at the first, and hides them after', async () => {
  const hosts = ['a.example', 'b.example'];
  const { authority, issuer, answers } = await stageWith({ hosts });
  const shown: boolean[] = [];
  authority.onValidation = () => shown.push(...hosts.map((host) => answers.contextFor(host) !== undefined));
  await issuer.attempt(false);
  expect(shown).toEqual([true, true, true, true]);
  expect(answers.contextFor('a.example')).toBeUndefined();
});

it('http-01 shows the key authorization (RFC 8555 8.1)', async () => {
  const { authority, issuer, answers } = await stageWith({ challenge: 'http-01' });
  let page: string | undefined;
  authority.onValidation = () => (page = answers.pageAt('/.well-known/acme-challenge/token-0'));
  await issuer.attempt(false);
  expect(page).toMatch(/^token-0\.[\w-]{43}$/);
  expect(answers.pageAt('/.well-known/acme-challenge/token-0')).toBeUndefined();
});

it('dns-01 adds a record for each name, and removes them, whatever becomes of it', async () => {
  const folder = temporaryFolder();
  const dnsHook = join(folder, 'hook');
  writeFileSync(dnsHook, `#!/bin/sh\necho "$1 $2" >> ${folder}/said\n`);
  chmodSync(dnsHook, 0o755);
  const given = { challenge: 'dns-01', dnsHook, hosts: ['a.example', '*.a.example'] } as const;
  const { authority, issuer } = await stageWith(given);
  authority.mood = 'refusing';
  expect(await issuer.attempt(false)).toMatchObject({
    type: 'failed',
    failure: { problem: { type: 'connection', identifier: 'a.example', challenge: 'dns-01' } },
  });
  const name = '_acme-challenge.a.example';
  expect(readFileSync(join(folder, 'said'), 'utf8').trim().split('\n')).toEqual([
    `add ${name}`,
    `add ${name}`,
    `remove ${name}`,
    `remove ${name}`,
  ]);
});

it('an order that was begun is gone on with after a restart, with its key', async () => {
  const { authority, issuer, options, parts, store, clock } = await stageWith();
  authority.mishaps.set('/certificate', { status: 503, type: 'serverInternal' });
  expect(await issuer.attempt(false)).toMatchObject({ type: 'failed' });
  const begun = await store.readOrder();
  expect(begun?.names).toBe('a.example');
  clock.advance(3_600_000);
  expect(await new AcmeIssuer(options, parts).attempt(false)).toEqual({ type: 'issued' });
  expect(authority.asked('/newOrder')).toHaveLength(1);
  expect((await store.readCertificate('ecdsa'))?.keyPem.reveal()).toBe(begun?.keyPem.reveal());
  expect(await store.readOrder()).toBeUndefined();
});

it('an order that the authority has forgotten, or that is for other names, is placed anew', async () => {
  const { authority, issuer, options, parts, store, clock } = await stageWith();
  authority.mishaps.set('/certificate', { status: 503, type: 'serverInternal' });
  await issuer.attempt(false);
  clock.advance(3_600_000);
  authority.mishaps.set('/order/1', { status: 404, type: 'malformed' });
  expect(await issuer.attempt(false)).toEqual({ type: 'issued' });
  expect(authority.asked('/newOrder')).toHaveLength(2);
  const more = new AcmeIssuer({ ...options, hosts: ['b.example'] }, parts);
  await store.saveOrder({ ...(await anyOrder()), url: `${authority.directoryUrl}/../order/1` });
  expect(await more.attempt(false)).toEqual({ type: 'issued' });
  expect(authority.asked('/newOrder')).toHaveLength(3);

  async function anyOrder() {
    const { keyPem } = (await store.readCertificate('ecdsa'))!;
    return { url: '', kind: 'ecdsa', names: 'a.example', keyPem } as const;
  }
});

it('a certificate that does not belong to the key of the order is none', async () => {
  const { authority, issuer, store } = await stageWith({ hosts: ['a.example', 'b.example'] });
  authority.keyOfOrder = async () => makeKey();
  expect(await issuer.attempt(false)).toMatchObject({
    type: 'failed',
    failure: { message: expect.stringContaining('does not fit the key') },
  });
  expect(await store.readCertificate('ecdsa')).toBeUndefined();
  expect(await store.readOrder()).toBeUndefined();
});

it.each<[string, Partial<FakeAuthority>, RegExp]>([
  ['for other names', { otherNames: ['evil.example'] }, /does not fit .* the names/],
  ['that is over', { life: -1000 }, /expired already/],
  ['of 10 MiB', { restOfChain: '#'.repeat(10 << 20) }, /far too long/],
])('a certificate %s does not take the place of a good one', async (_, habits, reason) => {
  const { authority, clock, issuer, store } = await stageWith();
  await issuer.attempt(false);
  const good = (await store.readCertificate('ecdsa'))?.chainPem;
  Object.assign(authority, habits);
  clock.advance(80 * 86_400_000);
  expect(await issuer.attempt(false)).toMatchObject({
    type: 'failed',
    failure: { message: expect.stringMatching(reason) },
  });
  expect((await store.readCertificate('ecdsa'))?.chainPem).toBe(good);
});

it('takes a chain of ten certificates as it is', async () => {
  const { authority, issuer, store } = await stageWith();
  authority.restOfChain = authority.root.pem.repeat(9);
  expect(await issuer.attempt(false)).toEqual({ type: 'issued' });
  expect((await store.readCertificate('ecdsa'))?.chainPem.match(/BEGIN CERT/g)).toHaveLength(10);
});

it('the same names are the same set in any order', () => {
  const names = (...texts: string[]) => namesKey(texts.map((text) => parseCertificateName(text)!));
  expect(names('b.example', 'a.example')).toBe(names('a.example', 'B.example'));
});
