import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { Amf0Decoder } from '../../src/amf/amf0-decoder.ts';
import { headLength } from '../../src/flv/file-head.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { RecordingWriter, type RecordingTarget } from '../../src/recorder/recording-writer.ts';
import { SlabPool } from '../../src/recorder/slab-pool.ts';
import { MemoryRecording } from '../support/memory-recording.ts';
import { aacTag, avcTag, readTags, streamTags } from '../support/media-tags.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';

function setUp(opening?: (recording: MemoryRecording) => Promise<RecordingTarget>) {
  const recording = new MemoryRecording();
  const log = new RecordedLog();
  const pool = new SlabPool();
  const told: string[] = [];
  const writer = new RecordingWriter({
    recording: opening === undefined ? recording : opening(recording),
    pool,
    log,
    failed: (error) => void told.push((error as { code?: string }).code ?? 'bug'),
    closed: () => void told.push('closed'),
  });
  const put = (...tags: Tag[]) => {
    for (const { type, role, timestamp, body } of tags) writer.put(type, role, timestamp, body);
  };
  return { recording, log, pool, told, writer, put };
}

const metadata = (...properties: [string, number][]) => new AmfObject(properties, 'ecma-array');
const told = (file: Uint8Array) => metadataOf(readTags(file).tags[0]!.body)!;
const plain = (tags: readonly Tag[]) =>
  tags.map(({ type, timestamp, body }) => ({ type, timestamp, body: Uint8Array.from(body) }));

const start = [avcTag('header', 0), aacTag('header', 0), avcTag('key', 0), aacTag('frame', 10)];

describe('a recording', () => {
  it('is a whole FLV file: every payload as it came, a head that knows it all', async () => {
    const { recording, writer, put, log, pool, told: said } = setUp();
    expect(writer.describe(metadata(['width', 1280]))).toBe(true);
    const sent = [...start, avcTag('inter', 40), avcTag('key', 2000), avcTag('inter', 2040)];
    put(...sent);
    await writer.end('unpublished', 3);

    const tags = streamTags(recording.file);
    expect(plain(tags)).toEqual(plain(sent));
    const head = told(recording.file);
    expect(head.get('width')).toBe(1280);
    expect(head.get('duration')).toBe(2.08);
    expect(head.get('filesize')).toBe(recording.bytes);
    const keyFrames = tags.filter(({ role }) => role === 'key-frame').map(({ position }) => position);
    expect((head.get('keyframes') as AmfObject).get('filepositions')).toEqual(keyFrames);

    expect([recording.outcome, recording.durationMs, pool.inUse]).toEqual(['sealed', 2080, 0]);
    const { bytes, id } = recording;
    expect(log.of('recording.sealed')).toEqual([
      { recording: id, reason: 'unpublished', bytes, durationMs: 2080, clamped: 3 },
    ]);
    expect(said).toEqual(['closed']);
    await writer.end('shutdown');
    put(avcTag('inter', 12_000));
    writer.flush();
    expect(said).toEqual(['closed']);
  });

  it('can be read after every flush, with whole tags only and a first head', async () => {
    const { recording, writer, put } = setUp();
    writer.describe(metadata(['height', 720]));
    writer.flush();
    await settled();
    expect(recording.bytes).toBe(0); // nothing but a head would be no recording
    for (let at = 0; at < 300; at += 1) {
      put(avcTag(at % 50 === 0 ? 'key' : 'inter', at * 40, 25_000));
      if (at % 7 === 0) writer.flush();
      await settled();
      if (recording.bytes === 0) continue;
      const { reader, tags } = readTags(recording.file);
      expect([reader.status, reader.wholeBytes]).toEqual(['reading', recording.bytes]);
      expect(metadataOf(tags[0]!.body)?.get('height')).toBe(720);
    }
    expect(recording.appends.length).toBeGreaterThanOrEqual(43); // a write for each flush
  });

  it('takes metadata that comes late into its head too, and none after that', async () => {
    const { recording, writer, put } = setUp();
    put(...start);
    writer.flush();
    await settled();
    expect(writer.describe(metadata(['width', 640]))).toBe(true);
    writer.flush();
    await settled();
    expect(recording.patches).toEqual([0]);
    expect(told(recording.file).get('width')).toBe(640); // also for who has to repair the file
    expect(writer.describe(metadata(['width', 320]))).toBe(false);
    await writer.end('unpublished');
    expect(told(recording.file).get('width')).toBe(640);
  });

  it('marks gaps, for the catalogue and in the file, as many as there is room for', async () => {
    const { recording, writer, put, log } = setUp();
    put(...start);
    writer.mark({ at: 50, missing: 2100, reason: 'reconnect' });
    put(avcTag('key', 50));
    for (let at = 0; at < recorderLimits.gaps; at += 1)
      writer.mark({ at: 60, missing: -5, reason: 'disk', dropped: 2 });
    await writer.end('unpublished');
    expect(recording.gaps).toHaveLength(recorderLimits.gaps);
    expect(recording.gaps.slice(0, 2)).toEqual([
      { at: 50, missing: 2100, reason: 'reconnect' },
      { at: 60, missing: -5, reason: 'disk', dropped: 2 },
    ]);
    const scripts = streamTags(recording.file).filter(({ type }) => type === TagType.ScriptData);
    expect([scripts.length, scripts[0]!.timestamp]).toEqual([recorderLimits.gaps, 0]);
    const script = new Amf0Decoder(scripts[0]!.body);
    expect(script.read()).toBe('onCuePoint');
    const cuePoint = script.read() as AmfObject;
    expect(['name', 'time', 'type'].map((name) => cuePoint.get(name))).toEqual([
      'penstock.gap',
      0.05,
      'event',
    ]);
    const parameters = cuePoint.get('parameters') as AmfObject;
    expect([parameters.get('missing'), parameters.get('reason')]).toEqual([2100, 'reconnect']);
    expect(log.of('recording.sealed')).toMatchObject([{ gaps: recorderLimits.gaps }]);
  });

  it('that never had a tag leaves nothing', async () => {
    const { recording, writer, log } = setUp();
    writer.describe(metadata(['width', 640]));
    await writer.end('unpublished');
    expect([recording.outcome, recording.bytes]).toEqual(['discarded', 0]);
    expect(log.events).toEqual(['recording.discarded']);
  });

  it('syncs what was written, once, and settles with everything on the medium', async () => {
    const { recording, writer, put } = setUp();
    expect(writer.unsynced).toBe(false);
    put(avcTag('key', 0));
    writer.flush();
    await settled();
    expect(writer.unsynced).toBe(true);
    await writer.sync();
    await writer.sync();
    expect([recording.syncs, writer.unsynced]).toEqual([1, false]);
    put(avcTag('inter', 40));
    await writer.settle();
    expect([recording.syncs, streamTags(recording.file).length, recording.outcome]).toEqual([
      2,
      2,
      undefined,
    ]);
  });
});

describe('a recording whose file is still opening', () => {
  it('keeps what comes in memory, and loses nothing of it', async () => {
    let open = () => {};
    const { recording, writer, put } = setUp(
      (target) => new Promise((resolve) => (open = () => resolve(target))),
    );
    put(...start);
    writer.flush();
    for (let at = 1; at < 30; at += 1) put(avcTag('inter', at * 40, 25_000));
    await settled();
    expect([writer.recording, recording.bytes, writer.queue.full]).toEqual([undefined, 0, true]);
    let ended = false;
    void writer.end('unpublished').then(() => (ended = true));
    await settled();
    expect(ended).toBe(false);
    open();
    await settled();
    await settled();
    expect([ended, recording.outcome, streamTags(recording.file).length]).toEqual([true, 'sealed', 33]);
  });

  it('fails when the file cannot be opened', async () => {
    const { writer, put, told: said, pool } = setUp(() => Promise.reject(new Error('EROFS')));
    put(...start);
    await writer.end('unpublished');
    expect([said, writer.queue.lostTags, pool.inUse]).toEqual([['bug', 'closed'], 4, 0]);
  });
});

describe('a recording whose disk is full', () => {
  it('fails once, gives its memory back, and leaves the file to the repair', async () => {
    const { recording, writer, put, pool, told: said } = setUp();
    recording.room = headLength + 50_000;
    for (let at = 0; at < 100; at += 1) {
      put(avcTag('inter', at * 40, 2000));
      writer.flush();
      await settled();
    }
    expect([recording.outcome, pool.inUse, said]).toEqual(['abandoned', 0, ['DISK_FULL', 'closed']]);
    expect(writer.queue.writtenEnd).toBe(23 * 40);
    expect(writer.queue.lostTags).toBe(1);
    await writer.end('unpublished');
    expect(said).toEqual(['DISK_FULL', 'closed']);
  });

  it('does so too when it notices at the end, at a sync or with a bug of ours', async () => {
    const atEnd = setUp();
    atEnd.recording.room = headLength;
    atEnd.put(avcTag('key', 0));
    await atEnd.writer.end('unpublished');
    expect([atEnd.recording.outcome, atEnd.told]).toEqual(['abandoned', ['DISK_FULL', 'closed']]);

    const atSync = setUp();
    atSync.recording.datasync = () => Promise.reject(new Error('EIO'));
    atSync.put(avcTag('key', 0));
    await atSync.writer.settle();
    await settled();
    expect([atSync.recording.outcome, atSync.told]).toEqual(['abandoned', ['bug', 'closed']]);

    const atSeal = setUp();
    atSeal.recording.seal = () => Promise.reject(new Error('rename'));
    atSeal.put(avcTag('key', 0));
    await atSeal.writer.end('unpublished');
    expect([atSeal.recording.outcome, atSeal.told]).toEqual(['abandoned', ['bug', 'closed']]);
  });

  it('keeps the end of the publication waiting until the file is left alone', async () => {
    const { recording, writer, put } = setUp();
    let repaired = () => {};
    recording.abandon = () => new Promise<void>((resolve) => (repaired = resolve));
    recording.room = 0;
    put(avcTag('key', 0));
    writer.flush();
    await settled();
    let ended = false;
    void writer.end('unpublished').then(() => (ended = true));
    await settled();
    expect(ended).toBe(false);
    repaired();
    await settled();
    expect(ended).toBe(true);
  });
});
