import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { TrackHeaders } from '../../src/recorder/track-headers.ts';
import { aacTag, avcTag, tagOf } from '../support/media-tags.ts';

const ascii = (text: string) => [...Buffer.from(text, 'latin1')];
/** Sequence start of one enhanced track. E-RTMP "Multitrack" */
const oneTrack = (id: number, filling: number, fourCc = 'hvc1') =>
  tagOf(TagType.Video, 0, Uint8Array.from([0x96, 0x00, ...ascii(fourCc), id, filling]));
const manyTracks = (filling: number) =>
  tagOf(
    TagType.Video,
    0,
    Uint8Array.from([0x96, 0x10, ...ascii('hvc1'), 0, 0, 0, 1, filling, 1, 0, 0, 1, 9]),
  );
const colour = (filling: number) =>
  tagOf(TagType.Video, 0, Uint8Array.from([0x94, ...ascii('hvc1'), filling]));

function offer(headers: TrackHeaders, ...tags: Tag[]): boolean[] {
  return tags.map(({ type, role, body }) => headers.offer(type, role, body));
}
const bodies = (tags: Iterable<{ body: Uint8Array }>) => [...tags].map(({ body }) => [...body]);

describe('headers', () => {
  it('are set aside as copies until they are settled', () => {
    const headers = new TrackHeaders();
    const tag = avcTag('header', 0);
    const before = [...tag.body];
    offer(headers, tag, aacTag('header', 0));
    tag.body.fill(0);
    expect([headers.pending, headers.changed, bodies(headers.known)]).toEqual([true, false, []]);
    expect(bodies(headers.settle())).toEqual([before, [...aacTag('header', 0).body]]);
    expect([headers.pending, bodies(headers.known).length]).toEqual([false, 2]);
  });

  it.each<[string, Tag[], Tag, boolean]>([
    ['the same again', [avcTag('header', 0)], avcTag('header', 0), false],
    ['another of the same track', [avcTag('header', 0)], avcTag('header', 0, 41), true],
    ['one of a track that is new', [avcTag('header', 0)], oneTrack(1, 5), false],
    ['the same of a track beside others', [oneTrack(0, 4), oneTrack(1, 5)], oneTrack(1, 5), false],
    ['another of a track beside others', [oneTrack(0, 4), oneTrack(1, 5)], oneTrack(1, 6), true],
    ['another codec of the same track', [avcTag('header', 0)], oneTrack(0, 4), true],
    ['another of many tracks', [manyTracks(1)], manyTracks(2), true],
    ['of sound', [aacTag('header', 0)], aacTag('header', 1, 13), true],
    ['other colours, which may change with each scene', [colour(1)], colour(2), false],
  ])('%s: is that a change?', (_, known, next, expected) => {
    const headers = new TrackHeaders();
    offer(headers, ...known);
    headers.settle();
    offer(headers, next);
    expect(headers.changed).toBe(expected);
    headers.settle();
    expect(bodies(headers.known)).toContainEqual([...next.body]);
    expect(headers.changed).toBe(false);
  });

  it('that are discarded change nothing', () => {
    const headers = new TrackHeaders();
    offer(headers, avcTag('header', 0));
    headers.settle();
    offer(headers, avcTag('header', 0, 41));
    headers.discard();
    expect([headers.pending, headers.changed]).toEqual([false, false]);
    expect(bodies(headers.known)).toEqual(bodies([avcTag('header', 0)]));
  });

  it('hold the last metadata, apart from the tracks', () => {
    const headers = new TrackHeaders();
    const [one, two] = [new AmfObject([['width', 1]]), new AmfObject([['width', 2]])];
    for (const [index, metadata] of [one, two].entries())
      headers.offer(TagType.ScriptData, 'metadata', Uint8Array.of(index), metadata);
    expect(headers.metadata).toBeUndefined();
    expect(headers.settle().map(({ metadata }) => metadata)).toEqual([one, two]);
    expect([headers.metadata, bodies(headers.known)]).toEqual([two, []]);
    headers.offer(TagType.ScriptData, 'metadata', Uint8Array.of(1), two);
    expect(headers.settle()).toEqual([]); // what is said again is known
  });

  it('take bounded room, however many come', () => {
    const headers = new TrackHeaders();
    const many = Array.from({ length: 2000 }, (_, id) => oneTrack(id % 256, 1, String(1000 + id)));
    const taken = offer(headers, ...many).filter(Boolean).length;
    expect(taken).toBeLessThan(recorderLimits.headerBytes / 256);
    headers.settle();
    expect(offer(headers, avcTag('header', 0, recorderLimits.headerBytes))).toEqual([false]);
    offer(headers, avcTag('header', 0, recorderLimits.headerBytes / 2));
    headers.settle();
    expect(bodies(headers.known).flat().length).toBeLessThan(recorderLimits.headerBytes);
  });
});
