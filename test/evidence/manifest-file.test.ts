import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  readManifest,
  readManifestOf,
  removeManifest,
  writeManifest,
} from '../../src/evidence/manifest-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const path = 'live/a/x.flv';
const signed = { manifest: Buffer.from('{}'), signature: Buffer.alloc(64, 7) };

function folder() {
  const root = temporaryFolder();
  mkdirSync(join(root, 'live/a'), { recursive: true });
  return root;
}

describe('the files of a manifest', () => {
  it('are written whole beside the recording, in place of older ones, and removed with it', async () => {
    const root = folder();
    expect(await readManifest(root, path)).toBeUndefined();
    writeFileSync(join(root, `${path}.manifest.json.tmp`), 'of a killed process');
    await writeManifest(root, path, { ...signed, manifest: Buffer.from('old') });
    await writeManifest(root, path, signed);
    expect(await readManifest(root, path)).toEqual(signed);
    expect(await readManifestOf(join(root, path))).toEqual(signed);
    expect(readdirSync(join(root, 'live/a')).toSorted()).toEqual([
      'x.flv.manifest.json',
      'x.flv.manifest.sig',
    ]);
    await removeManifest(root, path);
    await removeManifest(root, path);
    expect(readdirSync(join(root, 'live/a'))).toEqual([]);
  });

  it('count as missing when they are too large, links, or in a folder that is one', async () => {
    const root = folder();
    const elsewhere = temporaryFolder();
    writeFileSync(join(elsewhere, 'secret'), 'x');
    symlinkSync(join(elsewhere, 'secret'), join(root, `${path}.manifest.json`));
    expect(await readManifest(root, path)).toBeUndefined();
    symlinkSync(elsewhere, join(root, 'live/b'));
    await expect(writeManifest(root, 'live/b/x.flv', signed)).rejects.toThrow(/symbolic link/);
    expect(existsSync(join(elsewhere, 'x.flv.manifest.sig'))).toBe(false);
    await expect(readManifest(root, 'live/nowhere/x.flv')).resolves.toBeUndefined();
    await writeManifest(root, 'live/a/y.flv', { ...signed, signature: Buffer.alloc(65) });
    expect((await readManifest(root, 'live/a/y.flv'))?.signature).toHaveLength(0);
  });
});
