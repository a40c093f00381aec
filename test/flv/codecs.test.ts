import { describe, expect, it } from 'vitest';
import { audioCodecId, audioCodecOf, codecsOf, videoCodecId, videoCodecOf } from '../../src/flv/codecs.ts';
import { TagType } from '../../src/flv/tag.ts';

const body = (first: number[], fourCc = '', ...rest: number[]) =>
  Uint8Array.from([...first, ...Buffer.from(fourCc), ...rest]);

describe('codecs', () => {
  it('names legacy and enhanced video, and its number in onMetaData', () => {
    const bodies = [body([0x17, 0]), body([0x1c, 0]), body([0x90], 'hvc1'), body([0x96, 0], 'av01')];
    expect(bodies.map(videoCodecOf)).toEqual(['h264', 'hevc', 'hevc', 'av1']);
    // WIRE 4: hvc1 = 1752589105, av01 = 1635135537
    expect(bodies.map(videoCodecId)).toEqual([7, 12, 1752589105, 1635135537]);
  });

  it('names legacy and enhanced audio, and its number in onMetaData', () => {
    const bodies = [body([0xaf, 1]), body([0x2f]), body([0x90], 'Opus'), body([0x91], 'ac-3')];
    expect(bodies.map(audioCodecOf)).toEqual(['aac', 'mp3', 'opus', 'ac3']);
    expect(bodies.map(audioCodecId)).toEqual([10, 2, 0x4f707573, 0x61632d33]);
  });

  it('names those of all tracks, known or not', () => {
    const { Audio, Video } = TagType;
    expect(codecsOf(Video, body([0x17, 1]))).toEqual(['h264']);
    expect(codecsOf(Audio, body([0x91], 'Opus'))).toEqual(['opus']);
    const tracks = [...body([], 'hvc1', 0, 0, 0, 1, 9), ...body([], 'what', 1, 0, 0, 2, 9, 9)];
    expect(codecsOf(Video, body([0x96, 0x21], '', ...tracks))).toEqual(['hevc', undefined]);
    const many = (count: number) => Array.from({ length: count }, () => [...body([], 'av01', 0, 0, 0, 0)]);
    expect(codecsOf(Video, body([0x96, 0x21], '', ...many(256).flat()))).toHaveLength(256);
    expect(codecsOf(Video, body([0x96, 0x21], '', ...many(10_000).flat()))).toEqual([undefined]);
    expect(codecsOf(Audio, body([]))).toEqual([]);
    expect(codecsOf(Audio, body([0x91], 'Opu'))).toEqual([]);
  });

  it('answers nothing for what it does not know or cannot see', () => {
    const command = body([0xd1, 0], 'hvc1'); // the byte behind the header is a command, not a FourCC's first
    for (const unknown of [body([]), body([0x90], 'hvc'), body([0x90], 'what'), body([0x1f]), command]) {
      expect(videoCodecOf(unknown)).toBeUndefined();
    }
    for (const unknown of [body([]), body([0x90]), body([0xcf])])
      expect(audioCodecOf(unknown)).toBeUndefined();
    expect(videoCodecId(body([0x90], 'hv'))).toBeUndefined();
    expect(videoCodecId(command)).toBeUndefined();
  });
});
