// A server and a command line on one data folder; certificates as TLS would hand them over.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { createDevelopmentAuthority } from '../../src/certificates/development-authority.ts';
import { writeCertificate } from '../../src/certificates/x509-writer.ts';
import { ClientCertificateGate } from '../../src/client-certificates/client-certificate-gate.ts';
import { openClientCertificateStore } from '../../src/client-certificates/client-certificate-store.ts';
import { readIdentity } from '../../src/client-certificates/client-identity.ts';
import { issueClient } from '../../src/client-certificates/client-issuer.ts';
import { openKeyGate, type KeyGate } from '../../src/keys/key-gate.ts';
import type { AccessRequest, CertificateFinding } from '../../src/keys/key-rule.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openKeyRoom, type MadeKey } from '../support/key-room.ts';
import { makeKey, tamperWith } from '../support/certificate-files.ts';
import { settled } from '../support/settled.ts';

const hour = 3_600_000;

let room: Awaited<ReturnType<typeof openKeyRoom>>;
let key: MadeKey;
let certificates: ClientCertificateGate;
let gate: KeyGate;
let authority: ReturnType<typeof createDevelopmentAuthority>;
let told: CertificateFinding[];

beforeEach(async () => {
  room = await openKeyRoom();
  key = await room.makeKey();
  const { clock, log, server, hasher, audit } = room;
  authority = createDevelopmentAuthority({ now: clock.now(), random: systemRandom });
  certificates = new ClientCertificateGate({
    store: server,
    clock,
    log,
    authorityPem: authority.certificatePem,
  });
  told = [];
  certificates.onWithdrawn((finding) => told.push(finding));
  gate = await openKeyGate({ store: server, hasher, clock, random: systemRandom, log, audit, certificates });
  onTestFinished(async () => {
    certificates.close();
    await gate.close();
  });
});

const list = () => openClientCertificateStore(room.command);

async function issue(keyId = key.id, life = 24 * hour, by = authority) {
  const now = room.clock.now();
  const { certificatePem } = issueClient(by, { name: 'one', keyId, life }, { now, random: systemRandom });
  const { certificate, serial, sha256, notAfter } = readIdentity(certificatePem)!;
  await list().create({ serial, name: 'one', keyId, sha256, createdAt: now, expiresAt: notAfter });
  return { der: certificate.raw, serial };
}

const request = (certificate: Uint8Array, changes: Partial<AccessRequest> = {}): AccessRequest => ({
  right: 'publish',
  app: 'live',
  name: new Secret('camera-1'),
  certificate,
  address: '192.0.2.7',
  tls: true,
  door: 'rtmps',
  encoder: 'test',
  ...changes,
});

/** What other processes did is seen at the next look at the database. */
async function lookAgain(milliseconds = 1000) {
  for (let step = 0; step < milliseconds / 250; step += 1) {
    room.clock.advance(250);
    await settled();
  }
}

describe('a client certificate', () => {
  it('opens the stream of its key, and the audit log names it', async () => {
    const { der, serial } = await issue();
    expect(await gate.check(request(der))).toMatchObject({
      granted: true,
      stream: 'live/camera-1',
      keyId: key.id,
      certificate: serial,
    });
    expect(room.audit.lines.at(-1)).toMatchObject({
      action: 'key.used',
      key: key.id,
      detail: `certificate ${serial}, encoder test`,
    });
  });

  it.each<[string, Partial<AccessRequest>, string]>([
    ['another stream', { name: new Secret('camera-2') }, 'wrong-stream'],
    ['another application', { app: 'studio' }, 'wrong-stream'],
    ['to play', { right: 'play' }, 'role-missing'],
    ['with a wrong key beside it', { key: new Secret(`psk_${'0'.repeat(8)}_x`) }, 'mistyped'],
    ['with no key in the query', { key: new Secret('') }, 'not-a-key'],
  ])('is refused %s', async (_, changes, reason) => {
    const { der } = await issue();
    expect(await gate.check(request(der, changes))).toMatchObject({ granted: false, reason });
  });

  it('is bound by what the key may do: addresses, state, expiry', async () => {
    const there = await room.makeKey({ allow: ['10.0.0.0/8'] });
    const { der } = await issue(there.id);
    expect(await gate.check(request(der))).toMatchObject({ reason: 'address-not-allowed', keyId: there.id });
    expect(await gate.check(request(der, { address: '10.1.2.3' }))).toMatchObject({ granted: true });
    const ending = await room.makeKey({ expires: '1h' });
    const late = await issue(ending.id);
    expect(await gate.check(request(late.der))).toMatchObject({ until: room.clock.now() + hour });
    room.clock.advance(hour);
    expect(await gate.check(request(late.der))).toMatchObject({ reason: 'expired' });
  });

  it('is worth nothing when another authority of the same name signed it, even on the list', async () => {
    const other = createDevelopmentAuthority({ now: room.clock.now(), random: systemRandom });
    const name = new X509Certificate(authority.certificatePem).subject.replace('CN=', '');
    const impostor = {
      ...other,
      certificatePem: writeCertificate(
        {
          serial: Uint8Array.of(1),
          issuer: name,
          subject: name,
          notBefore: room.clock.now(),
          notAfter: room.clock.now() + hour,
          key: createPrivateKey(other.keyPem.reveal()),
          role: { authority: true },
        },
        createPrivateKey(other.keyPem.reveal()),
      ),
    };
    const { der } = await issue(key.id, hour, impostor);
    const verdict = await gate.check(request(der));
    expect(verdict).toMatchObject({ granted: false, reason: 'certificate-unknown' });
    expect(verdict.keyId).toBeUndefined(); // a stranger may name any key
  });

  it('is worth nothing when its signature is wrong, even on the list', async () => {
    const now = room.clock.now();
    const wanted = { name: 'one', keyId: key.id, life: hour };
    const forged = tamperWith(issueClient(authority, wanted, { now, random: systemRandom }).certificatePem);
    const { certificate, serial, sha256 } = readIdentity(forged)!;
    await list().create({
      serial,
      name: 'one',
      keyId: key.id,
      sha256,
      createdAt: now,
      expiresAt: now + hour,
    });
    expect(await gate.check(request(certificate.raw))).toMatchObject({ reason: 'certificate-unknown' });
  });

  it('is worth nothing off the list, whoever signed it', async () => {
    const now = room.clock.now();
    const { certificatePem } = issueClient(
      authority,
      { name: 'unlisted', keyId: key.id, life: hour },
      { now, random: systemRandom },
    );
    const { raw } = new X509Certificate(certificatePem);
    expect(await gate.check(request(raw))).toMatchObject({ reason: 'certificate-unknown' });
    const leafKey = makeKey();
    const server = writeCertificate(
      {
        serial: Uint8Array.of(7),
        issuer: new X509Certificate(authority.certificatePem).subject.replace('CN=', ''),
        subject: 'server',
        notBefore: now,
        notAfter: now + hour,
        key: createPrivateKey(leafKey),
        role: { authority: false, names: [] },
      },
      createPrivateKey(authority.keyPem.reveal()),
    );
    expect(await gate.check(request(new X509Certificate(server).raw))).toMatchObject({
      reason: 'certificate-unknown',
    });
    expect(await gate.check(request(Uint8Array.of(1, 2, 3)))).toMatchObject({
      reason: 'certificate-unknown',
    });
  });

  it('strangers with certificates of their own are locked out like guessers; our own encoders are not', async () => {
    const { der } = await issue();
    const names = new Secret('camera-2');
    for (let tries = 0; tries < 50; tries += 1) await gate.check(request(der, { name: names }));
    expect(gate.turnsAway('192.0.2.7')).toBe(false);
    for (let tries = 0; tries < 50; tries += 1) await gate.check(request(Uint8Array.of(tries)));
    expect(gate.turnsAway('192.0.2.7')).toBe(true);
  });
});

describe('a certificate that no longer holds', () => {
  it('revoked by another process: refused at once, told within a second, and only it', async () => {
    const [one, two] = [await issue(), await issue()];
    const withdrawn: unknown[] = [];
    gate.onWithdrawn((...args) => withdrawn.push(args));
    await gate.check(request(one.der));
    await gate.check(request(two.der));
    await list().revoke([one.serial], room.clock.now());
    expect(await gate.check(request(one.der))).toMatchObject({
      reason: 'certificate-revoked',
      keyId: key.id,
    });
    await gate.check(request(two.der));
    await list().revoke([two.serial], room.clock.now());
    await lookAgain();
    expect(told).toEqual([{ serial: two.serial, keyId: key.id, objection: 'certificate-revoked' }]);
    expect(withdrawn).toEqual([[key.id, 'revoked', Infinity, two.serial]]);
  });

  it('expired: told, and refused although TLS may not look again', async () => {
    const { der, serial } = await issue(key.id, hour);
    expect(await gate.check(request(der))).toMatchObject({ granted: true });
    room.clock.advance(hour + 1000);
    await settled();
    expect(told).toEqual([{ serial, keyId: key.id, objection: 'certificate-expired' }]);
    expect(await gate.check(request(der))).toMatchObject({ reason: 'certificate-expired' });
  });

  it('a rotation of the key ends no session that came with a certificate', async () => {
    const { der } = await issue();
    const verdict = await gate.check(request(der));
    expect(verdict).toMatchObject({ granted: true, generation: Infinity });
  });
});
