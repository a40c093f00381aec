import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CertificateContext, renewCertificates, showCertificates } from '../../src/acme/acme-cli.ts';
import { AcmeIssuer, type AcmeOptions } from '../../src/acme/acme-issuer.ts';
import { openLocalSource } from '../../src/certificates/local-source.ts';
import { acmeStage } from '../support/acme-stage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function stageWith(given: Partial<AcmeOptions> = {}) {
  const stage = await acmeStage(given);
  const { options, parts } = stage;
  const local = openLocalSource(
    { certificate: 'self-signed', hosts: options.hosts, certsDir: options.certsDir },
    { ...parts, machineName: 'studio' },
  );
  const context: CertificateContext = { acme: options, local, parts };
  return { ...stage, context, issuer: new AcmeIssuer(options, parts) };
}

const nobody = { runs: false, ask: async () => undefined };

it('without ACME shows what is served, and has nothing to renew', async () => {
  const { context } = await stageWith();
  const { json, text } = await showCertificates({ ...context, acme: undefined });
  expect(json).toMatchObject([
    {
      kind: 'development',
      names: expect.arrayContaining(['a.example']),
      nextRenewalAt: null,
      lastError: null,
    },
  ]);
  expect(text).toMatch(/from +development authority; clients have to be told to trust it/);
  expect((await renewCertificates({ ...context, acme: undefined }, nobody)).text).toMatch(/renews itself/);
});

it('flags the development certificate while there is none from ACME, and says why', async () => {
  const { authority, context, issuer } = await stageWith();
  authority.mood = 'refusing';
  await issuer.attempt(false);
  const { json, text } = await showCertificates(context);
  expect(json).toMatchObject([
    {
      kind: 'development',
      lastError: {
        problem: 'connection',
        reason: expect.stringMatching(/^firewall: .*a\.example: Connection refused/),
        hint: expect.stringContaining('port 443'),
        nextAttemptAt: expect.stringMatching(/^2026-11-22T13:/),
      },
    },
  ]);
  expect(text).toMatch(/last error +\S+: firewall: .*\nhint +port 443.*\nnext attempt +2026/);
});

it('shows both certificates, and when they are renewed', async () => {
  const { context, issuer, store } = await stageWith({ rsa: true });
  await issuer.attempt(false);
  await issuer.refreshRenewal((await store.readCertificate('ecdsa'))!);
  const { json, text } = await showCertificates(context);
  const nextRenewalAt = expect.stringMatching(/^2027-01-/);
  expect(json).toMatchObject([
    { kind: 'acme', names: ['a.example'], issuer: 'CN=Fake authority', nextRenewalAt, lastError: null },
    { kind: 'acme', nextRenewalAt },
  ]);
  expect(text).toMatch(/not after +2027-02-20T13:05:09.000Z \(in 90d\)/);
});

it('renews by itself with dns-01, and says which challenge needs the server', async () => {
  const dnsHook = join(temporaryFolder(), 'hook');
  writeFileSync(dnsHook, '#!/bin/sh\n');
  chmodSync(dnsHook, 0o755);
  const { context } = await stageWith({ challenge: 'dns-01', dnsHook });
  const { json } = await renewCertificates(context, nobody);
  expect(json).toMatchObject([{ kind: 'acme' }]);
  const other = await stageWith();
  await expect(renewCertificates(other.context, nobody)).rejects.toMatchObject({
    code: 'ACME_FAILED',
    message: expect.stringContaining('none runs on this data folder'),
  });
});

it('a running server is asked, waited for, and its failure told', async () => {
  const { authority, clock, context, issuer } = await stageWith();
  const server = { runs: true, ask: async () => void (await issuer.attempt(true)) };
  const turn = setInterval(() => clock.advance(250), 2);
  try {
    expect((await renewCertificates(context, server)).json).toMatchObject([{ kind: 'acme' }]);
    authority.mood = 'limiting';
    const refused = renewCertificates(context, server);
    await expect(refused).rejects.toMatchObject({ message: expect.stringMatching(/^rate limit: /) });
    // Now the authority wants a pause: it is not even signalled.
    const asked = authority.requests.length;
    await expect(renewCertificates(context, server)).rejects.toThrow(
      /not before 2026-11-22T15:.*the authority/,
    );
    expect(authority.requests).toHaveLength(asked);
  } finally {
    clearInterval(turn);
  }
});

it('a running server that does not answer is not waited for for ever', async () => {
  const { clock, context } = await stageWith();
  const turn = setInterval(() => clock.advance(5000), 2);
  try {
    const { json, text } = await renewCertificates(context, { runs: true, ask: async () => undefined });
    expect(json).toEqual({ renewed: false });
    expect(text).toMatch(/cert status/);
  } finally {
    clearInterval(turn);
  }
});

it('a certificates folder that cannot be used is told at once, also beside a running server', async () => {
  const certsDir = temporaryFolder();
  const { context } = await stageWith({ certsDir });
  writeFileSync(join(certsDir, 'acme'), 'a file in its place');
  const asked = renewCertificates(
    { ...context },
    { runs: true, ask: () => Promise.reject(new Error('asked')) },
  );
  await expect(asked).rejects.toMatchObject({ code: 'CERTIFICATE_UNUSABLE' });
});
