import { open } from 'node:fs/promises';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { mostGaps } from '../../src/archive/open-recording.ts';
import { measureLive, readPieces, scanRecording } from '../../src/archive/recording-scan.ts';
import { headLength, provisionalHead } from '../../src/flv/file-head.ts';
import { gapScript } from '../../src/flv/script-data.ts';
import { TagType } from '../../src/flv/tag.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';
import { avcTag, tagOf } from '../support/media-tags.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function opened(path: string) {
  const handle = await open(path);
  onTestFinished(() => handle.close());
  return handle;
}

describe('scanning', () => {
  it('finds all tags of a file that is larger than a piece, and where they end', async () => {
    const { archive, folder } = await openTestArchive();
    const tags = [...someTags(), avcTag('key', 5000, 600_000), avcTag('inter', 5040, 10)];
    const { recording } = await beginRecording(archive, tags);
    const entry = await archive.find(recording.id);
    const handle = await opened(join(folder, `${entry!.path}.part`));
    while (recording.bytes < 600_000) await new Promise((resolve) => setTimeout(resolve, 1));
    const { summary, wholeBytes } = await scanRecording(handle);
    expect([summary.tags, wholeBytes, summary.durationMs]).toEqual([tags.length, recording.bytes, 5080]);
    expect(summary.index.timestamps()).toEqual([0, 1200, 5000]);
  });

  it('measures a live file by its end, also in the middle of a write', async () => {
    const { archive } = await openTestArchive();
    const { recording } = await beginRecording(archive, someTags());
    const path = archive.pathOf((await archive.find(recording.id))!);
    const handle = await opened(path);
    const whole = { bytes: recording.bytes, durationMs: 59 * 40 + 5 };
    expect(await measureLive(handle)).toEqual(whole);
    truncateSync(path, recording.bytes - 3);
    const torn = await measureLive(handle);
    expect(torn.durationMs).toBe(59 * 40);
    expect(torn.bytes).toBeLessThan(whole.bytes - 3);
    expect(torn.bytes).toBe((await scanRecording(handle)).wholeBytes);
  });

  it('reads the marks of gaps, but believes no stranger and no mark that stands for nothing', async () => {
    const { archive } = await openTestArchive();
    const script = (body: Uint8Array, timestamp = 0) => tagOf(TagType.ScriptData, timestamp, body);
    const mark = (at: number, reason = 'reconnect') => script(gapScript({ at, missing: 700, reason }));
    const tags = [
      ...someTags(5),
      mark(200),
      avcTag('key', 200),
      mark(210, 'whim'),
      script(gapScript({ at: 205, missing: 9, reason: 'disk' }), 205), // an encoder's own word
      script(encodeAmf0('onTextData', 'text')),
      avcTag('inter', 240),
      script(gapScript({ at: 240, missing: -5, reason: 'disk', dropped: 3 })),
      mark(280), // the frame behind it never reached the disk
    ];
    const { recording } = await beginRecording(archive, tags);
    const handle = await opened(archive.pathOf((await archive.find(recording.id))!));
    const gaps = [
      { at: 200, missing: 700, reason: 'reconnect' },
      { at: 240, missing: -5, reason: 'disk', dropped: 3 },
    ];
    expect((await scanRecording(handle)).gaps).toEqual(gaps);
    await recording.abandon();
    expect(await archive.find(recording.id)).toMatchObject({ state: 'recovered', gaps });
  });

  it('notes so many gaps and no more', async () => {
    const { archive } = await openTestArchive();
    const marks = Array.from({ length: mostGaps + 5 }, () =>
      tagOf(TagType.ScriptData, 0, gapScript({ at: 0, missing: 1, reason: 'disk' })),
    );
    const { recording } = await beginRecording(archive, [...marks, avcTag('key', 0)]);
    const handle = await opened(archive.pathOf((await archive.find(recording.id))!));
    expect((await scanRecording(handle)).gaps).toHaveLength(mostGaps);
  });

  it('has nothing to measure before the first tag', async () => {
    const path = join(temporaryFolder(), 'x');
    for (const bytes of [
      new Uint8Array(0),
      provisionalHead(undefined).subarray(0, 100),
      provisionalHead(undefined),
    ]) {
      writeFileSync(path, bytes);
      const handle = await opened(path);
      expect(await measureLive(handle)).toEqual({ bytes: 0, durationMs: 0 });
      expect((await scanRecording(handle)).summary.tags).toBe(0);
    }
  });

  it('reads any range in pieces', async () => {
    const path = join(temporaryFolder(), 'x');
    const bytes = Buffer.alloc(headLength * 20).map((_, at) => (at * 31) >> 5);
    writeFileSync(path, bytes);
    const handle = await opened(path);
    const read = async (start: number, end: number) => {
      const pieces = [];
      for await (const piece of readPieces(handle, start, end)) pieces.push(piece);
      return { pieces: pieces.length, bytes: Buffer.concat(pieces) };
    };
    expect(await read(0, Infinity)).toEqual({ pieces: 3, bytes });
    expect(await read(5, 9)).toEqual({ pieces: 1, bytes: bytes.subarray(5, 9) });
    expect((await read(300_000, 10 ** 9)).bytes).toEqual(bytes.subarray(300_000));
    expect((await read(10 ** 9, Infinity)).pieces).toBe(0);
  });
});
