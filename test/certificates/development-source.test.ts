import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { leafNames } from '../../src/certificates/development-authority.ts';
import { DevelopmentSource } from '../../src/certificates/development-source.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const day = 86_400_000;
const files = ['ca.key', 'ca.pem', 'leaf.key', 'leaf.pem'];

function sourceIn(root: string, hosts: readonly string[] = [], clock = new FakeClock()) {
  const log = new RecordedLog();
  const source = new DevelopmentSource(root, leafNames('studio', hosts), {
    clock,
    random: systemRandom,
    log,
  });
  const read = (name: string): string => readFileSync(join(root, 'development', name), 'utf8');
  return { source, log, clock, read };
}

/** What may be in the root when nothing was left behind. */
const tidy = (root: string): string[] => readdirSync(root).filter((name) => !name.includes('damaged'));

describe('the development authority on disk', () => {
  it('is made once, closed to others, and then read', async () => {
    const root = join(temporaryFolder(), 'deep', 'certs');
    const first = sourceIn(root);
    const [made] = await first.source.load();
    expect(first.log.events).toEqual(['authority.created']);
    expect(readdirSync(root)).toEqual(['development']);
    expect(readdirSync(join(root, 'development')).sort()).toEqual(files);
    const mode = (name: string): number => statSync(join(root, 'development', name)).mode & 0o777;
    expect([mode('.'), mode('ca.key'), mode('leaf.key')]).toEqual([0o700, 0o600, 0o600]);

    const second = sourceIn(root);
    const [found] = await second.source.load();
    expect(second.log.events).toEqual([]);
    expect(found.chainPem).toBe(made.chainPem);
    expect(found.keyPem.reveal()).toBe(made.keyPem.reveal());
    expect(String(found.keyPem)).toBe('[secret]');
  });

  it('keeps authority and key when names change, and renews the leaf', async () => {
    const root = temporaryFolder();
    const [made] = await sourceIn(root).source.load();
    const later = sourceIn(root, ['ingest.example.com']);
    const authority = later.read('ca.pem');
    const [renewed] = await later.source.load();
    expect(later.log.events).toEqual(['certificate.issued']);
    expect(later.read('ca.pem')).toBe(authority);
    expect(renewed.names).toContain('ingest.example.com');
    expect(renewed.keyPem.reveal()).toBe(made.keyPem.reveal());
    expect(new X509Certificate(later.read('leaf.pem')).checkHost('ingest.example.com')).toBeDefined();
    expect(tidy(root)).toEqual(['development']);
  });

  it('renews the leaf when less than 30 days are left, not before', async () => {
    const root = temporaryFolder();
    const { source, clock, log } = sourceIn(root);
    await source.load();
    clock.advance(366 * day);
    await source.load();
    expect(log.events).toEqual(['authority.created']);
    clock.advance(2 * day);
    const [renewed] = await source.load();
    expect(log.events).toEqual(['authority.created', 'certificate.issued']);
    expect(renewed.notAfter - clock.now()).toBeGreaterThan(396 * day);
  });

  it.each([
    ['no certificate', (folder: string) => rmSync(join(folder, 'ca.pem'))],
    ['no key', (folder: string) => rmSync(join(folder, 'ca.key'))],
    ['a certificate cut short', (folder: string) => writeFileSync(join(folder, 'ca.pem'), '-----BEGIN CERT')],
    ['an empty key', (folder: string) => writeFileSync(join(folder, 'ca.key'), '')],
    [
      "the leaf's key",
      (folder: string) => writeFileSync(join(folder, 'ca.key'), readFileSync(join(folder, 'leaf.key'))),
    ],
    [
      'a folder for a key',
      (folder: string) => {
        rmSync(join(folder, 'ca.key'));
        mkdirSync(join(folder, 'ca.key'));
      },
    ],
    [
      'a file for the folder',
      (folder: string) => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, 'x');
      },
    ],
  ])('keeps a damaged authority aside and makes another: %s', async (_, damage) => {
    const root = temporaryFolder();
    const before = sourceIn(root);
    await before.source.load();
    const old = before.read('ca.pem');
    damage(join(root, 'development'));
    const after = sourceIn(root);
    const [bundle] = await after.source.load();
    expect(after.log.lines.map(({ level, event }) => [level, event])).toEqual([
      ['warn', 'certificate.damaged'],
      ['info', 'authority.created'],
    ]);
    const kept = String(after.log.of('certificate.damaged')[0]?.kept);
    expect(kept).toMatch(/development\.damaged-2026-11-22T13-05-09Z-[0-9a-f]{12}$/);
    expect(statSync(kept)).toBeDefined();
    expect(after.read('ca.pem')).not.toBe(old);
    const leaf = new X509Certificate(bundle.chainPem);
    expect(leaf.verify(new X509Certificate(after.read('ca.pem')).publicKey)).toBe(true);
    expect(tidy(root)).toEqual(['development']);
  });

  it.each([
    ['no leaf', 'leaf.pem', undefined, ['certificate.issued']],
    ['a damaged leaf', 'leaf.pem', 'nonsense', ['certificate.issued']],
    ['a damaged key', 'leaf.key', 'nonsense', ['certificate.damaged', 'certificate.issued']],
  ])('repairs %s and leaves the authority alone', async (_, name, content, events) => {
    const root = temporaryFolder();
    const before = sourceIn(root);
    await before.source.load();
    const authority = before.read('ca.pem');
    const path = join(root, 'development', name);
    if (content === undefined) rmSync(path);
    else writeFileSync(path, content);
    const after = sourceIn(root);
    const [bundle] = await after.source.load();
    expect(after.log.events).toEqual(events);
    expect(after.read('ca.pem')).toBe(authority);
    expect(after.read('leaf.pem')).toBe(bundle.chainPem);
    expect(after.read('leaf.key')).toBe(bundle.keyPem.reveal());
    expect(statSync(join(root, 'development', 'leaf.key')).mode & 0o777).toBe(0o600);
    await after.source.load();
    expect(after.log.events).toEqual(events);
  });

  it('serves a leaf that cannot be saved from memory, and says so', async () => {
    const root = temporaryFolder();
    const [made] = await sourceIn(root).source.load();
    const path = join(root, 'development', 'leaf.pem');
    rmSync(path);
    mkdirSync(join(path, 'in the way'), { recursive: true });
    const later = sourceIn(root, ['ingest.example.com']);
    const [bundle] = await later.source.load();
    expect([bundle.names[0], bundle.keyPem.reveal()]).toEqual(['ingest.example.com', made.keyPem.reveal()]);
    expect(later.log.of('certificate.failed')).toMatchObject([{ code: 'DATA_FOLDER_UNUSABLE', file: path }]);
  });

  it('gives one authority to all who start at the same moment', async () => {
    const root = temporaryFolder();
    const sources = Array.from({ length: 8 }, () => sourceIn(root));
    const bundles = await Promise.all(sources.map(({ source }) => source.load()));
    expect(new Set(bundles.map(([{ keyPem }]) => keyPem.reveal())).size).toBe(1);
    expect(new Set(bundles.map(([{ chainPem }]) => chainPem)).size).toBe(1);
    expect(sources.flatMap(({ log }) => log.events)).toEqual(['authority.created']);
    expect(tidy(root)).toEqual(['development']);
  });

  it('says what is wrong with a folder that cannot be made', async () => {
    const root = join(temporaryFolder(), 'file');
    writeFileSync(root, '');
    await expect(sourceIn(root).source.load()).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringContaining(root),
    });
  });
});
