import { describe, expect, it } from 'vitest';
import { lockRecording, pruneByHand } from '../../src/retention/retention-cli.ts';
import { beginRecording, openTestArchive, someTags, testKey, testStream } from '../support/archive.ts';
import { RecordedAudit } from '../support/recorded-audit.ts';
import { testOrigin } from '../support/test-origin.ts';

async function setUp() {
  const { archive, clock, log } = await openTestArchive();
  const { recording, writer } = await beginRecording(archive, someTags(2));
  await writer.end('unpublished');
  const second = await archive.create({
    stream: testStream,
    keyId: testKey,
    startedAt: clock.now(),
    origin: testOrigin,
    continues: recording.id,
  });
  await second.append(Buffer.alloc(50));
  await second.seal({ durationMs: 1, gaps: [] });
  const audit = new RecordedAudit();
  const settings = {
    maxAge: 60_000,
    maxTotalSize: null,
    maxStreamSize: null,
    deleteWhenFull: false,
    streams: {},
  };
  const parts = { archive, settings, audit, clock, log, source: 'cli' } as const;
  return { archive, audit, clock, parts, first: recording.id, second: second.id };
}

describe('penstock recording lock and unlock', () => {
  it('one recording, or all of its event, as often as one likes', async () => {
    const { archive, audit, first, second } = await setUp();
    const locks = async () => (await archive.list()).map(({ locked }) => locked);
    const one = await lockRecording(archive, { id: second, locked: true }, audit);
    expect(one.json).toEqual([{ id: second, event: first, segment: 2, locked: true }]);
    expect(await locks()).toEqual([false, true]);
    await lockRecording(archive, { id: second, locked: true, event: true }, audit);
    expect(await locks()).toEqual([true, true]);
    await lockRecording(archive, { id: first, locked: false, event: true }, audit);
    expect(await locks()).toEqual([false, false]);
    expect(audit.lines.map(({ action }) => action)).toEqual([
      ...Array.from({ length: 3 }, () => 'recording.locked'),
      ...Array.from({ length: 2 }, () => 'recording.unlocked'),
    ]);
    const unknown = lockRecording(archive, { id: '0000000000000000', locked: true }, audit);
    await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('penstock recording prune', () => {
  it('says what would go and why, and only then does it', async () => {
    const { archive, audit, clock, parts, first, second } = await setUp();
    await archive.catalogue.update(second, { locked: true });
    expect((await pruneByHand(parts, {})).text).toBe('Nothing to delete.');
    clock.advance(120_000);
    const dry = await pruneByHand(parts, { dryRun: true });
    expect(dry.json).toMatchObject([{ id: first, reason: 'max-age', deleted: false }]);
    expect(dry.text).toContain('Would delete 1');
    expect(await archive.list()).toHaveLength(2);
    const done = await pruneByHand(parts, {});
    expect(done).toMatchObject({ json: [{ id: first, reason: 'max-age', deleted: true }], failed: false });
    expect((await archive.list()).map(({ id }) => id)).toEqual([second]);
    expect(audit.of('recording.expired')).toMatchObject([{ source: 'cli', stream: testStream }]);
  });
});
