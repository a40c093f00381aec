import { createSecretKey } from 'node:crypto';
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openEvidenceKey } from '../../src/evidence/evidence-key.ts';
import { verifyRecording } from '../../src/evidence/verification.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { manyTags, openEvidence } from '../support/evidence.ts';
import { streamTags } from '../support/media-tags.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Two segments of one event and a large recording, all signed. */
async function signed() {
  const opened = await openEvidence();
  const { archive, keeper, record, goOn, key } = opened;
  await keeper.start();
  const first = await record();
  const second = await goOn(first);
  const large = await record(manyTags());
  await keeper.idle();
  await keeper.stop();
  const pathOf = async (id: RecordingId) => archive.pathOf((await archive.find(id))!);
  const verify = async (id: RecordingId, publicKey = key.publicKey) =>
    verifyRecording(archive, (await archive.find(id))!, publicKey);
  return { ...opened, first, second, large, pathOf, verify };
}

describe('verification', () => {
  it('finds all well where nothing was touched', async () => {
    const { verify, first, second, large } = await signed();
    for (const id of [first, second, large]) expect((await verify(id)).status).toBe('ok');
  });

  it('finds one changed bit, and where it is in bytes and in time', async () => {
    const { verify, large, pathOf } = await signed();
    const path = await pathOf(large);
    const file = readFileSync(path);
    const at = 2_500_000;
    file[at]! ^= 1;
    writeFileSync(path, file);
    const found = await verify(large);
    expect(found).toMatchObject({
      status: 'altered',
      alteredFrom: 2 * 1024 * 1024,
      alteredTo: 3 * 1024 * 1024,
    });
    const tags = streamTags(file);
    const before = tags.filter(({ position }) => position <= found.alteredFrom!).at(-1)!;
    expect(found.alteredAtMs).toBe(before.timestamp);
    const changed = tags.filter(({ position }) => position <= at).at(-1)!;
    expect(changed.timestamp - found.alteredAtMs!).toBeLessThan(20_000); // a MiB of it
  });

  it('finds what was cut off, added, or put in the place of another', async () => {
    const { verify, first, second, large, pathOf } = await signed();
    truncateSync(await pathOf(large), 1_500_000);
    const cut = await verify(large);
    expect(cut).toMatchObject({ status: 'altered', alteredFrom: 1024 * 1024 });
    expect(cut.detail).toContain('1500000 bytes instead of');
    // a whole recording with its manifest, under the name of another
    for (const end of ['', '.manifest.json', '.manifest.sig']) {
      writeFileSync((await pathOf(second)) + end, readFileSync((await pathOf(first)) + end));
    }
    expect((await verify(second)).status).toBe('signature-bad');
  });

  it('trusts no manifest that is changed, unsigned or signed by others', async () => {
    const { verify, first, pathOf } = await signed();
    const path = await pathOf(first);
    expect(await verify(first, openEvidenceKey(temporaryFolder(), systemRandom).publicKey)).toMatchObject({
      status: 'signature-bad',
      detail: expect.stringContaining('not the one to check with') as string,
    });
    const manifest = readFileSync(`${path}.manifest.json`, 'utf8');
    writeFileSync(`${path}.manifest.json`, manifest.replace('live/camera-1', 'live/camera-2'));
    expect((await verify(first)).status).toBe('signature-bad');
    writeFileSync(`${path}.manifest.json`, manifest);
    rmSync(`${path}.manifest.sig`);
    expect((await verify(first)).status).toBe('signature-bad');
    rmSync(`${path}.manifest.json`);
    expect((await verify(first)).status).toBe('unsigned');
    renameSync(path, `${path}.away`);
    expect((await verify(first)).status).toBe('missing');
  });

  it('misses a segment that is gone, but not one that was deleted', async () => {
    const { archive, db, verify, first, second } = await signed();
    await archive.remove(first);
    expect((await verify(second)).status).toBe('ok');
    await db.deleteFrom('removed_recordings').execute();
    expect(await verify(second)).toMatchObject({
      status: 'segment-missing',
      detail: expect.stringContaining(first) as string,
    });
  });

  it('and one that is another', async () => {
    const { archive, verify, first, second } = await signed();
    await archive.catalogue.update(first, { sha256: '0'.repeat(64) });
    expect((await verify(second)).status).toBe('segment-missing');
  });

  it('finds damage that an encrypted file tells by itself, and does not take a missing key for it', async () => {
    const random = (length: number) => systemRandom.bytes(length);
    const key = (byte: number) => createSecretKey(Buffer.alloc(32, byte));
    const opened = await openEvidence({ encryption: { key: key(1), applies: () => true, random } });
    const { archive, dataFolder, keeper, record } = opened;
    const id = await record(manyTags());
    await keeper.start();
    await keeper.idle();
    await keeper.stop();
    const entry = (await archive.find(id))!;
    const { publicKey } = opened.key;
    expect((await verifyRecording(archive, entry, publicKey)).status).toBe('ok');
    const other = await openEvidence({
      dataFolder,
      encryption: { key: key(2), applies: () => true, random },
    });
    expect((await verifyRecording(other.archive, entry, publicKey)).status).toBe('unreadable');
    const stored = readFileSync(archive.pathOf(entry));
    stored[2_000_000]! ^= 1;
    writeFileSync(archive.pathOf(entry), stored);
    const found = await verifyRecording(archive, entry, publicKey);
    expect([found.status, found.alteredTo]).toEqual(['altered', entry.bytes]);
    expect(found.alteredFrom).toBeLessThan(2_000_000);
  });
});
