import { describe, expect, it } from 'vitest';
import { FileSummary } from '../../src/flv/file-summary.ts';
import type { Tag } from '../../src/flv/tag.ts';
import { aacTag, avcTag } from '../support/media-tags.ts';

function summarise(tags: readonly Tag[]): FileSummary {
  const summary = new FileSummary();
  tags.forEach(({ type, role, timestamp, body }, at) => summary.add(type, role, timestamp, at * 100, body));
  return summary;
}

describe('FileSummary', () => {
  it('counts the last frame in full, and not a pause as a frame', () => {
    expect(summarise([avcTag('key', 0), avcTag('inter', 40), avcTag('inter', 80)]).durationMs).toBe(120);
    expect(summarise([avcTag('key', 0), avcTag('inter', 40), avcTag('inter', 9000)]).durationMs).toBe(9040);
    expect(summarise([avcTag('key', 0)]).durationMs).toBe(0);
    // the longer track decides
    const both = [avcTag('key', 0), aacTag('frame', 0), aacTag('frame', 23), avcTag('inter', 40)];
    expect(summarise(both).durationMs).toBe(80);
  });

  it('indexes key frames and nothing else', () => {
    const tags = [
      avcTag('header', 0),
      aacTag('header', 0),
      avcTag('key', 0),
      aacTag('frame', 10),
      avcTag('inter', 40),
      avcTag('key', 2000),
    ];
    const summary = summarise(tags);
    expect(summary.index.timestamps()).toEqual([0, 2000]);
    expect(summary.index.positions()).toEqual([200, 500]);
    expect(summary).toMatchObject({
      tags: 6,
      hasAudio: true,
      hasVideo: true,
      lastTimestamp: 2000,
      lastKeyFrame: 2000,
      endsWithKeyFrame: true,
      videoCodecId: 7,
      audioCodecId: 10,
    });
  });

  it('indexes sound by time, until video turns up', () => {
    const sound = Array.from({ length: 500 }, (_, at) => aacTag('frame', at * 23));
    expect(summarise(sound).index.timestamps()).toEqual([0, 5014, 10_028]);
    const late = summarise([
      ...sound,
      avcTag('header', 11_500),
      avcTag('key', 11_500),
      aacTag('frame', 30_000),
    ]);
    expect(late.index.timestamps()).toEqual([11_500]);
  });
});
