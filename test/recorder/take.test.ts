import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { ResourceError } from '../../src/errors.ts';
import { gapMarkOf, metadataOf } from '../../src/flv/script-data.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import type { Publication } from '../../src/hub/publication.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { slabSize } from '../../src/recorder/slab-pool.ts';
import { aacTag, avcTag, readTags, tagOf } from '../support/media-tags.ts';
import { settled } from '../support/settled.ts';
import { plain, TakeStage } from '../support/take-stage.ts';

const metadata = (width: number) =>
  tagOf(
    TagType.ScriptData,
    0,
    encodeAmf0('@setDataFrame', 'onMetaData', new AmfObject([['width', width]], 'ecma-array')),
  );

/** Headers, then `seconds` of picture (25/s, a key frame each second) and sound (50/s), from timestamp `from` on. */
function stream(seconds: number, from = 0, filling = 0): Tag[] {
  const tags = [avcTag('header', 0, 20, filling), aacTag('header', 0)];
  for (let frame = 0; frame < seconds * 25; frame += 1) {
    const at = from + frame * 40;
    tags.push(
      avcTag(frame % 25 === 0 ? 'key' : 'inter', at, 100, at + 13),
      aacTag('frame', at),
      aacTag('frame', at + 20),
    );
  }
  return tags;
}
const frames = (tags: readonly Tag[]) =>
  tags.filter(({ role }) => role !== 'sequence-start' && role !== 'metadata');
const headers = (tags: readonly Tag[]) => tags.filter(({ role }) => role === 'sequence-start');
const put = (publication: Publication, tags: readonly Tag[]) => {
  for (const tag of tags) publication.write(tag);
};
const times = (tags: readonly Tag[]) => tags.map(({ timestamp }) => timestamp);

function expectMonotonic(tags: readonly Tag[]): void {
  for (const type of [TagType.Audio, TagType.Video]) {
    const track = times(tags.filter((tag) => tag.type === type));
    expect(track).toEqual(track.toSorted((one, other) => one - other));
  }
}

describe('a take', () => {
  it('begins with the headers however they are stamped, and keeps metadata out of the tags', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    const sent = stream(1, 5_000_000);
    put(publication, [metadata(640), ...sent, metadata(320), avcTag('key', 5_001_000)]);
    publication.write(tagOf(TagType.ScriptData, 5_001_010, encodeAmf0('onTextData', 'hello')));
    await publication.end('unpublished');
    const tags = stage.tags(0);
    expect(plain(tags.slice(0, sent.length))).toEqual(plain(sent));
    expect(times(tags.slice(0, 5))).toEqual([0, 0, 0, 0, 20]);
    expect(tags.slice(sent.length).map(({ type, timestamp }) => [type, timestamp])).toEqual([
      [TagType.ScriptData, 0],
      [TagType.Video, 1000],
      [TagType.ScriptData, 1010],
    ]);
    expect(metadataOf(readTags(stage.files[0]!.file).tags[0]!.body)?.get('width')).toBe(640);
    expect(metadataOf(tags[sent.length]!.body)?.get('width')).toBe(320);
  });

  it('keeps headers that come without a frame behind them, unless they alone are all there is', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    put(publication, [...stream(1), ...headers(stream(1))]);
    await publication.end('unpublished');
    expect(headers(stage.tags(0))).toHaveLength(4);
    const silent = await stage.publish('live/b');
    put(silent, [metadata(1), ...headers(stream(1))]);
    await silent.end('publisher-lost');
    expect(stage.files.map(({ outcome }) => outcome)).toEqual(['sealed', 'discarded']);
  });
});

describe('an encoder that comes back', () => {
  it.each(['publisher-lost', 'replaced'] as const)(
    'after %s continues the file behind a mark',
    async (reason) => {
      const stage = new TakeStage();
      const first = await stage.publish();
      const [before, after] = [stream(2, 700), stream(2, 0)];
      put(first, before);
      await stage.pass(500);
      if (reason === 'publisher-lost') await first.end('publisher-lost');
      await stage.pass(3000);
      const second = await stage.publish();
      expect(stage.recorder.active).toMatchObject([{ state: 'recording', durationMs: 2000 }]);
      put(second, after);
      await second.end('unpublished');

      expect(stage.files.map(({ outcome }) => outcome)).toEqual(['sealed']);
      const tags = stage.tags(0);
      const media = tags.filter(({ type }) => type !== TagType.ScriptData);
      expect(plain(media)).toEqual(plain([...before, ...after]));
      expectMonotonic(tags);
      expect(times(frames(media))).toEqual([
        ...times(frames(stream(2))),
        ...times(frames(stream(2, 1980 + 40))), // one frame of the picture behind the last sound
      ]);
      const [gap] = stage.files[0]!.gaps;
      expect(gap).toMatchObject({ at: 2020, reason: 'reconnect' });
      expect(Math.abs(gap!.missing - (3500 - 40))).toBeLessThanOrEqual(50); // ticks of 50 ms
      expect(tags).toHaveLength(media.length + 1); // metadata that come again are not kept
      const mark = tags.findIndex(({ type }) => type === TagType.ScriptData);
      expect([tags[mark]!.timestamp, tags[mark + 1]!.role]).toEqual([0, 'sequence-start']);
      expect(stage.log.of('recording.resumed')).toHaveLength(1);
      expect(stage.clock.timers).toBe(0);
    },
  );

  it.each([
    [29_000, true],
    [31_000, false],
  ])('to a server that was killed %i ms ago: one event, with a gap: %s', async (ago, continues) => {
    const stage = new TakeStage();
    stage.interrupted = { id: '00000000000000zz' as RecordingId, endedAt: stage.clock.now() - ago };
    const publication = await stage.publish();
    put(publication, [metadata(1280), ...stream(1)]);
    await publication.end('unpublished');
    expect(stage.requests[0]?.continues).toBe(continues ? '00000000000000zz' : undefined);
    const gaps = continues ? [{ at: 0, missing: ago, reason: 'reconnect' }] : [];
    expect(stage.files[0]!.gaps).toEqual(gaps);
    const tags = stage.tags(0);
    expect(tags.flatMap(({ type, body }) => (type === TagType.ScriptData ? [gapMarkOf(body)] : []))).toEqual(
      gaps,
    );
    expect(times(frames(tags))).toEqual(times(frames(stream(1))));
    expect(metadataOf(readTags(stage.files[0]!.file).tags[0]!.body)?.get('width')).toBe(1280);
  });

  it('to a server that was killed is another event where none may come back', async () => {
    const stage = new TakeStage({ reconnectWindow: 0 });
    stage.interrupted = { id: '00000000000000zz' as RecordingId, endedAt: stage.clock.now() };
    await stage.publish();
    expect(stage.requests[0]?.continues).toBeUndefined();
  });

  it('finds all that was sent before on the medium, under a name that says that it is not over', async () => {
    const stage = new TakeStage();
    const first = await stage.publish();
    put(first, stream(1));
    await first.end('publisher-lost');
    expect([stage.tags(0).length, stage.files[0]!.syncs, stage.files[0]!.outcome]).toEqual([
      77,
      1,
      undefined,
    ]);
    expect(stage.recorder.active).toMatchObject([{ state: 'interrupted', durationMs: 1000 }]);
    expect(stage.log.of('recording.interrupted')).toMatchObject([{ reason: 'publisher-lost' }]);
  });

  it('keeps B frames where they were: composition times are part of the body', async () => {
    const stage = new TakeStage();
    const first = await stage.publish();
    put(first, stream(1));
    await first.end('publisher-lost');
    const second = await stage.publish();
    const shifted = stream(1, 9000).map((tag) => ({
      ...tag,
      body: Uint8Array.from(tag.body, (byte, at) => (at === 4 && tag.role === 'inter-frame' ? 80 : byte)),
    }));
    put(second, shifted);
    await second.end('unpublished');
    expect(plain(frames(stage.tags(0)).slice(75))).toEqual(plain(frames(shifted)));
  });

  it.each(['unpublished', 'revoked', 'limited', 'kicked', 'shutdown'] as const)(
    'after %s begins anew',
    async (reason) => {
      const stage = new TakeStage();
      const first = await stage.publish();
      put(first, stream(1));
      await first.end(reason);
      expect(stage.files[0]!.outcome).toBe('sealed');
      const second = await stage.publish();
      put(second, stream(1));
      await second.end('unpublished');
      expect(stage.requests.map(({ continues }) => continues)).toEqual([undefined, undefined]);
      expect(stage.files.map(({ gaps }) => gaps)).toEqual([[], []]);
    },
  );

  it('with another key, too late, or where nobody waits begins anew', async () => {
    const stage = new TakeStage();
    put(await stage.publish(), stream(1));
    await stage.hub.publications[0]!.end('publisher-lost');
    const other = await stage.publish('live/a', 'key00002');
    put(other, stream(1));
    await settled();
    expect(stage.files.map(({ outcome }) => outcome)).toEqual(['sealed', undefined]);
    await other.end('publisher-lost');
    await stage.pass(29_950);
    expect(stage.files[1]!.outcome).toBeUndefined();
    await stage.pass(100);
    expect(stage.files[1]!.outcome).toBe('sealed');
    expect(stage.clock.timers).toBe(0);
    await stage.publish('live/a', 'key00002');
    expect(stage.files).toHaveLength(3);

    const strict = new TakeStage({ reconnectWindow: 0 });
    put(await strict.publish(), stream(1));
    await strict.hub.publications[0]!.end('publisher-lost');
    expect(strict.files[0]!.outcome).toBe('sealed');
  });

  it('any number of times, however fast, is in one file', async () => {
    const stage = new TakeStage();
    for (let times = 0; times < 6; times += 1) put(await stage.publish(), stream(1, times * 31));
    const results = await Promise.allSettled([stage.publish(), stage.publish(), stage.publish()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    put(stage.hub.publications[0]!, stream(1));
    await stage.hub.publications[0]!.end('unpublished');
    expect(stage.files).toHaveLength(1);
    expect(frames(stage.tags(0))).toHaveLength(7 * 75);
    expect(stage.files[0]!.gaps).toHaveLength(6);
    expectMonotonic(stage.tags(0));
  });

  it('is waited for no longer when the recorder stops', async () => {
    const stage = new TakeStage();
    put(await stage.publish(), stream(1));
    await stage.hub.publications[0]!.end('publisher-lost');
    await stage.recorder.stop();
    expect([stage.files[0]!.outcome, stage.clock.timers]).toEqual(['sealed', 0]);
  });
});

describe('segments', () => {
  /** Writes slowly enough for files to open, and answers what all files hold together. */
  async function record(stage: TakeStage, tags: readonly Tag[]) {
    const publication = await stage.publish();
    for (const tag of tags) {
      publication.write(tag);
      await settled();
    }
    await publication.end('unpublished');
    return stage.files.map((_, index) => stage.tags(index));
  }

  it('by duration are cut at key frames, lose and double nothing, and begin with everything at 0', async () => {
    const stage = new TakeStage({ segment: { maxDuration: 3000, maxSize: null } });
    const sent = stream(10, 77);
    const files = await record(stage, [metadata(640), ...sent]);
    expect(files).toHaveLength(4);
    expect(stage.requests.map(({ continues }) => continues)).toEqual([
      undefined,
      '0000000000000000',
      '0000000000000000-2',
      '0000000000000000-3',
    ]);
    expect(plain(files.flatMap(frames))).toEqual(plain(frames(sent)));
    for (const [index, tags] of files.entries()) {
      expect(plain(tags.slice(0, 2))).toEqual(plain(headers(sent)));
      expect([tags[2]!.role, tags[0]!.timestamp, tags[2]!.timestamp]).toEqual(['key-frame', 0, 0]);
      expect(metadataOf(readTags(stage.files[index]!.file).tags[0]!.body)?.get('width')).toBe(640);
      expect(times(frames(tags))).toEqual(times(frames(stream(index < 3 ? 3 : 1))));
    }
    expect(stage.files.map(({ outcome, gaps }) => [outcome, gaps])).toEqual(files.map(() => ['sealed', []]));
  });

  it('by size stay below it, of sound alone too', async () => {
    const maxSize = 100_000;
    const stage = new TakeStage({ segment: { maxDuration: null, maxSize } });
    const sent = [
      aacTag('header', 0),
      ...Array.from({ length: 2000 }, (_, at) => aacTag('frame', at * 20, 200)),
    ];
    const files = await record(stage, sent);
    expect(files.length).toBeGreaterThan(5);
    expect(Math.max(...stage.files.map(({ bytes }) => bytes))).toBeLessThanOrEqual(maxSize);
    expect(Math.min(...stage.files.slice(0, -1).map(({ bytes }) => bytes))).toBeGreaterThan(maxSize - 500);
    expect(plain(files.flatMap(frames))).toEqual(plain(frames(sent)));
    for (const tags of files) expect([tags[0]!.role, tags[1]!.timestamp]).toEqual(['sequence-start', 0]);
  });

  it('begin where codec parameters change, and nowhere else', async () => {
    const stage = new TakeStage();
    const [one, same, two] = [stream(2), stream(2, 2000), stream(2, 4000, 99)];
    const files = await record(stage, [metadata(640), ...one, ...same, metadata(1280), ...two]);
    expect(files).toHaveLength(2);
    expect(plain(files[0]!)).toEqual(plain([...one, ...same]));
    // The second begins with the new header only, and sound as it was.
    expect(plain(headers(files[1]!)).map(({ body }) => body)).toEqual(headers(two).map(({ body }) => body));
    expect(plain(frames(files[1]!))).toEqual(plain(frames(two)));
    expect(times(frames(files[1]!))).toEqual(times(frames(stream(2))));
    expect(metadataOf(readTags(stage.files[1]!.file).tags[0]!.body)?.get('width')).toBe(1280);
    expect(stage.log.of('recording.sealed')[0]).toMatchObject({ reason: 'parameters-changed' });
  });

  it('begin where they changed during a reconnect, and know of the gap', async () => {
    const stage = new TakeStage();
    put(await stage.publish(), stream(1));
    await stage.hub.publications[0]!.end('publisher-lost');
    await stage.pass(1000);
    put(await stage.publish(), stream(1, 0, 50));
    await stage.hub.publications[0]!.end('unpublished');
    expect(stage.files.map(({ id }) => id)).toEqual(['0000000000000000', '0000000000000000-2']);
    expect(stage.files[1]!.gaps).toMatchObject([{ at: 0, reason: 'reconnect' }]);
    expect(headers(stage.tags(0))).toHaveLength(2);
  });

  it('cannot be made to pile up by a stranger', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    for (let change = 0; change < 200; change += 1) {
      put(publication, [avcTag('header', 0, 20, change), avcTag('key', change * 40)]);
      await stage.pass(50);
    }
    await publication.end('unpublished');
    expect(stage.files.length).toBeLessThanOrEqual(1 + recorderLimits.parameterChanges + 1);
    const all = stage.files.flatMap((_, index) => stage.tags(index));
    expect(all.filter(({ role }) => role === 'key-frame')).toHaveLength(200);
  });

  it('are few at once on a disk that does not open them: the last one goes on', async () => {
    const stage = new TakeStage({ segment: { maxDuration: 1000, maxSize: null } });
    const publication = await stage.publish();
    let open = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    stage.onCreate = () => opened;
    const sent = stream(20);
    put(publication, sent);
    open();
    await publication.end('unpublished');
    expect(stage.files).toHaveLength(recorderLimits.unfinishedSegments);
    const all = stage.files.flatMap((_, index) => frames(stage.tags(index)));
    expect(plain(all)).toEqual(plain(frames(sent)));
  });

  it('that open slowly lose nothing, hold the publisher when two slabs wait, and keep their order', async () => {
    const stage = new TakeStage({ segment: { maxDuration: 1000, maxSize: null } });
    const publication = await stage.publish();
    const opened: (() => void)[] = [];
    stage.onCreate = () => new Promise((resolve) => opened.push(resolve));
    const sent = Array.from({ length: 150 }, (_, at) =>
      avcTag(at % 25 === 0 ? 'key' : 'inter', at * 40, 20_000),
    );
    put(publication, sent);
    await stage.pass(100);
    expect([stage.paused, opened.length]).toEqual([[true], 1]); // one after the other
    while (stage.files.length < 4 || opened.length > 0) {
      opened.shift()?.();
      await settled();
    }
    await stage.pass(100);
    expect(stage.paused).toEqual([true, false]);
    await publication.end('unpublished');
    expect(plain(stage.files.flatMap((_, index) => stage.tags(index)))).toEqual(plain(sent));
  });
});

describe('timestamps', () => {
  it('that jump are closed up behind a mark', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    put(publication, [...frames(stream(1)), ...frames(stream(1, 3_600_000)), ...frames(stream(1, 5000))]);
    await publication.end('unpublished');
    expect(stage.files[0]!.gaps).toMatchObject([
      { reason: 'timestamps', missing: expect.closeTo(3_599_000, -3) as number },
      { reason: 'timestamps', missing: expect.closeTo(-3_596_000, -3) as number },
    ]);
    expectMonotonic(stage.tags(0));
    expect(frames(stage.tags(0))).toHaveLength(225);
    expect(stage.files[0]!.durationMs).toBeGreaterThan(2900);
    expect(stage.files[0]!.durationMs).toBeLessThan(3300);
  });

  it('beyond 2^31 ms are in another file, with and without key frames', async () => {
    for (const kind of ['key', 'inter'] as const) {
      const stage = new TakeStage();
      const publication = await stage.publish();
      const count = Math.ceil((2 ** 31 + 100_000) / 9000);
      for (let at = 0; at < count; at += 1) {
        publication.write(avcTag(at === 0 ? 'key' : kind, at * 9000, 1));
        if (at % 5000 === 0) await settled();
      }
      await publication.end('unpublished');
      expect(stage.files).toHaveLength(2);
      expect(stage.tags(0).length + stage.tags(1).length).toBe(count);
      expect(stage.tags(0).at(-1)!.timestamp).toBeLessThan(2 ** 31);
      expect(stage.tags(0).at(-1)!.timestamp).toBeGreaterThan(
        kind === 'key' ? 24 * 86_400_000 - 9001 : 2 ** 31 - 9001,
      );
    }
  });
});

describe('a disk that fails', () => {
  const eio = () => Promise.reject(new ResourceError('RECORDING_WRITE_FAILED', 'EIO', { hint: 'mend it' }));

  it('ends the file whole, is told once, and the stream is recorded again from a key frame on', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    put(publication, stream(1));
    await stage.pass(100);
    stage.files[0]!.append = eio;
    put(publication, frames(stream(1, 1000)));
    await stage.pass(100);
    expect(stage.files[0]!.outcome).toBe('abandoned');
    expect(stage.notices.map(({ code }) => code)).toEqual(['NetStream.Record.Failed']);
    expect(stage.log.of('recording.failed')).toMatchObject([
      { code: 'RECORDING_WRITE_FAILED', hint: 'mend it' },
    ]);
    expect(stage.files).toHaveLength(2); // what is no full disk is tried again at once
    const inter = frames(stream(1, 2000)).slice(1);
    put(publication, inter); // no place to begin
    await stage.pass(100);
    expect(stage.tags(1)).toEqual([]);
    expect(stage.recorder.active).toMatchObject([
      { state: 'failed', dropped: 75 + 74, trouble: 'RECORDING_WRITE_FAILED' },
    ]);
    put(publication, frames(stream(1, 3000)));
    await publication.end('unpublished');
    expect(stage.notices.map(({ code }) => code)).toEqual([
      'NetStream.Record.Failed',
      'NetStream.Record.Start',
    ]);
    const tags = stage.tags(1);
    expect(plain(tags.filter(({ type }) => type !== TagType.ScriptData))).toEqual(
      plain([...headers(stream(1)), ...frames(stream(1, 3000))]),
    );
    expect([stage.files[1]!.outcome, stage.files[1]!.id]).toEqual(['sealed', '0000000000000000-2']);
    expect(stage.files[1]!.gaps).toEqual([{ at: 0, missing: 1980, reason: 'disk', dropped: 149 }]);
    expect(stage.log.of('recording.failed')).toHaveLength(1);
  });

  it('because it is full is given time, and new publishers are refused meanwhile', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    stage.files[0]!.room = 33_000;
    const full = () => {
      throw new ResourceError('DISK_FULL', 'no space left');
    };
    stage.onCreate = full;
    put(publication, stream(2));
    await stage.pass(4000);
    expect(stage.requests).toHaveLength(1);
    await stage.pass(60_000);
    expect(stage.requests.length).toBeGreaterThan(3);
    expect(stage.requests.length).toBeLessThan(8);
    await expect(stage.publish('live/b')).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(stage.log.of('recording.failed')).toHaveLength(1);
    stage.onCreate = () => undefined;
    await stage.pass(60_000);
    put(publication, frames(stream(1, 200_000)));
    await publication.end('unpublished');
    expect(stage.files.at(-1)!.gaps).toMatchObject([{ at: 0, reason: 'disk', dropped: 152 }]);
    expect(frames(stage.tags(stage.files.length - 1))).toHaveLength(75);
  });

  it('that is nearly full by its watch ends files whole until there is room', async () => {
    const stage = new TakeStage();
    const [publication, lost] = [await stage.publish(), await stage.publish('live/b')];
    put(publication, stream(1));
    put(lost, stream(1));
    await lost.end('publisher-lost');
    stage.spaceState = 'stop';
    await stage.pass(100);
    expect(stage.files.map(({ outcome }) => outcome)).toEqual(['sealed', 'sealed']);
    expect(stage.log.of('recording.failed')).toMatchObject([{ code: 'DISK_FULL' }]);
    put(publication, frames(stream(1, 1000)));
    await stage.pass(60_000);
    expect(stage.requests).toHaveLength(2);
    stage.spaceState = 'low';
    await stage.pass(100);
    put(publication, frames(stream(1, 2000)));
    await publication.end('unpublished');
    expect(stage.files[2]!.gaps).toEqual([{ at: 0, missing: 980, reason: 'disk', dropped: 75 }]);
    expect(frames(stage.tags(2))).toHaveLength(75);
  });

  it('keeps an encoder that comes back out while it takes nothing', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    put(publication, stream(1));
    stage.files[0]!.append = eio;
    await stage.pass(50);
    stage.onCreate = eio;
    await publication.end('publisher-lost');
    await expect(stage.publish()).rejects.toMatchObject({ code: 'RECORDING_WRITE_FAILED' });
    expect(stage.recorder.active).toEqual([]);
    stage.onCreate = () => undefined;
    put(await stage.publish(), stream(1));
    await stage.recorder.stop();
    expect(stage.files.at(-1)!.outcome).toBe('sealed');
  });

  it('leaves no empty file behind when the stream ends first', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    put(publication, stream(1));
    stage.files[0]!.append = eio;
    await stage.pass(100);
    await publication.end('unpublished');
    expect(stage.files.map(({ outcome }) => outcome)).toEqual(['abandoned', 'discarded']);
    expect(stage.clock.timers).toBe(0);
  });
});

describe('a disk that stalls', () => {
  /** A second of a stream of so many bytes. */
  const second = (at: number, bytes: number) =>
    Array.from({ length: 25 }, (_, frame) =>
      avcTag(frame === 0 ? 'key' : 'inter', at * 1000 + frame * 40, bytes / 25),
    );

  it('for 10 s costs a stream of 3 Mbit/s nothing', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    stage.files[0]!.stall();
    const sent: Tag[] = [];
    for (let at = 0; at < 10; at += 1) {
      const tags = second(at, 375_000);
      sent.push(...tags);
      put(publication, tags);
      await stage.pass(1000);
    }
    expect(stage.paused).toEqual([true, false]); // held for half a second, then memory takes it
    expect(stage.recorder.active).toMatchObject([{ state: 'stalled', dropped: 0 }]);
    expect(stage.recorder.waitingBytes).toBeGreaterThan(3_000_000);
    stage.files[0]!.unstall();
    await stage.pass(100);
    await publication.end('unpublished');
    expect(plain(stage.tags(0))).toEqual(plain(sent));
    expect(stage.files[0]!.gaps).toEqual([]);
    expect([stage.log.of('recording.stalled').length, stage.log.of('recording.unstalled')]).toMatchObject([
      1,
      [{ dropped: 0 }],
    ]);
    expect(stage.recorder.waitingBytes).toBe(0);
  });

  it('for good drops whole tags once memory is full, and goes on at a key frame behind a mark', async () => {
    const stage = new TakeStage();
    const publication = await stage.publish();
    stage.files[0]!.stall();
    let sent = 0;
    // As a publisher would that heeds its pauses.
    for (let at = 0; at < 40; at += 1) {
      if (stage.paused.at(-1) !== true) {
        put(publication, second(sent, 1_500_000));
        sent += 1;
      }
      await stage.pass(1000);
      expect(stage.recorder.waitingBytes).toBeLessThan(recorderLimits.waitingBytes + slabSize);
    }
    const [active] = stage.recorder.active;
    expect(active).toMatchObject({ state: 'stalled' });
    expect(active!.dropped).toBeGreaterThan(25);
    expect(stage.files[0]!.outcome).toBeUndefined();
    stage.files[0]!.unstall();
    await stage.pass(200);
    put(publication, [...second(sent, 1_500_000).slice(1), ...second(sent + 1, 1_500_000)]);
    await publication.end('unpublished');
    const tags = stage.tags(0).filter(({ type }) => type === TagType.Video);
    const dropped = active!.dropped + 24;
    expect(tags.length + dropped).toBe((sent + 2) * 25 - 1);
    expect(tags.at(-25)!.role).toBe('key-frame');
    expect(stage.files[0]!.gaps).toMatchObject([{ reason: 'stalled', dropped, missing: (dropped + 1) * 40 }]);
    expectMonotonic(tags);
    expect(stage.log.of('recording.unstalled')).toMatchObject([{ dropped }]);
  });

  it('does no harm to its neighbours', async () => {
    const stage = new TakeStage();
    const [slow, fine] = [await stage.publish('live/slow'), await stage.publish('live/fine')];
    stage.files[0]!.stall();
    for (let at = 0; at < 5; at += 1) {
      put(slow, second(at, 1_000_000));
      put(fine, second(at, 1_000_000));
      await stage.pass(1000);
    }
    await fine.end('unpublished');
    expect([stage.tags(1).length, stage.files[1]!.outcome]).toEqual([125, 'sealed']);
    stage.files[0]!.unstall();
    await slow.end('unpublished');
    expect(stage.tags(0)).toHaveLength(125);
  });
});
