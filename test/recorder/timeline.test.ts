import { describe, expect, it } from 'vitest';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import { Timeline } from '../../src/recorder/timeline.ts';
import { aacTag, avcTag, tagOf } from '../support/media-tags.ts';

function placed(tags: readonly Tag[]): { timestamps: number[]; clamped: number } {
  const timeline = new Timeline();
  const timestamps = tags.map(({ type, role, timestamp }) => timeline.place(type, role, timestamp));
  return { timestamps, clamped: timeline.clamped };
}

const data = (timestamp: number) => tagOf(TagType.ScriptData, timestamp, Uint8Array.of(2, 0, 0));

describe('the timeline', () => {
  it('begins at 0 with the first frame, whatever clock the encoder goes by', () => {
    const tags = [
      data(0),
      avcTag('header', 0),
      aacTag('header', 77),
      avcTag('key', 5_000_000),
      aacTag('frame', 5_000_020),
    ];
    expect(placed(tags)).toEqual({ timestamps: [0, 0, 0, 0, 20], clamped: 0 });
  });

  it('never steps back within a track, and counts what it moved', () => {
    const tags = [
      aacTag('frame', 100), // 0
      avcTag('key', 60), // before the beginning
      avcTag('inter', 140), // 40
      aacTag('frame', 120), // behind the video, but not behind its own track
      avcTag('inter', 130), // a step back
      avcTag('inter', 180),
    ];
    expect(placed(tags)).toEqual({ timestamps: [0, 0, 40, 20, 40, 80], clamped: 2 });
  });

  it('puts data where the file is, and sequence headers that come again where they come', () => {
    const tags = [avcTag('key', 0), avcTag('inter', 40), data(0), data(90), avcTag('header', 80)];
    expect(placed(tags)).toEqual({ timestamps: [0, 40, 40, 90, 80], clamped: 0 });
  });
});
