import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { CertificateStore, type DevelopmentFiles } from '../../src/certificates/certificate-store.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const now = Date.UTC(2026, 10, 22, 13, 5, 9);
const filesNamed = (name: string): DevelopmentFiles => ({
  authority: { certificatePem: `${name} ca.pem`, keyPem: new Secret(`${name} ca.key`) },
  leafPem: `${name} leaf.pem`,
  leafKeyPem: new Secret(`${name} leaf.key`),
});
const shown = (files: DevelopmentFiles | string): unknown =>
  typeof files === 'string'
    ? files
    : [
        files.authority.certificatePem,
        files.authority.keyPem.reveal(),
        files.leafPem,
        files.leafKeyPem.reveal(),
      ];

describe('the certificates folder', () => {
  it('gives back what was put in, and takes one of two', async () => {
    const root = temporaryFolder();
    const [one, other] = [new CertificateStore(root, systemRandom), new CertificateStore(root, systemRandom)];
    expect(await one.readDevelopment(now)).toBe('absent');
    const outcomes = await Promise.all([
      one.createDevelopment(filesNamed('one')),
      other.createDevelopment(filesNamed('other')),
    ]);
    expect([...outcomes].filter(Boolean)).toHaveLength(1);
    const winner = filesNamed(outcomes[0] ? 'one' : 'other');
    expect(shown(await one.readDevelopment(now))).toEqual(shown(winner));
    expect(readdirSync(root)).toEqual(['development']);
  });

  it('replaces one file at a time, whole, and keeps keys to itself', async () => {
    const root = temporaryFolder();
    const store = new CertificateStore(root, systemRandom);
    await store.createDevelopment(filesNamed('old'));
    await store.saveLeaf('new leaf.pem');
    await store.saveLeafKey(new Secret('new leaf.key'));
    expect(shown(await store.readDevelopment(now))).toEqual([
      'old ca.pem',
      'old ca.key',
      'new leaf.pem',
      'new leaf.key',
    ]);
    expect(statSync(join(root, 'development/leaf.key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(root)).toEqual(['development']);
  });

  it('is set aside once, under a name that tells when', async () => {
    const root = temporaryFolder();
    const [one, other] = [new CertificateStore(root, systemRandom), new CertificateStore(root, systemRandom)];
    await one.createDevelopment(filesNamed('old'));
    const asides = await Promise.all([one.setDevelopmentAside(now), other.setDevelopmentAside(now)]);
    const [aside, ...none] = asides.filter((path) => path !== undefined);
    expect(none).toEqual([]);
    expect(aside).toMatch(/development\.damaged-2026-11-22T13-05-09Z-/);
    expect(readFileSync(join(aside ?? '', 'ca.key'), 'utf8')).toBe('old ca.key');
    expect(await one.readDevelopment(now)).toBe('absent');
  });

  it('closes keys that a copy has opened to others', async () => {
    const root = temporaryFolder();
    const store = new CertificateStore(root, systemRandom);
    await store.createDevelopment(filesNamed('old'));
    const modes = (): number[] =>
      ['development', 'development/ca.key', 'development/leaf.key'].map(
        (path) => statSync(join(root, path)).mode & 0o777,
      );
    for (const path of ['development', 'development/ca.key', 'development/leaf.key'])
      chmodSync(join(root, path), 0o755);
    await store.readDevelopment(now);
    expect(modes()).toEqual([0o700, 0o600, 0o600]);
  });

  it('sweeps what a dead process left behind, not what a living one is writing', async () => {
    const root = temporaryFolder();
    for (const [name, age] of [
      ['.new-old', 7_200_000],
      ['.new-young', 60_000],
      ['mine', 7_200_000],
    ] as const) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'file'), '');
      utimesSync(join(root, name), (now - age) / 1000, (now - age) / 1000);
    }
    await new CertificateStore(root, systemRandom).readDevelopment(now);
    expect(readdirSync(root).sort((a, b) => a.localeCompare(b))).toEqual(['.new-young', 'mine']);
  });
});
