import { describe, expect, it } from 'vitest';
import { CatalogueStore, type RecordingEntry } from '../../src/archive/catalogue-store.ts';
import { eventOf, segmentOf } from '../../src/archive/recording-name.ts';
import type { KeyId, RecordingId, StreamName } from '../../src/ops/names.ts';
import { openTestArchive } from '../support/archive.ts';
import { testOrigin } from '../support/test-origin.ts';

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
    event: eventOf(id as RecordingId),
    segment: segmentOf(id as RecordingId),
    gaps: [],
    locked: false,
    origin: undefined,
    codecs: [],
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

  it('keeps what is found out later, and only touches what is given', async () => {
    const catalogue = new CatalogueStore((await openTestArchive()).db);
    const gaps = [{ at: 10, missing: -5, reason: 'timestamps' }] as const;
    const one = { ...entry('0123456789abcdef-12', 'live/a', 1000), origin: testOrigin, gaps };
    await catalogue.add(one);
    expect(await catalogue.find(one.id)).toEqual({ ...one, event: '0123456789abcdef', segment: 12 });
    const facts = { locked: true, codecs: ['h264', 'aac'], sha256: 'ab' };
    await catalogue.update(one.id, facts);
    expect(await catalogue.find(one.id)).toEqual({ ...one, ...facts });
    await catalogue.update(one.id, {});
    await catalogue.finish(one.id, { state: 'complete', endedAt: 1, durationMs: 1, bytes: 1 });
    expect(await catalogue.find(one.id)).toMatchObject({ ...facts, gaps });
  });

  it('never forgets a number that a segment had', async () => {
    const catalogue = new CatalogueStore((await openTestArchive()).db);
    const event = '0123456789abcdef' as RecordingId;
    expect(await catalogue.lastSegment(event)).toBe(0);
    for (const id of [event, `${event}-2`, `${event}-10`]) await catalogue.add(entry(id, 'live/a', 1));
    expect(await catalogue.lastSegment(event)).toBe(10);
    const last = (await catalogue.find(`${event}-10` as RecordingId))!;
    await catalogue.bury({ ...last, sha256: 'cd' }, 77);
    expect(await catalogue.find(last.id)).toBeUndefined();
    expect(await catalogue.lastSegment(event)).toBe(10);
    expect(await catalogue.findRemoved(last.id)).toEqual({ id: last.id, sha256: 'cd', removedAt: 77 });
    expect(await catalogue.findRemoved(event)).toBeUndefined();
  });
});
