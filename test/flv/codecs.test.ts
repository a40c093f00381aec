import { describe, expect, it } from 'vitest';
import { audioCodecId, audioCodecOf, videoCodecId, videoCodecOf } from '../../src/flv/codecs.ts';

const body = (first: number[], fourCc = '') => Uint8Array.from([...first, ...Buffer.from(fourCc)]);

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

  it('answers nothing for what it does not know or cannot see', () => {
    for (const unknown of [body([]), body([0x90], 'hvc'), body([0x90], 'what'), body([0x1f])]) {
      expect(videoCodecOf(unknown)).toBeUndefined();
    }
    for (const unknown of [body([]), body([0x90]), body([0xcf])])
      expect(audioCodecOf(unknown)).toBeUndefined();
    expect(videoCodecId(body([0x90], 'hv'))).toBeUndefined();
  });
});
