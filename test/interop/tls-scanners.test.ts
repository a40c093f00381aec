// What the usual scanners ask of a TLS port, asked with OpenSSL: versions, every suite that it knows, groups,
// renegotiation, compression. Mozilla's intermediate profile, and nothing beside it (RFC 9325).
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAppliance } from '../support/appliance.ts';
import { runReal } from '../support/real-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
let appliance: TestAppliance;

beforeAll(async () => {
  const certificate = ['ec', 'rsa'].map((kind) => {
    const files = { cert: join(folder, `${kind}.pem`), key: join(folder, `${kind}.key`) };
    const parameter = kind === 'ec' ? 'ec_paramgen_curve:P-256' : 'rsa_keygen_bits:2048';
    const names = `subjectAltName=DNS:${kind}.test`;
    const args = ['req', '-x509', '-nodes', '-newkey', kind, '-pkeyopt', parameter, '-days', '30'];
    args.push('-keyout', files.key, '-out', files.cert, '-subj', `/CN=${kind}.test`, '-addext', names);
    execFileSync('openssl', args, { stdio: 'ignore' });
    return files;
  });
  appliance = await TestAppliance.start({ 'tls.certificate': certificate }, folder);
});
afterAll(() => appliance.stop());

interface Agreed {
  readonly suite: string | undefined;
  readonly said: string;
}

/** One handshake. `host` chooses the certificate; empty: no server is named. */
async function shakeHands(host: string, ...options: string[]): Promise<Agreed> {
  const name = host === '' ? ['-noservername'] : ['-servername', host];
  const place = ['-connect', `127.0.0.1:${appliance.port}`];
  const { stdout, stderr } = await runReal('openssl', ['s_client', ...place, ...name, ...options]);
  const suite = /^New, .*Cipher is (.*)$/m.exec(stdout)?.[1];
  return { suite: suite === '(NONE)' ? undefined : suite, said: stdout + stderr };
}

/** Offers everything, then everything but what was chosen, and so on: what is taken, the preferred first. */
async function takenSuites(host: string): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    const others = taken.map((suite) => `!${suite}`);
    const offer = ['ALL', 'COMPLEMENTOFALL', ...others, '@SECLEVEL=0'].join(':');
    const { suite } = await shakeHands(host, '-tls1_2', '-cipher', offer);
    if (suite === undefined) return taken;
    taken.push(suite);
  }
}

describe('a TLS port', () => {
  it.each(['-tls1', '-tls1_1'])('does not speak %s', async (version) => {
    for (const host of ['ec.test', 'rsa.test', '']) {
      const { suite, said } = await shakeHands(host, version, '-cipher', 'ALL:@SECLEVEL=0');
      expect(suite).toBeUndefined();
      expect(said).toMatch(/alert protocol version/);
    }
  });

  it.each([
    ['ec.test', 'ECDHE-ECDSA'],
    ['', 'ECDHE-ECDSA'],
    ['rsa.test', 'ECDHE-RSA'],
  ])('takes three suites of TLS 1.2 with forward secrecy, and no other: %j', async (host, exchange) => {
    expect(await takenSuites(host)).toEqual([
      `${exchange}-AES128-GCM-SHA256`,
      `${exchange}-AES256-GCM-SHA384`,
      `${exchange}-CHACHA20-POLY1305`,
    ]);
  });

  it('takes the three suites of TLS 1.3 that everybody has, and not CCM', async () => {
    const taken = async (suites: string) =>
      (await shakeHands('ec.test', '-tls1_3', '-ciphersuites', suites)).suite;
    for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])
      expect(await taken(suite)).toBe(suite);
    expect(await taken('TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256')).toBeUndefined();
  });

  it.each([
    ['X25519', true],
    ['P-256', true],
    ['P-384', true],
    ['P-521', false],
    ['X448', false],
    ['ffdhe2048', false],
  ])('group %s is taken: %s', async (group, taken) => {
    const { suite } = await shakeHands('ec.test', '-tls1_3', '-groups', group);
    expect(suite !== undefined).toBe(taken);
  });

  it('does not renegotiate, and says so', async () => {
    // "R" is read when the handshake is done.
    const command = `openssl s_client -tls1_2 -connect 127.0.0.1:${appliance.port} -servername ec.test`;
    const { stdout, stderr } = await runReal('sh', ['-c', `echo R | ${command}`]);
    expect(stdout + stderr).toMatch(/RENEGOTIATING[^]*no renegotiation/);
  });

  it('does not compress, and knows safe renegotiation by name (RFC 5746)', async () => {
    const { said } = await shakeHands('ec.test', '-tls1_2', '-comp');
    expect(said).toMatch(/^Compression: NONE$/m);
    expect(said).toMatch(/^Secure Renegotiation IS supported$/m);
  });
});
