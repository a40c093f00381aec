// An archive in a folder of the test, with a real database, and recordings such as the recorder makes.
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Archive } from '../../src/archive/archive.ts';
import type { VaultEncryption } from '../../src/archive/recording-vault.ts';
import { testOrigin } from './test-origin.ts';
import type { Tag } from '../../src/flv/tag.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import type { OpenRecording } from '../../src/archive/open-recording.ts';
import { finalHead, headLength, provisionalHead, type ClientMetadata } from '../../src/flv/file-head.ts';
import { FileSummary } from '../../src/flv/file-summary.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { aacTag, avcTag } from './media-tags.ts';
import { RecordedLog } from './recorded-log.ts';
import { seededRandom } from './seeded-random.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const testStream = 'live/camera-1' as StreamName;
export const testKey = '7h2kq9d4' as KeyId;

export async function openTestArchive(
  options: {
    dataFolder?: string;
    minFreeSpace?: number;
    seed?: string;
    encryption?: VaultEncryption;
  } = {},
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
    encryption: options.encryption,
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
  const writer = new PlainWriter(recording);
  await writer.begin(tags);
  return { recording, writer };
}

/** What the recorder does, without its haste: head, tags, and in the end the head that knows everything. */
class PlainWriter {
  readonly #recording: OpenRecording;
  readonly #summary = new FileSummary();
  #client: ClientMetadata | undefined;

  constructor(recording: OpenRecording) {
    this.#recording = recording;
  }

  async begin(tags: readonly Tag[]): Promise<void> {
    let position = headLength;
    const parts: Uint8Array[] = [];
    for (const { type, role, timestamp, body } of tags) {
      if (this.#client === undefined && (this.#client = metadataOf(body)) !== undefined) continue;
      const bytes = new Uint8Array(tagSize(body.length));
      writeTag(bytes, 0, type, timestamp, body);
      this.#summary.add(type, role, timestamp, position, body);
      position += bytes.length;
      parts.push(bytes);
    }
    this.#recording.durationMs = this.#summary.durationMs;
    if (parts.length === 0) return;
    await this.#recording.append(Buffer.concat([provisionalHead(this.#client), ...parts]));
  }

  async end(_reason: 'unpublished' | 'shutdown'): Promise<void> {
    const { durationMs } = this.#summary;
    await this.#recording.patch(0, finalHead(this.#client, this.#summary, this.#recording.bytes));
    await this.#recording.seal({ durationMs, gaps: [] });
  }
}
