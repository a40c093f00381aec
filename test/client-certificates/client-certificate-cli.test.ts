import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { X509Certificate } from 'node:crypto';
import { createDevelopmentAuthority } from '../../src/certificates/development-authority.ts';
import {
  issueClientCertificate,
  listClientCertificates,
  revokeClientCertificate,
  type ClientCertificateCliContext,
} from '../../src/client-certificates/client-certificate-cli.ts';
import { setKeyState } from '../../src/keys/key-cli.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openKeyRoom, type MadeKey } from '../support/key-room.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Answer {
  readonly serial: string;
  readonly passphrase: string;
  readonly files: Readonly<Record<'certificate' | 'key' | 'pkcs12', string>>;
}

let room: Awaited<ReturnType<typeof openKeyRoom>>;
let key: MadeKey;
let context: ClientCertificateCliContext;
let output: string;

beforeEach(async () => {
  room = await openKeyRoom();
  key = await room.makeKey();
  output = join(temporaryFolder(), 'clients');
  const authority = createDevelopmentAuthority({ now: room.clock.now(), random: systemRandom });
  context = {
    store: room.command,
    clock: room.clock,
    random: systemRandom,
    audit: room.audit,
    source: 'cli',
    authority: async () => authority,
    clientAuth: 'none',
    rtmpsUrl: 'rtmps://ingest.example.com',
    caFile: '/certs/ca.pem',
  };
});

const issue = async (given: Partial<Parameters<typeof issueClientCertificate>[0]> = {}) =>
  issueClientCertificate({ name: 'camera-1', keyId: key.id, output, ...given }, context);

describe('cert client', () => {
  it('writes three files, two of them for nobody else, and says how to use them', async () => {
    const { json, text } = await issue({ days: '30' });
    const { files, serial, passphrase } = json as Answer;
    expect(readdirSync(output).toSorted()).toEqual(['camera-1.key', 'camera-1.p12', 'camera-1.pem']);
    for (const secret of [files.key, files.pkcs12]) expect(statSync(secret).mode & 0o077).toBe(0);
    const certificate = new X509Certificate(readFileSync(files.certificate));
    expect(certificate.subjectAltName).toBe(`URI:penstock:key:${key.id}`);
    expect(Date.parse(certificate.validTo)).toBe(room.clock.now() + 30 * 86_400_000);
    expect(passphrase).toMatch(/^([0-9a-z]{4}-){4}[0-9a-z]{4}$/);
    expect(text).toContain(passphrase);
    expect(text).toContain('tls.clientAuth');
    expect(text).toContain(
      `-tls_verify 1 -ca_file '/certs/ca.pem' -cert_file '${files.certificate}' -key_file '${files.key}' ` +
        `'rtmps://ingest.example.com/live/camera-1'`,
    );
    expect(room.audit.lines.at(-1)).toMatchObject({ action: 'client-certificate.created', key: key.id });
    expect(JSON.stringify(room.audit.lines)).toContain(`certificate ${serial}`);
    expect(JSON.stringify(room.audit.lines)).not.toContain(passphrase);
  });

  it('overwrites nothing, and leaves nothing half done', async () => {
    await issue();
    const before = readFileSync(join(output, 'camera-1.pem'), 'utf8');
    await expect(issue()).rejects.toThrow(/cannot be written .*EEXIST/);
    expect(readFileSync(join(output, 'camera-1.pem'), 'utf8')).toBe(before);
    expect((await listClientCertificates(context)).json).toHaveLength(1);
  });

  it.each([
    [{ name: '../camera' }, /NAME: .* is not valid/],
    [{ name: 'a b' }, /NAME/],
    [{ days: '0' }, /--days/],
    [{ days: '3651' }, /--days/],
    [{ days: '1e3' }, /--days/],
    [{ keyId: 'psk_zzzzzzzz' }, /--key-id/],
    [{ keyId: '00000000' }, /There is no stream key 00000000/],
  ])('refuses %j', async (given, message) => {
    await expect(issue(given)).rejects.toThrow(message);
  });

  it('refuses keys for which it would open nothing', async () => {
    const player = await room.makeKey({ role: 'play' });
    await expect(issue({ keyId: player.id })).rejects.toThrow('may play, not publish');
    await setKeyState(key.id, 'revoke', room.context);
    await expect(issue()).rejects.toThrow('is revoked or has expired');
  });
});

describe('cert revoke', () => {
  it('ends one by its number, in any spelling, or all of a name', async () => {
    const { serial } = (await issue()).json as Answer;
    const second = (await issue({ output: join(output, 'again') })).json as Answer;
    const spelled = serial.toUpperCase().replace(/..(?=.)/g, '$&:');
    expect((await revokeClientCertificate(spelled, context)).text).toContain(serial);
    const states = async () =>
      ((await listClientCertificates(context)).json as { serial: string; state: string }[]).map(
        (one) => `${one.serial === serial} ${one.state}`,
      );
    expect((await states()).toSorted()).toEqual(['false active', 'true revoked']);
    const { json } = await revokeClientCertificate('camera-1', context);
    expect((json as Answer[]).map((one) => one.serial)).toContain(second.serial);
    expect((await states()).toSorted()).toEqual(['false revoked', 'true revoked']);
    const revocations = room.audit.lines.filter(({ action }) => action === 'client-certificate.revoked');
    expect(revocations).toHaveLength(2); // the first was revoked once
    await expect(revokeClientCertificate('camera-2', context)).rejects.toThrow(
      'There is no client certificate',
    );
  });

  it('is seen in the list, as is expiry', async () => {
    await issue({ days: '1' });
    room.clock.advance(86_400_000);
    expect((await listClientCertificates(context)).text).toMatch(/camera-1 +live\/camera-1 +\w{8} +expired/);
  });
});
