// An archive in a folder of the test, with a real database, and recordings made by the real recorder.
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Archive } from '../../src/archive/archive.ts';
import { testOrigin } from './test-origin.ts';
import type { Tag } from '../../src/flv/tag.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { RecordingWriter } from '../../src/recorder/recording-writer.ts';
import { SlabPool } from '../../src/recorder/slab-pool.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { aacTag, avcTag } from './media-tags.ts';
import { RecordedLog } from './recorded-log.ts';
import { seededRandom } from './seeded-random.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const testStream = 'live/camera-1' as StreamName;
export const testKey = '7h2kq9d4' as KeyId;

export async function openTestArchive(
  options: { dataFolder?: string; minFreeSpace?: number; seed?: string } = {},
) {
  const dataFolder = options.dataFolder ?? temporaryFolder();
  const clock = new FakeClock();
  const log = new RecordedLog();
  const store = await openStore({ folder: dataFolder, clock, log });
  onTestFinished(() => store.close());
  const folder = join(dataFolder, 'recordings');
  const archive = new Archive({
    folder,
    db: store.db,
    clock,
    random: { bytes: seededRandom(options.seed ?? 'archive') },
    log,
    minFreeSpace: options.minFreeSpace ?? 0,
  });
  return { archive, clock, dataFolder, db: store.db, folder, log };
}

/** Two key frames, sound, `count` frames of 40 ms. */
export function someTags(count = 60): Tag[] {
  const tags = [avcTag('header', 0), aacTag('header', 0)];
  for (let at = 0; at < count; at += 1) {
    tags.push(
      avcTag(at % 30 === 0 ? 'key' : 'inter', at * 40, 200 + ((at * 37) % 300)),
      aacTag('frame', at * 40 + 5),
    );
  }
  return tags;
}

/** Begins a recording and writes tags; everything is on the disk when this resolves. */
export async function beginRecording(
  archive: Archive,
  tags: readonly Tag[],
  startedAt = Date.UTC(2026, 10, 22, 13, 5, 9),
) {
  const recording = await archive.create({
    stream: testStream,
    keyId: testKey,
    startedAt,
    origin: testOrigin,
  });
  onTestFinished(() => recording.abandon()); // a file that the test left open, as a killed server does
  const writer = new RecordingWriter({
    recording,
    pool: new SlabPool(),
    log: new RecordedLog(),
    closed: () => {},
  });
  for (const tag of tags) writer.write(tag);
  writer.flush();
  await writer.sync();
  while (tags.length > 0 && recording.bytes === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  return { recording, writer };
}
