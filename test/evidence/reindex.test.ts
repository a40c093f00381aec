import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPublicKey } from '../../src/evidence/evidence-key.ts';
import { reindexRecordings } from '../../src/evidence/reindex.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';
import { openEvidence } from '../support/evidence.ts';

/** Two signed segments, one unsigned recording and one in the making, whose rows are all lost. */
async function lostRows() {
  const before = await openEvidence();
  const { archive, dataFolder, folder, keeper, record, goOn } = before;
  const first = await record();
  const second = await goOn(first);
  await keeper.start();
  await keeper.idle();
  await keeper.stop();
  const plain = await record(someTags(10));
  const entries = await archive.list();
  await beginRecording(archive, someTags(5), Date.UTC(2026, 10, 24));
  for (const name of ['penstock.sqlite', 'penstock.sqlite-wal', 'penstock.sqlite-shm']) {
    rmSync(join(dataFolder, name), { force: true });
  }
  const after = await openTestArchive({ dataFolder });
  const reindex = () => reindexRecordings(after.archive, findPublicKey(dataFolder));
  return { ...after, folder, before: entries, first, second, plain, reindex };
}

describe('reindex', () => {
  it('brings back every row that the manifests can tell, and what the files can', async () => {
    const { archive, before, first, second, plain, reindex } = await lostRows();
    const outcomes = await reindex();
    expect(outcomes.map(({ action }) => action)).toEqual(['added', 'added', 'added']);
    const byId = new Map((await archive.list()).map((entry) => [entry.id, entry]));
    for (const id of [first, second]) expect(byId.get(id)).toEqual(before.find((entry) => entry.id === id));
    const { durationMs, bytes, startedAt, path } = before.find(({ id }) => id === plain)!;
    expect(byId.get(plain)).toMatchObject({
      state: 'recovered',
      keyId: undefined,
      sha256: undefined,
      durationMs,
      bytes,
      startedAt,
      path,
    });
    expect(byId.size).toBe(3); // what is in the making is left to recovery
  });

  it('may be run again and again, and then changes nothing', async () => {
    const { archive, reindex } = await lostRows();
    await reindex();
    const once = await archive.list();
    expect((await reindex()).map(({ action }) => action)).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(await archive.list()).toEqual(once);
  });

  it('corrects what moved or was not known, and says what is missing', async () => {
    const { archive, db, folder, first, second, plain, reindex } = await lostRows();
    await reindex();
    await db.updateTable('recordings').set({ sha256: null, origin: null, gaps: '[]' }).execute();
    await archive.catalogue.update(first, { locked: true });
    const { path } = (await archive.find(first))!;
    const moved = path.replace('live/camera-1', 'live/moved');
    mkdirSync(dirname(join(folder, moved)), { recursive: true });
    for (const end of ['', '.manifest.json', '.manifest.sig']) {
      renameSync(join(folder, path + end), join(folder, moved + end));
    }
    rmSync(archive.pathOf((await archive.find(plain))!));
    const actions = new Map((await reindex()).map(({ id, action }) => [id, action]));
    expect(actions).toEqual(
      new Map([
        [second, 'corrected'],
        [first, 'corrected'],
        [plain, 'file-missing'],
      ]),
    );
    expect(await archive.find(first)).toMatchObject({ path: moved, stream: 'live/moved', locked: true });
    expect((await archive.find(second))?.gaps).toHaveLength(1);
    expect((await archive.find(plain))?.id).toBe(plain);
  });

  it('goes on behind what it cannot read, and trusts no manifest of others', async () => {
    const { archive, folder, first, plain, reindex } = await lostRows();
    const stranger = 'live/camera-1/2026-11-22T13-05-09Z_zzzzzzzzzzzzzzzz.flv';
    writeFileSync(join(folder, stranger), 'no flv');
    writeFileSync(join(folder, 'live/camera-1/film.flv'), 'not ours');
    const paths = (await reindex()).map(({ path }) => path);
    const ofFirst = paths.find((path) => path.endsWith(`${first}.flv`))!;
    // a signed manifest beside another file
    const ofPlain = paths.find((path) => path.endsWith(`${plain}.flv`))!;
    for (const end of ['.manifest.json', '.manifest.sig']) {
      copyFileSync(join(folder, ofFirst + end), join(folder, ofPlain + end));
    }
    await archive.catalogue.remove(plain);
    await reindex();
    expect(await archive.find(plain)).toMatchObject({ sha256: undefined, keyId: undefined });
    expect(paths).not.toContain('live/camera-1/film.flv');
  });
});
