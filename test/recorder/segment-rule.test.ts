import { describe, expect, it } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { SegmentRule } from '../../src/recorder/segment-rule.ts';

const endless = { maxDuration: null, maxSize: null };

describe('a file may begin', () => {
  it('with a key frame, or with sound where there has been no picture for a while', () => {
    const rule = new SegmentRule(endless);
    expect(rule.startsAt(TagType.Audio, 'audio', 0)).toBe(true);
    expect(rule.startsAt(TagType.Video, 'inter-frame', 5)).toBe(false);
    expect(rule.startsAt(TagType.Video, 'key-frame', 10)).toBe(true);
    expect(rule.startsAt(TagType.Audio, 'audio', 10 + recorderLimits.pictureTime)).toBe(false);
    expect(rule.startsAt(TagType.Audio, 'audio', 11 + recorderLimits.pictureTime)).toBe(true);
  });
});

describe('a file ends', () => {
  it('when it is as long as it may be, before what may begin another', () => {
    const rule = new SegmentRule({ maxDuration: 60_000, maxSize: null });
    expect(rule.ends(true, 59_999, 1e9)).toBe(false);
    expect(rule.ends(false, 61_000, 1e9)).toBe(false);
    expect(rule.ends(true, 60_000, 1e9)).toBe(true);
  });

  it('before the stretch that would outgrow it, as far as can be foreseen', () => {
    const rule = new SegmentRule({ maxDuration: null, maxSize: 1000 });
    rule.begin(100);
    expect(rule.ends(true, 0, 100)).toBe(false);
    expect(rule.ends(false, 0, 350)).toBe(false);
    expect(rule.ends(true, 0, 400)).toBe(false);
    expect(rule.ends(true, 0, 600)).toBe(false); // 300 more would be 900
    expect(rule.ends(true, 0, 701)).toBe(true);
    rule.begin(100);
    expect(rule.ends(true, 0, 100)).toBe(false);
    expect(rule.ends(true, 0, 1100)).toBe(true); // a stretch longer than any file
  });

  it('before its timestamps are too large, if need be anywhere', () => {
    const rule = new SegmentRule({ maxDuration: 1e12, maxSize: null });
    expect(rule.ends(true, recorderLimits.segmentTime, 0)).toBe(true);
    expect(rule.ends(false, 2 ** 31 - 2, 0)).toBe(false);
    expect(rule.ends(false, 2 ** 31 - 1, 0)).toBe(true);
  });

  it('when parameters change, some times at once and then no more often than in the interval', () => {
    const rule = new SegmentRule(endless);
    const may = (now: number, tries: number) =>
      Array.from({ length: tries }, () => rule.mayChange(now)).filter(Boolean).length;
    expect(may(0, 20)).toBe(recorderLimits.parameterChanges);
    expect(may(recorderLimits.parameterChangeInterval - 1, 5)).toBe(0);
    expect(may(2.5 * recorderLimits.parameterChangeInterval, 5)).toBe(2);
    expect(may(3 * recorderLimits.parameterChangeInterval, 5)).toBe(1);
    expect(may(1e9, 100)).toBe(recorderLimits.parameterChanges);
  });
});
