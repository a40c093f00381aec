import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { headLength } from '../../src/flv/file-head.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import { RecordingWriter } from '../../src/recorder/recording-writer.ts';
import { SlabPool, slabSize } from '../../src/recorder/slab-pool.ts';
import { MemoryRecording } from '../support/memory-recording.ts';
import { aacTag, avcTag, readTags, streamTags, tagOf } from '../support/media-tags.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';

function setUp() {
  const recording = new MemoryRecording();
  const log = new RecordedLog();
  const pool = new SlabPool();
  const told: string[] = [];
  const writer = new RecordingWriter({ recording, pool, log, closed: () => void told.push('closed') });
  writer.attach({
    hold: () => void told.push('hold'),
    release: () => void told.push('release'),
    cancel: () => void told.push('cancel'),
  });
  return { recording, log, pool, told, writer };
}

const metadata = (properties: [string, number][], order = true) =>
  tagOf(
    TagType.ScriptData,
    0,
    order
      ? encodeAmf0('@setDataFrame', 'onMetaData', new AmfObject(properties, 'ecma-array'))
      : encodeAmf0('onMetaData', new AmfObject(properties, 'ecma-array')),
  );

const told = (file: Uint8Array) => metadataOf(readTags(file).tags[0]!.body)!;
const bodies = (tags: readonly Tag[]) =>
  tags.map(({ type, body }) => ({ type, body: Uint8Array.from(body) }));

const start = [avcTag('header', 9000), aacTag('header', 9000), avcTag('key', 9000), aacTag('frame', 9010)];

describe('a recording', () => {
  it('is a whole FLV file: every payload as it came, times from 0, a head that knows it all', async () => {
    const { recording, writer, log, pool, told: said } = setUp();
    writer.write(metadata([['width', 1280]]));
    const sent = [...start, avcTag('inter', 9040), avcTag('key', 11_000), avcTag('inter', 11_040)];
    for (const tag of sent) writer.write(tag);
    await writer.end('unpublished');

    const tags = streamTags(recording.file);
    expect(bodies(tags)).toEqual(bodies(sent));
    expect(tags.map(({ timestamp }) => timestamp)).toEqual([0, 0, 0, 10, 40, 2000, 2040]);
    const head = told(recording.file);
    expect(head.get('width')).toBe(1280);
    expect(head.get('duration')).toBe(2.08);
    expect(head.get('filesize')).toBe(recording.bytes);
    const keyFrames = tags.filter(({ role }) => role === 'key-frame').map(({ position }) => position);
    expect((head.get('keyframes') as AmfObject).get('filepositions')).toEqual(keyFrames);

    expect([recording.outcome, recording.durationMs, pool.inUse]).toEqual(['sealed', 2080, 0]);
    expect(log.of('recording.sealed')).toEqual([
      {
        recording: recording.id,
        stream: 'live/a',
        reason: 'unpublished',
        bytes: recording.bytes,
        durationMs: 2080,
      },
    ]);
    expect(said).toEqual(['closed']);
    await writer.end('shutdown');
    writer.write(avcTag('inter', 12_000));
    writer.flush();
    expect(said).toEqual(['closed']);
  });

  it('can be read after every flush, with whole tags only and a first head', async () => {
    const { recording, writer } = setUp();
    writer.write(metadata([['height', 720]]));
    writer.flush();
    await settled();
    expect(recording.bytes).toBe(0); // nothing but a head would be no recording
    for (let at = 0; at < 300; at += 1) {
      writer.write(avcTag(at % 50 === 0 ? 'key' : 'inter', at * 40, 25_000));
      if (at % 7 === 0) writer.flush();
      await settled();
      if (recording.bytes === 0) continue;
      const { reader, tags } = readTags(recording.file);
      expect([reader.status, reader.wholeBytes]).toEqual(['reading', recording.bytes]);
      expect(metadataOf(tags[0]!.body)?.get('height')).toBe(720);
    }
    expect(recording.appends.length).toBeGreaterThanOrEqual(43); // a write for each flush
  });

  it('takes metadata that comes late into its head too, and keeps later ones as tags', async () => {
    const { recording, writer } = setUp();
    for (const tag of start) writer.write(tag);
    writer.flush();
    await settled();
    writer.write(metadata([['width', 640]]));
    writer.flush();
    await settled();
    expect(recording.patches).toEqual([0]);
    expect(told(recording.file).get('width')).toBe(640); // also for who has to repair the file
    const second = metadata([['width', 320]]);
    writer.write(second);
    writer.write(tagOf(TagType.ScriptData, 0, encodeAmf0('onTextData', 'hello')));
    await writer.end('unpublished');
    expect(told(recording.file).get('width')).toBe(640);
    expect(bodies(streamTags(recording.file).slice(4))).toEqual(
      bodies([
        metadata([['width', 320]], false),
        tagOf(TagType.ScriptData, 0, encodeAmf0('onTextData', 'hello')),
      ]),
    );
  });

  it('counts timestamps that stepped back', async () => {
    const { recording, writer, log } = setUp();
    for (const at of [0, 40, 20, 80]) writer.write(avcTag('inter', at));
    await writer.end('publisher-lost');
    expect(streamTags(recording.file).map(({ timestamp }) => timestamp)).toEqual([0, 40, 40, 80]);
    expect(log.of('recording.sealed')).toMatchObject([{ clamped: 1 }]);
  });

  it('passes 0xFFFFFF ms, a stream of four and a half hours', async () => {
    const { recording, writer } = setUp();
    for (const at of [0, 0xfffffe, 0xffffff, 0x1000000, 0x2345678]) writer.write(avcTag('inter', at));
    await writer.end('unpublished');
    expect(streamTags(recording.file).map(({ timestamp }) => timestamp)).toEqual([
      0, 0xfffffe, 0xffffff, 0x1000000, 0x2345678,
    ]);
  });

  it('that never had a tag leaves nothing', async () => {
    const { recording, writer, log } = setUp();
    writer.write(metadata([['width', 640]]));
    await writer.end('unpublished');
    expect([recording.outcome, recording.bytes]).toEqual(['discarded', 0]);
    expect(log.events).toEqual(['recording.discarded']);
  });

  it('syncs what was written, once', async () => {
    const { recording, writer } = setUp();
    expect(writer.unsynced).toBe(false);
    writer.write(avcTag('key', 0));
    writer.flush();
    await settled();
    expect(writer.unsynced).toBe(true);
    await writer.sync();
    await writer.sync();
    expect([recording.syncs, writer.unsynced]).toEqual([1, false]);
  });

  it('holds the publisher while the disk is behind', async () => {
    const { recording, writer, told: said } = setUp();
    recording.stall();
    const third = Math.floor(slabSize / 3);
    for (let at = 0; at < 4; at += 1) writer.write(avcTag('inter', at, third));
    expect(said).toEqual([]); // one slab is being written, the second is being filled
    for (let at = 4; at < 8; at += 1) writer.write(avcTag('inter', at, third));
    expect(said).toEqual(['hold']);
    recording.unstall();
    await settled();
    expect(said).toEqual(['hold', 'release']);
  });
});

describe('a recording whose disk is full', () => {
  it('ends with one line, gives its memory back, and leaves the file to the repair', async () => {
    const { recording, writer, log, pool, told: said } = setUp();
    recording.room = headLength + 50_000;
    for (let at = 0; at < 100; at += 1) {
      writer.write(avcTag('inter', at * 40, 2000));
      writer.flush();
      await settled();
    }
    expect(log.of('recording.failed')).toEqual([
      {
        recording: recording.id,
        stream: 'live/a',
        code: 'DISK_FULL',
        reason: 'no space left',
        hint: 'make room',
        bytes: recording.bytes,
      },
    ]);
    expect([recording.outcome, pool.inUse, said]).toEqual(['abandoned', 0, ['closed']]);
    await writer.end('unpublished');
    expect([log.events, said]).toEqual([['recording.failed'], ['closed']]);
  });

  it('does so too when it notices at the end, at a sync or with a bug of ours', async () => {
    const atEnd = setUp();
    atEnd.recording.room = headLength;
    atEnd.writer.write(avcTag('key', 0));
    await atEnd.writer.end('unpublished');
    expect([atEnd.recording.outcome, atEnd.told]).toEqual(['abandoned', ['closed']]);

    const atSync = setUp();
    atSync.recording.datasync = () => Promise.reject(new Error('EIO'));
    atSync.writer.write(avcTag('key', 0));
    atSync.writer.flush();
    await settled();
    await atSync.writer.sync();
    await settled();
    expect([atSync.recording.outcome, atSync.log.of('recording.failed')]).toMatchObject([
      'abandoned',
      [{ bug: true }],
    ]);

    const atSeal = setUp();
    atSeal.recording.seal = () => Promise.reject(new Error('rename'));
    atSeal.writer.write(avcTag('key', 0));
    await atSeal.writer.end('unpublished');
    expect([atSeal.recording.outcome, atSeal.log.events, atSeal.told]).toEqual([
      'abandoned',
      ['recording.failed'],
      ['closed'],
    ]);
  });

  it('keeps the end of the publication waiting until the file is left alone', async () => {
    const { recording, writer } = setUp();
    let repaired = () => {};
    recording.abandon = () => new Promise<void>((resolve) => (repaired = resolve));
    recording.room = 0;
    writer.write(avcTag('key', 0));
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
