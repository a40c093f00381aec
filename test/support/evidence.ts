// Signed recordings: an archive, a key, and a keeper that has done its work.
import type { Tag } from '../../src/flv/tag.ts';
import { systemClock, type Clock } from '../../src/ops/clock.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { EvidenceKeeper } from '../../src/evidence/evidence-keeper.ts';
import { openEvidenceKey } from '../../src/evidence/evidence-key.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { beginRecording, openTestArchive, someTags, testKey, testStream } from './archive.ts';
import { avcTag } from './media-tags.ts';
import { testOrigin } from './test-origin.ts';

/** Tags of more than 3 MiB. */
export function manyTags(): Tag[] {
  const frames = Array.from({ length: 60 }, (_, at) =>
    avcTag(at % 30 === 0 ? 'key' : 'inter', at * 1000, 60_000),
  );
  return [avcTag('header', 0), ...frames];
}

export async function openEvidence(options: Parameters<typeof openTestArchive>[0] = {}) {
  const opened = await openTestArchive(options);
  const { archive, clock, dataFolder, log } = opened;
  const key = openEvidenceKey(dataFolder, systemRandom);
  // Rests are no part of most tests: they are over at once.
  const eager: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (_milliseconds, callback) => systemClock.after(0, callback),
    every: (milliseconds, callback) => clock.every(milliseconds, callback),
  };
  const keeper = new EvidenceKeeper({ archive, key, clock: eager, log });
  const record = async (tags: readonly Tag[] = someTags()): Promise<RecordingId> => {
    const { recording, writer } = await beginRecording(archive, tags);
    await writer.end('unpublished');
    return recording.id;
  };
  /** The next segment, with the bytes of the event's first one. */
  const goOn = async (continues: RecordingId): Promise<RecordingId> => {
    const startedAt = Date.UTC(2026, 10, 22, 14) + archiveMinute();
    const next = await archive.create({
      stream: testStream,
      keyId: testKey,
      startedAt,
      origin: testOrigin,
      continues,
    });
    for await (const piece of archive.read(continues)) await next.append(piece);
    await next.seal({ durationMs: 2405, gaps: [{ at: 0, missing: 700, reason: 'reconnect' }] });
    return next.id;
  };
  let minutes = 0;
  const archiveMinute = () => (minutes += 1) * 60_000;
  return { ...opened, key, keeper, record, goOn };
}
