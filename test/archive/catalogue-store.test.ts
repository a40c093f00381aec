import { describe, expect, it } from 'vitest';
import { CatalogueStore, type RecordingEntry } from '../../src/archive/catalogue-store.ts';
import type { KeyId, RecordingId, StreamName } from '../../src/ops/names.ts';
import { openTestArchive } from '../support/archive.ts';

function entry(id: string, stream: string, startedAt: number): RecordingEntry {
  return {
    id: id as RecordingId,
    stream: stream as StreamName,
    keyId: '7h2kq9d4' as KeyId,
    state: 'recording',
    startedAt,
    endedAt: undefined,
    durationMs: undefined,
    bytes: undefined,
    sha256: undefined,
    path: `${stream}/${id}.flv`,
  };
}

describe('the catalogue', () => {
  it('keeps, finishes, finds and removes', async () => {
    const catalogue = new CatalogueStore((await openTestArchive()).db);
    const one = entry('a', 'live/a', 1000);
    await catalogue.add(one);
    expect(await catalogue.find(one.id)).toEqual(one);
    const outcome = { state: 'complete', endedAt: 5000, durationMs: 3999, bytes: 2 ** 40 } as const;
    await catalogue.finish(one.id, outcome);
    expect(await catalogue.find(one.id)).toEqual({ ...one, ...outcome });
    expect([await catalogue.remove(one.id), await catalogue.remove(one.id)]).toEqual([true, false]);
    expect(await catalogue.find(one.id)).toBeUndefined();
    const stray = { ...entry('b', 'live/a', 1), keyId: undefined };
    await catalogue.add(stray);
    expect(await catalogue.find(stray.id)).toEqual(stray);
  });

  it('lists oldest first, filtered, page by page', async () => {
    const catalogue = new CatalogueStore((await openTestArchive()).db);
    const entries = [
      entry('d', 'live/b', 50),
      entry('c', 'live/a', 100),
      entry('e', 'live/a', 100),
      entry('a', 'live/a', 200),
    ];
    for (const one of entries.toReversed()) await catalogue.add(one);
    await catalogue.finish('e' as RecordingId, { state: 'recovered', endedAt: 1, durationMs: 1, bytes: 1 });
    const ids = async (...filter: Parameters<CatalogueStore['list']>) =>
      (await catalogue.list(...filter)).map(({ id }) => id);
    expect(await ids()).toEqual(['d', 'c', 'e', 'a']);
    expect(await ids({ stream: 'live/a' as StreamName })).toEqual(['c', 'e', 'a']);
    expect(await ids({ since: 100 })).toEqual(['c', 'e', 'a']);
    expect(await ids({ state: 'recovered' })).toEqual(['e']);
    expect(await ids({ limit: 2 })).toEqual(['d', 'c']);
    expect(await ids({ limit: 2, after: entries[1]! })).toEqual(['e', 'a']);
    expect(await ids({ after: entries[3]! })).toEqual([]);
  });
});
