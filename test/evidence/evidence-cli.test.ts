import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reindex, verifyFile, verifyRecordings } from '../../src/evidence/evidence-cli.ts';
import { beginRecording, someTags } from '../support/archive.ts';
import { openEvidence } from '../support/evidence.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function setUp() {
  const opened = await openEvidence();
  const { archive, keeper, record, goOn } = opened;
  const first = await record();
  const second = await goOn(first);
  await keeper.start();
  await keeper.idle();
  await keeper.stop();
  return { ...opened, first, second, path: archive.pathOf((await archive.find(first))!) };
}

describe('penstock recording verify', () => {
  it('answers for each recording, and fails when one is not well', async () => {
    const { archive, dataFolder, first, second, path } = await setUp();
    await beginRecording(archive, someTags(3), Date.UTC(2026, 10, 25)); // not finished, so not looked at
    const good = await verifyRecordings(archive, { dataFolder });
    expect(good.json).toMatchObject([
      { id: first, status: 'ok', detail: null, alteredFrom: null },
      { id: second, status: 'ok' },
    ]);
    expect([good.failed, good.text.split('\n').at(-1)]).toEqual([false, 'All 2 are as they were recorded.']);
    writeFileSync(path, readFileSync(path).fill(0, 33_000, 33_001));
    const bad = await verifyRecordings(archive, { dataFolder });
    expect(bad.json).toMatchObject([{ status: 'altered', alteredFrom: 0 }, { status: 'ok' }]);
    expect([bad.failed, bad.text.split('\n').at(-1)]).toEqual([true, '1 of 2 are not well.']);
    expect((await verifyRecordings(archive, { dataFolder, id: second })).failed).toBe(false);
    const unknown = verifyRecordings(archive, { dataFolder, id: 'zzzzzzzzzzzzzzzz' });
    await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('waits for a server that is about to sign, and not for one that does not', async () => {
    const { archive, dataFolder, keeper, record } = await openEvidence();
    const id = await record();
    const waits: number[] = [];
    const idle = async (milliseconds: number) => void waits.push(milliseconds);
    expect(await verifyRecordings(archive, { dataFolder, wait: idle })).toMatchObject({
      failed: true,
      json: [{ id, status: 'unsigned' }],
    });
    expect(waits.reduce((sum, milliseconds) => sum + milliseconds)).toBe(10_000);
    const signing = async () => {
      await keeper.start();
      await keeper.idle();
    };
    expect((await verifyRecordings(archive, { dataFolder, wait: signing })).failed).toBe(false);
    await keeper.stop();
  });

  it('checks a file alone, with nothing but its manifest and the public key', async () => {
    const { dataFolder, first, path } = await setUp();
    const folder = temporaryFolder();
    const [file, key] = [join(folder, 'film.flv'), join(folder, 'key.pem')];
    copyFileSync(join(dataFolder, 'evidence-key.pub.pem'), key);
    for (const end of ['', '.manifest.json', '.manifest.sig']) copyFileSync(path + end, file + end);
    expect(await verifyFile(file, key)).toMatchObject({ failed: false, json: { status: 'ok', id: first } });
    writeFileSync(file, 'x');
    expect(await verifyFile(file, key)).toMatchObject({ failed: true, json: { status: 'altered' } });
    rmSync(`${file}.manifest.json`);
    expect((await verifyFile(file, key)).json).toMatchObject({ status: 'unsigned' });
    rmSync(file);
    expect((await verifyFile(file, key)).json).toMatchObject({ status: 'missing' });
    await expect(verifyFile(file, join(folder, 'none.pem'))).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
  });
});

describe('penstock recording reindex', () => {
  it('says what it did, and what it could not know', async () => {
    const { archive, dataFolder, first, second } = await setUp();
    await archive.catalogue.remove(first);
    const report = await reindex(archive, dataFolder);
    expect(report.json).toMatchObject([
      { id: first, action: 'added' },
      { id: second, action: 'unchanged' },
    ]);
    expect(report.text).toContain('1 added, 0 corrected, 1 unchanged');
    expect(report.text).toContain('Locks are not in the files');
    expect((await reindex(archive, dataFolder)).text).not.toContain('Locks');
  });
});
