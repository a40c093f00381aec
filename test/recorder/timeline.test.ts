import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import { OpenGap, Timeline } from '../../src/recorder/timeline.ts';
import { aacTag, avcTag, tagOf } from '../support/media-tags.ts';

/** One tag after the other, `every` ms of real time apart. */
function placed(tags: readonly Tag[], every = 10) {
  const timeline = new Timeline();
  let now = 0;
  const gaps: { at: number; missing: number }[] = [];
  const timestamps = tags.map(({ type, role, timestamp }) => {
    now += every;
    if (role === 'metadata') return timeline.placeData(timestamp);
    if (role === 'sequence-start') return timeline.beside(type);
    const at = timeline.place(type, timestamp, now);
    if (timeline.broken) gaps.push({ at, missing: timeline.missing });
    return at;
  });
  return { timestamps, gaps, clamped: timeline.clamped };
}

const data = (timestamp: number) => tagOf(TagType.ScriptData, timestamp, Uint8Array.of(2, 0, 0));
const video = (...timestamps: number[]) => timestamps.map((at) => avcTag('inter', at));
const audio = (...timestamps: number[]) => timestamps.map((at) => aacTag('frame', at));
/** Video every 40 ms and audio every 20, each from its own timestamp on. */
const both = (from: number, seconds: number, audioFrom = from) =>
  Array.from({ length: seconds * 25 }, (_, at) => [
    ...video(from + at * 40),
    ...audio(audioFrom + at * 40, audioFrom + at * 40 + 20),
  ]).flat();

describe('the timeline', () => {
  it('begins at 0 with the first frame, whatever clock the encoder goes by', () => {
    const tags = [
      data(0),
      avcTag('header', 0),
      aacTag('header', 77),
      avcTag('key', 5_000_000),
      aacTag('frame', 5_000_020),
    ];
    expect(placed(tags)).toEqual({ timestamps: [0, 0, 0, 0, 20], gaps: [], clamped: 0 });
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
    expect(placed(tags)).toEqual({ timestamps: [0, 0, 40, 20, 40, 80], gaps: [], clamped: 2 });
  });

  it('puts data where the file is, however they are stamped', () => {
    const tags = [avcTag('key', 0), avcTag('inter', 40), data(0), data(90), data(1e9), data(-5)];
    expect(placed(tags).timestamps).toEqual([0, 40, 40, 90, 40, 40]);
  });

  it('believes a pause that the clock confirms, and a stream faster than the clock', () => {
    expect(placed(video(0, 40, 60_000), 30_000).gaps).toEqual([]);
    const fast = placed(video(0, 9000, 18_000, 27_000, 36_000), 0);
    expect(fast).toEqual({ timestamps: [0, 9000, 18_000, 27_000, 36_000], gaps: [], clamped: 0 });
  });

  it.each([
    ['forward', 5_000_000, 5_000_000 - 1000],
    ['back', 100_000 - 3_600_000, -3_601_000 + 100_000],
    ['through zero', -400_000, -401_000],
  ])('closes up a jump %s once both tracks have made it, offset and all', (_, to, missing) => {
    const { timestamps, gaps } = placed([...both(0, 1, 5), ...both(to, 1, to + 5)]);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]!.at).toBeLessThan(1100);
    expect(Math.abs(gaps[0]!.missing - missing)).toBeLessThan(100);
    for (let track = 0; track < 2; track += 1) {
      const times = timestamps.filter((__, index) => (index % 3 === 0) === (track === 0));
      expect(times).toEqual(times.toSorted((one, other) => one - other));
    }
    // Behind the jump sound and picture are as far apart as before it, and as the encoder said.
    expect(timestamps.at(-1)! - timestamps.at(-3)!).toBe(25);
    expect(timestamps.at(-3)).toBeGreaterThan(1950);
    expect(timestamps.at(-3)).toBeLessThan(2080);
  });

  it('believes two tags in a row of a stream with one track', () => {
    expect(placed(audio(0, 20, 40, 900_000, 900_020, 900_040))).toEqual({
      timestamps: [0, 20, 40, 40, 80, 100],
      gaps: [{ at: 80, missing: 899_940 }],
      clamped: 1,
    });
  });

  it('lets no single tag move the others', () => {
    for (const stray of [-9e6, 9e6, 2 ** 40]) {
      const { timestamps, gaps } = placed([
        ...video(0),
        ...audio(0, 20),
        ...video(stray, 40),
        ...audio(40, 60),
      ]);
      expect([timestamps, gaps]).toEqual([[0, 0, 20, 0, 40, 40, 60], []]);
    }
  });

  it('puts a track that goes by a clock of its own beside the other', () => {
    const { timestamps, gaps } = placed([...both(0, 2), ...both(2000, 2, 9_000_000), ...both(4000, 2)]);
    expect(gaps).toEqual([]);
    expect(timestamps.at(-1)).toBe(5980);
    const sound = timestamps.filter((_, index) => index % 3 !== 0);
    expect(sound).toEqual(sound.toSorted((one, other) => one - other));
    for (const [index, at] of timestamps.entries()) {
      expect(Math.abs(at - Math.floor(index / 3) * 40)).toBeLessThanOrEqual(60);
    }
  });

  it('goes on one usual frame behind a break, whatever the clock then says, and keeps tracks apart as they were', () => {
    const timeline = new Timeline();
    timeline.place(TagType.Video, 1000, 0);
    timeline.place(TagType.Video, 1033, 0);
    timeline.place(TagType.Audio, 1040, 0);
    timeline.changeClock();
    expect(timeline.place(TagType.Video, 77_000, 0)).toBe(40 + 33);
    expect([timeline.broken, timeline.missing]).toEqual([true, 0]);
    expect(timeline.place(TagType.Audio, 77_012, 0)).toBe(40 + 33 + 12);
    timeline.rejoin();
    expect(timeline.place(TagType.Video, 79_000, 0)).toBe(85 + 33);
    expect([timeline.broken, timeline.missing]).toEqual([true, 79_000 - 77_000 + 73 - 118]);
    expect(timeline.place(TagType.Video, 79_033, 0)).toBe(85 + 66);
    expect(timeline.broken).toBe(false);
  });

  it('stays monotonic and in bounds whatever comes', () => {
    const tag = fc.record({
      sound: fc.boolean(),
      to: fc.oneof(fc.integer({ min: -100, max: 100 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
      pause: fc.nat(40),
      absolute: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(tag, { maxLength: 100 }), (tags) => {
        const timeline = new Timeline();
        let [at, now] = [0, 0];
        const last = { true: 0, false: 0 };
        for (const { sound, to, pause, absolute } of tags) {
          at = absolute ? to : at + to;
          now += pause;
          const end = timeline.end;
          const placedAt = timeline.place(sound ? TagType.Audio : TagType.Video, at, now);
          expect(placedAt).toBeGreaterThanOrEqual(last[`${sound}`]);
          expect(placedAt - end).toBeLessThanOrEqual(10_000 + 1000 + 4000);
          last[`${sound}`] = placedAt;
        }
      }),
      { seed: 20261122, numRuns: 300 },
    );
  });
});

describe('a gap', () => {
  it("says what is missing: by the encoder's clock, or by ours where that is another one", () => {
    const jumped = new OpenGap();
    expect(jumped.close(40, -900, 20)).toEqual({ at: 40, missing: -900, reason: 'timestamps' });
    const dropped = new OpenGap();
    dropped.reason = 'disk';
    dropped.dropped = 7;
    dropped.lost = 100;
    expect(dropped.close(0, 400, 20)).toEqual({ at: 0, missing: 500, reason: 'disk', dropped: 7 });
    const back = new OpenGap();
    back.reason = 'reconnect';
    back.clockChanged = true;
    expect(back.close(80, 0, 2000.4)).toEqual({ at: 80, missing: 2000, reason: 'reconnect' });
    expect(back.close(80, 0, -3).missing).toBe(0);
  });
});
