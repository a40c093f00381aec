import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roleOf } from '../../src/flv/tag-role.ts';
import { TagType, type TagRole } from '../../src/flv/tag.ts';

const fourCc = (text: string) => [...Buffer.from(text)];

const videos: readonly [string, TagRole, number[]][] = [
  ['AVC sequence header', 'sequence-start', [0x17, 0, 0, 0, 0, 1]],
  ['AVC key frame', 'key-frame', [0x17, 1, 0, 0, 0]],
  ['AVC inter frame', 'inter-frame', [0x27, 1, 0, 0, 0]],
  ['AVC disposable inter frame', 'inter-frame', [0x37, 1]],
  ['AVC end of sequence', 'sequence-end', [0x17, 2, 0, 0, 0]],
  ['HEVC as CodecID 12', 'sequence-start', [0x1c, 0, 0, 0, 0]],
  ['H.263 key frame, whose second byte is picture data', 'key-frame', [0x12, 0, 0x84]],
  ['generated key frame', 'key-frame', [0x47, 1]],
  ['command frame', 'inter-frame', [0x57, 0]],
  ['HEVC SequenceStart', 'sequence-start', [0x90, ...fourCc('hvc1')]],
  ['HEVC CodedFrames, key', 'key-frame', [0x91, ...fourCc('hvc1'), 0, 0, 0]],
  ['AV1 CodedFramesX, inter', 'inter-frame', [0xa3, ...fourCc('av01')]],
  ['SequenceEnd', 'sequence-end', [0x92, ...fourCc('hvc1')]],
  ['colour Metadata', 'metadata', [0x94, ...fourCc('hvc1')]],
  ['Mpeg2TsSequenceStart', 'sequence-start', [0x95, ...fourCc('av01')]],
  ['Multitrack SequenceStart', 'sequence-start', [0x96, 0x00, ...fourCc('avc1'), 1]],
  ['Multitrack CodedFramesX, key', 'key-frame', [0x96, 0x03, ...fourCc('avc1'), 0]],
  ['a key frame of another track', 'inter-frame', [0x96, 0x01, ...fourCc('hvc1'), 1, 0, 0, 0]],
  ['SequenceStart of another track', 'sequence-start', [0x96, 0x00, ...fourCc('hvc1'), 1]],
  ['a key frame of many tracks', 'key-frame', [0x96, 0x11, ...fourCc('hvc1'), 1, 0, 0, 1, 9, 0, 0, 0, 0]],
  ['many codecs, key', 'key-frame', [0x96, 0x23, ...fourCc('av01'), 0, 0, 0, 1, 9]],
  ['VVC SequenceStart', 'sequence-start', [0x90, ...fourCc('vvc1')]],
  ['a codec that nobody knows, key', 'key-frame', [0x91, ...fourCc('xyz1')]],
  ['colour Metadata in a command frame', 'metadata', [0xd4, ...fourCc('hvc1')]],
  ['ModEx in front of CodedFramesX, inter', 'inter-frame', [0xa7, 2, 1, 2, 3, 0x03, ...fourCc('av01')]],
  ['ModEx in front of CodedFramesX, key', 'key-frame', [0x97, 2, 1, 2, 3, 0x03, ...fourCc('av01')]],
  ['enhanced command frame', 'inter-frame', [0xd0, 0]],
  ['nothing', 'inter-frame', []],
];

const audios: readonly [string, TagRole, number[]][] = [
  ['AAC AudioSpecificConfig', 'sequence-start', [0xaf, 0, 0x12, 0x10]],
  ['AAC frame', 'audio', [0xaf, 1, 0x21]],
  ['MP3, whose second byte is data', 'audio', [0x2f, 0]],
  ['Opus SequenceStart', 'sequence-start', [0x90, ...fourCc('Opus')]],
  ['Opus CodedFrames', 'audio', [0x91, ...fourCc('Opus')]],
  ['SequenceEnd', 'sequence-end', [0x92, ...fourCc('Opus')]],
  ['MultichannelConfig', 'metadata', [0x94, ...fourCc('ac-3')]],
  ['Multitrack SequenceStart', 'sequence-start', [0x95, 0x00, ...fourCc('mp4a'), 1]],
  ['many codecs, SequenceStart', 'sequence-start', [0x95, 0x20, ...fourCc('Opus'), 0, 0, 0, 0]],
  ['ModEx in front of CodedFrames', 'audio', [0x97, 2, 0, 0, 9, 0x01, ...fourCc('fLaC'), 0]],
  ['nothing', 'audio', []],
];

describe('roleOf', () => {
  it.each(videos)('video: %s is %s', (_, role, body) => {
    expect(roleOf(TagType.Video, Uint8Array.from(body))).toBe(role);
  });

  it.each(audios)('audio: %s is %s', (_, role, body) => {
    expect(roleOf(TagType.Audio, Uint8Array.from(body))).toBe(role);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (body) => {
        for (const type of [TagType.Audio, TagType.Video, TagType.ScriptData]) {
          expect(roleOf(type, body)).toBeTypeOf('string');
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
