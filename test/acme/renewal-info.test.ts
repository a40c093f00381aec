import { expect, it } from 'vitest';
import { certificateId, fetchRenewalInfo, parseWindow } from '../../src/acme/renewal-info.ts';
import { runReal } from '../support/real-process.ts';
import { makeIssuer, makeLeaf, writePair } from '../support/certificate-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const suggestedWindow = { start: '2027-01-02T04:00:00Z', end: '2027-01-03T04:00:00Z' };
const window = { start: Date.UTC(2027, 0, 2, 4), end: Date.UTC(2027, 0, 3, 4) };

it('names a certificate as openssl reads it', async () => {
  const now = Date.now();
  const { pem, keyPem } = makeLeaf(makeIssuer('Root', now), ['a.example'], {
    notBefore: now,
    notAfter: now + 1e9,
  });
  const { cert } = writePair(temporaryFolder(), 'a', pem, keyPem);
  const read = async (...args: string[]) =>
    (await runReal('openssl', ['x509', '-in', cert, '-noout', ...args])).stdout;
  const [, keyId = ''] =
    /Identifier:\s*(?:keyid:)?([0-9A-F:]{59})/.exec(await read('-ext', 'authorityKeyIdentifier')) ?? [];
  const [, serial = ''] = /serial=([0-9A-F]+)/.exec(await read('-serial')) ?? [];
  const part = (hex: string) => Buffer.from(hex.replaceAll(':', ''), 'hex').toString('base64url');
  expect(certificateId(pem)).toBe(`${part(keyId)}.${part(serial)}`);
});

it('keeps the zero byte of a serial number that begins with a set bit', async () => {
  // RFC 9773 4.1 has this example: serial number 0x8765432100000001 is 00 87 65 43 21 … in DER.
  const folder = temporaryFolder();
  await runReal('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=x',
    '-set_serial',
    '0x8765432100000001',
    '-addext',
    'authorityKeyIdentifier=keyid:always',
    '-keyout',
    `${folder}/k`,
    '-out',
    `${folder}/c`,
  ]);
  const { stdout } = await runReal('cat', [`${folder}/c`]);
  expect(certificateId(stdout)?.split('.')[1]).toBe(
    Buffer.from('008765432100000001', 'hex').toString('base64url'),
  );
});

it.each([
  [{ suggestedWindow }, window],
  [
    { suggestedWindow, explanationURL: 'https://x' },
    { ...window, explanation: 'https://x' },
  ],
  [{ suggestedWindow: { start: suggestedWindow.end, end: suggestedWindow.start } }, undefined],
  [{ suggestedWindow: { start: 'soon', end: 'later' } }, undefined],
  [{}, undefined],
  ['<html>', undefined],
  [null, undefined],
])('a window is read, or it is none: %j', (data, expected) => {
  expect(parseWindow(data)).toEqual(expected);
});

it('asks at the address of the certificate, and hears when to ask again', async () => {
  const asked: string[] = [];
  const http = {
    retryAt: 99,
    request: async (url: string) => {
      asked.push(url);
      return { status: 200, headers: {}, data: asked.length === 1 ? { suggestedWindow } : {} };
    },
  };
  expect(await fetchRenewalInfo(http, 'https://x/ari/', 'A.B')).toEqual({ window, retryAt: 99 });
  expect(asked).toEqual(['https://x/ari/A.B']);
  await expect(fetchRenewalInfo(http, 'https://x/ari', 'A.B')).rejects.toThrow(/no window/);
});
