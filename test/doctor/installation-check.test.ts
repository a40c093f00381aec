import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkCertificateFile,
  checkClock,
  checkFolder,
  checkKeys,
  checkListener,
  checkSpace,
  readDevelopmentAuthority,
} from '../../src/doctor/installation-check.ts';
import type { StreamKey } from '../../src/keys/key-rule.ts';
import { makeIssuer, makeLeaf } from '../support/certificate-files.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22);

describe('a folder', () => {
  it('can be written to, or be made; nothing is left in it', async () => {
    const folder = temporaryFolder();
    expect(await checkFolder('data-folder', folder)).toMatchObject({
      state: 'ok',
      says: `${folder} can be written to`,
    });
    const deep = join(folder, 'a', 'b');
    expect((await checkFolder('data-folder', deep)).says).toBe(`${deep} is made at the first start`);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that is a file, or where nothing can be made, fails', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    for (const place of [file, join(file, 'below'), '/proc/nowhere']) {
      expect((await checkFolder('data-folder', place)).state, place).toBe('failed');
    }
  });
});

describe('the space', () => {
  it('is judged against what recording leaves free', async () => {
    const folder = temporaryFolder();
    expect((await checkSpace(folder, 0)).says).toMatch(/free for recordings/);
    const full = await checkSpace(folder, 2 ** 60);
    expect([full.state, full.says]).toEqual(['failed', expect.stringContaining('nothing is recorded below')]);
  });
});

describe('the clock', () => {
  it('is right unless it is older than this software or than what was written', async () => {
    const folder = temporaryFolder();
    utimesSync(folder, now / 1000, now / 1000);
    const at = async (time: number) => (await checkClock(new FakeClock(time), folder)).state;
    expect(await at(Date.UTC(1970, 0, 1))).toBe('failed');
    expect(await at(now - 400_000)).toBe('failed');
    expect(await at(now - 200_000)).toBe('ok');
    expect(await at(now + 100 * day)).toBe('ok');
    expect((await checkClock(new FakeClock(now), join(folder, 'none'))).state).toBe('ok');
  });
});

describe('the keys', () => {
  const key = (given: Partial<StreamKey>) =>
    ({ role: 'publish', state: 'active', stream: 'live/a', ...given }) as StreamKey;

  it('need one that can publish now', () => {
    const keys = [
      key({ state: 'revoked' }),
      key({ expiresAt: now }),
      key({ notBefore: now + 1 }),
      key({ role: 'play' }),
    ];
    expect(checkKeys([], now)).toMatchObject({ state: 'failed', says: 'there is no stream key' });
    expect(checkKeys(keys, now).says).toContain('none of 3 stream keys works now');
    expect(checkKeys([...keys, key({ expiresAt: now + 1, notBefore: now })], now)).toMatchObject({
      state: 'ok',
      says: '1 of 5 keys can publish: live/a',
    });
  });
});

describe('a certificate file', () => {
  const issuer = makeIssuer('Example CA', now);
  const fileOf = (names: string[], ends: number) => {
    const file = join(temporaryFolder(), 'cert.pem');
    writeFileSync(file, makeLeaf(issuer, names, { notBefore: now - day, notAfter: now + ends * day }).pem);
    return file;
  };
  const judged = async (file: string, hosts: string[]) =>
    (await checkCertificateFile(file, hosts, now)).map(({ check, state }) => `${check} ${state}`);

  it('is in its time and carries every public name', async () => {
    expect(await judged(fileOf(['a.example', '*.b.example'], 90), ['a.example', 'x.b.example'])).toEqual([
      'certificate ok',
    ]);
    expect(await judged(fileOf(['a.example'], 90), ['a.example', 'c.example'])).toEqual([
      'certificate ok',
      'certificate-name failed',
    ]);
    expect(await judged(fileOf(['a.example'], -0.5), [])).toEqual(['certificate failed']);
    expect(await judged('/nowhere/cert.pem', [])).toEqual(['certificate failed']);
  });
});

describe('a listener', () => {
  const judged = async (code: string | undefined, running: boolean) =>
    checkListener({ host: '::', port: 1935 }, running, { whyNotListen: () => Promise.resolve(code) });

  it('is ours while the server runs, else free', async () => {
    expect(await judged('EADDRINUSE', true)).toMatchObject({ state: 'ok', says: '[::]:1935 is listened on' });
    expect((await judged(undefined, true)).says).toContain('not listened on, though the server runs');
    expect(await judged(undefined, false)).toMatchObject({ state: 'warning' });
  });

  it('is another process, a missing right or an address of another machine', async () => {
    const trouble = async (code: string) => {
      const { state, hint } = await judged(code, false);
      return `${state}: ${hint}`;
    };
    expect(await trouble('EADDRINUSE')).toContain(
      "failed: find the other process (ss -ltnp 'sport = :1935')",
    );
    expect(await trouble('EACCES')).toContain('CAP_NET_BIND_SERVICE');
    expect(await trouble('EADDRNOTAVAIL')).toContain('no such address');
  });
});

describe("a listener on a port of the system's choosing", () => {
  it('cannot be looked at', async () => {
    const never = { whyNotListen: () => Promise.reject(new Error('asked')) };
    expect(await checkListener({ host: '::', port: 0 }, true, never)).toMatchObject({ state: 'not-tried' });
  });
});

describe('the development authority', () => {
  it('is read where there is one', async () => {
    const folder = temporaryFolder();
    expect(await readDevelopmentAuthority(folder)).toBeUndefined();
    mkdirSync(join(folder, 'development'));
    const file = join(folder, 'development', 'ca.pem');
    writeFileSync(file, makeIssuer('Own CA', now).pem);
    expect(await readDevelopmentAuthority(folder)).toMatchObject({
      file,
      certificate: { subject: 'CN=Own CA' },
    });
  });
});
