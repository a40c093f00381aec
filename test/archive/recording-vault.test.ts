import { createSecretKey } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import type { VaultEncryption } from '../../src/archive/recording-vault.ts';
import { tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { TagType } from '../../src/flv/tag.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';
import { aacTag, avcTag, readTags } from '../support/media-tags.ts';
import { seededRandom } from '../support/seeded-random.ts';

const random = seededRandom('vault');
const withKey = (byte: number, applies = true): VaultEncryption => ({
  key: createSecretKey(Buffer.alloc(32, byte)),
  applies: () => applies,
  random,
});

async function readAll(archive: Archive, id: RecordingId): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archive.read(id)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

/** The same recording, plain and encrypted: still open, as a kill finds it. */
async function twice() {
  const plain = await openTestArchive();
  const sealed = await openTestArchive({ encryption: withKey(1) });
  const [one, other] = [
    await beginRecording(plain.archive, someTags()),
    await beginRecording(sealed.archive, someTags()),
  ];
  return { plain, sealed, one, other };
}

describe('an archive that encrypts', () => {
  it('gives out the same bytes as one that does not, growing and finished; on the disk they are not', async () => {
    const { plain, sealed, one, other } = await twice();
    expect(await readAll(sealed.archive, other.recording.id)).toEqual(
      await readAll(plain.archive, one.recording.id),
    );
    await Promise.all([one.writer.end('unpublished'), other.writer.end('unpublished')]);
    const [entry, shown] = [
      (await plain.archive.find(one.recording.id))!,
      (await sealed.archive.find(other.recording.id))!,
    ];
    expect(shown).toMatchObject({ state: 'complete', bytes: entry.bytes, durationMs: entry.durationMs });
    const flv = readFileSync(plain.archive.pathOf(entry));
    expect(await readAll(sealed.archive, shown.id)).toEqual(flv);
    const stored = readFileSync(sealed.archive.pathOf(shown));
    expect(stored.toString('latin1', 0, 8)).toBe('PSEALED1');
    expect(stored.includes(flv.subarray(-200, -100))).toBe(false);
    const readable = (await sealed.archive.openForRead(shown.id))!;
    const { buffer } = await readable.handle.read(Buffer.alloc(300), 0, 300, 33_000);
    expect(buffer).toEqual(flv.subarray(33_000, 33_300));
    await readable.close();
  });

  it.each([
    [0, 124],
    [1, 123],
    [700, 122],
    [40_000, 0],
  ])('mends what a kill left, %i bytes of its tail torn off', async (torn, kept) => {
    const { sealed, other } = await twice();
    for (const tag of [avcTag('key', 2400, 900), aacTag('frame', 2405)]) {
      const bytes = new Uint8Array(tagSize(tag.body.length));
      writeTag(bytes, 0, tag.type, tag.timestamp, tag.body);
      await other.recording.append(bytes);
    }
    const part = sealed.archive.pathOf((await sealed.archive.find(other.recording.id))!);
    truncateSync(part, Math.max(0, readFileSync(part).length - torn));
    const next = await openTestArchive({ dataFolder: sealed.dataFolder, encryption: withKey(1) });
    await next.archive.recover();
    const recovered = await next.archive.find(other.recording.id);
    const listed = recovered === undefined ? Buffer.alloc(0) : await readAll(next.archive, recovered.id);
    const { tags, reader } = readTags(listed);
    expect(reader.wholeBytes).toBe(listed.length);
    expect(recovered?.state).toBe(kept === 0 ? undefined : 'recovered');
    expect(tags.filter(({ type }) => type !== TagType.ScriptData)).toHaveLength(kept);
  });

  it('says which key it needs; its list is there without any', async () => {
    const { sealed, other } = await twice();
    await other.writer.end('unpublished');
    const { id } = other.recording;
    const stranger = await openTestArchive({ dataFolder: sealed.dataFolder, encryption: withKey(2) });
    await expect(readAll(stranger.archive, id)).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_WRONG' });
    const keyless = await openTestArchive({ dataFolder: sealed.dataFolder });
    await expect(readAll(keyless.archive, id)).rejects.toThrow('no key is configured');
    expect(await keyless.archive.list()).toMatchObject([{ id, state: 'complete' }]);
  });

  it('leaves the file of a kill alone when the key is another, for the start that has the right one', async () => {
    const { sealed, other } = await twice();
    const stranger = await openTestArchive({ dataFolder: sealed.dataFolder, encryption: withKey(2) });
    await stranger.archive.recover();
    expect(stranger.log.of('recovery.failed')).toMatchObject([{ code: 'ENCRYPTION_KEY_WRONG' }]);
    const next = await openTestArchive({ dataFolder: sealed.dataFolder, encryption: withKey(1) });
    await next.archive.recover();
    expect(await next.archive.find(other.recording.id)).toMatchObject({ state: 'recovered' });
  });

  it('encrypts only the streams it is told to, and finds a changed byte', async () => {
    const some = await openTestArchive({ encryption: withKey(1, false) });
    const clear = await beginRecording(some.archive, someTags());
    await clear.writer.end('unpublished');
    const entry = (await some.archive.find(clear.recording.id))!;
    expect(readFileSync(some.archive.pathOf(entry), 'latin1').slice(0, 3)).toBe('FLV');

    const { sealed, other } = await twice();
    await other.writer.end('unpublished');
    const path = sealed.archive.pathOf((await sealed.archive.find(other.recording.id))!);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1000]! ^= 1;
    writeFileSync(path, bytes);
    await expect(readAll(sealed.archive, other.recording.id)).rejects.toMatchObject({
      code: 'RECORDING_DAMAGED',
    });
  });
});
