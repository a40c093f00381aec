import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EvidenceKeeper } from '../../src/evidence/evidence-keeper.ts';
import { isSignedBy } from '../../src/evidence/evidence-key.ts';
import { parseManifest } from '../../src/evidence/manifest.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { beginRecording, someTags } from '../support/archive.ts';
import { manyTags, openEvidence } from '../support/evidence.ts';
import { testOrigin } from '../support/test-origin.ts';

type Opened = Awaited<ReturnType<typeof openEvidence>>;

async function pathOf({ archive }: Opened, id: RecordingId): Promise<string> {
  return archive.pathOf((await archive.find(id))!);
}

async function manifestOf(opened: Opened, id: RecordingId) {
  const path = await pathOf(opened, id);
  const bytes = readFileSync(`${path}.manifest.json`);
  const signature = readFileSync(`${path}.manifest.sig`);
  expect(isSignedBy(opened.key.publicKey, bytes, signature)).toBe(true);
  return parseManifest(bytes)!;
}

describe('the keeper of the evidence', () => {
  it('signs what is finished: everything that is known of it', async () => {
    const opened = await openEvidence();
    const { archive, keeper, record, goOn, log, key } = opened;
    await keeper.start();
    const first = await record();
    const second = await goOn(first);
    await keeper.idle();
    const path = await pathOf(opened, second);
    const file = readFileSync(path);
    expect(await manifestOf(opened, second)).toMatchObject({
      id: second,
      event: first,
      segment: 2,
      previous: { id: first, sha256: (await archive.find(first))?.sha256 },
      stream: 'live/camera-1',
      keyId: '7h2kq9d4',
      state: 'complete',
      origin: testOrigin,
      media: { videoCodec: 'h264', audioCodec: 'aac' },
      startedAt: '2026-11-22T14:01:00.000Z',
      durationMs: 2405,
      bytes: file.length,
      gaps: [{ at: 0, missing: 700, reason: 'reconnect' }],
      sha256: createHash('sha256').update(file).digest('hex'),
      publicKeyId: key.publicKey.id,
    });
    expect((await manifestOf(opened, first)).previous).toBeNull();
    expect(await archive.find(second)).toMatchObject({
      sha256: (await manifestOf(opened, second)).sha256,
      codecs: ['h264', 'aac'],
    });
    for (const end of ['', '.manifest.json', '.manifest.sig'])
      expect(statSync(path + end).mode & 0o777).toBe(0o600);
    expect(log.of('recording.signed').map(({ recording }) => recording)).toEqual([first, second]);
    await keeper.stop();
  });

  it('catches up at the start, and begins what was interrupted again', async () => {
    const opened = await openEvidence();
    const { archive, keeper, record, clock, log, key } = opened;
    const id = await record(manyTags());
    await keeper.start();
    await keeper.stop();
    expect((await archive.find(id))?.sha256).toBeUndefined();
    expect(log.of('evidence.failed')).toEqual([]);
    const next = new EvidenceKeeper({ archive, key, clock, log });
    await next.start();
    await next.idle();
    expect((await manifestOf(opened, id)).prefixSha256.length).toBeGreaterThan(2);
    await next.stop();
  });

  it('does not sign anew what was signed before: the catalogue may be lost, the evidence stays', async () => {
    const opened = await openEvidence();
    const { archive, keeper, record, db } = opened;
    const id = await record();
    await keeper.start();
    await keeper.idle();
    const { sha256 } = await manifestOf(opened, id);
    const path = await pathOf(opened, id);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('more')]));
    await db.updateTable('recordings').set({ sha256: null }).execute();
    await record(); // makes it look
    await keeper.idle();
    expect((await archive.find(id))?.sha256).toBe(sha256);
    expect((await manifestOf(opened, id)).sha256).toBe(sha256);
    await keeper.stop();
  });

  it('goes slowly while something is recorded', async () => {
    const { archive, record, clock, key, log } = await openEvidence();
    const keeper = new EvidenceKeeper({ archive, key, clock, log });
    const id = await record(manyTags());
    const { recording, writer } = await beginRecording(archive, someTags(), Date.UTC(2026, 10, 23));
    const others = clock.timers;
    await keeper.start();
    let rests = 0;
    while ((await archive.find(id))?.sha256 === undefined) {
      if (clock.timers > others) {
        rests += 1;
        clock.advance(1);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(rests).toBeGreaterThan(2); // after each MiB
    await writer.end('unpublished');
    await keeper.idle();
    expect((await archive.find(recording.id))?.sha256).toBeDefined();
    await keeper.stop();
  });

  it('says what it could not read, goes on, and tries it at the next start', async () => {
    const opened = await openEvidence();
    const { archive, keeper, record, goOn, log, clock, key } = opened;
    const lost = await record();
    const path = await pathOf(opened, lost);
    const next = await goOn(lost);
    const bytes = readFileSync(path);
    rmSync(path);
    await keeper.start();
    await keeper.idle();
    expect(log.of('evidence.failed')).toMatchObject([{ recording: lost, code: 'NOT_FOUND' }]);
    expect((await manifestOf(opened, next)).previous).toEqual({ id: lost, sha256: null });
    await keeper.stop();
    writeFileSync(path, bytes);
    const again = new EvidenceKeeper({ archive, key, clock, log });
    await again.start();
    await again.idle();
    expect((await archive.find(lost))?.sha256).toBeDefined();
    await again.stop();
  });

  it('leaves nothing behind of a recording that was deleted, also of an earlier segment', async () => {
    const opened = await openEvidence();
    const { archive, keeper, record, goOn } = opened;
    const first = await record();
    await keeper.start();
    await keeper.idle();
    const { sha256 } = await manifestOf(opened, first);
    const second = await goOn(first);
    const path = await pathOf(opened, first);
    await archive.remove(first);
    expect([path, `${path}.manifest.json`, `${path}.manifest.sig`].some((one) => existsSync(one))).toBe(
      false,
    );
    await keeper.idle();
    expect((await manifestOf(opened, second)).previous).toEqual({ id: first, sha256 });
    await keeper.stop();
  });
});
