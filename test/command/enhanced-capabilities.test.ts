import { describe, expect, it } from 'vitest';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import {
  audioFourCcs,
  enhancedAnswer,
  readEnhancedClient,
  videoFourCcs,
} from '../../src/command/enhanced-capabilities.ts';
import { audioCodecOf, videoCodecOf } from '../../src/flv/codecs.ts';

const read = (...properties: readonly [string, AmfValue][]) => readEnhancedClient(new AmfObject(properties));

function answer(...properties: readonly [string, AmfValue][]): Record<string, unknown> {
  const client = read(...properties);
  if (client === undefined) return {};
  const plain = (value: AmfValue) =>
    value instanceof AmfObject ? Object.fromEntries(value.properties) : value;
  return Object.fromEntries(enhancedAnswer(client).map(([name, value]) => [name, plain(value)]));
}

describe('what a client announces', () => {
  it('is nothing for clients of before, and for values of other types', () => {
    expect(read(['app', 'live'], ['capabilities', 239], ['videoFunction', 1])).toBeUndefined();
    const odd: [string, AmfValue][] = [
      ['fourCcList', 'hvc1'],
      ['capsEx', '1'],
      ['videoFourCcInfoMap', 4],
      ['audioFourCcInfoMap', []],
    ];
    expect(read(...odd)).toBeUndefined();
  });

  it.each<[string, AmfValue, boolean]>([
    ['Reconnect', 0x01, true],
    ['Reconnect among others', 0x0f, true],
    ['Reconnect among bits of the future', 2 ** 31 + 1, true],
    ['all but Reconnect', 0x0e, false],
    ['not a number', Number.NaN, false],
  ])('capsEx with %s', (_, capsEx, reconnect) => {
    expect(read(['capsEx', capsEx])).toMatchObject({ second: true, reconnect });
  });
});

describe('what it is answered', () => {
  it('is what was asked for, in the same way: version 1', () => {
    expect(answer(['fourCcList', ['xyz1', 'hvc1', 'Opus', 7]])).toEqual({ fourCcList: ['hvc1', 'Opus'] });
    expect(answer(['fourCcList', ['*']])).toEqual({ fourCcList: [...videoFourCcs, ...audioFourCcs] });
    expect(answer(['fourCcList', new AmfObject([['0', 'av01']], 'ecma-array')])).toEqual({
      fourCcList: ['av01'],
    });
  });

  it('is what was asked for, in the same way: version 2', () => {
    const map = (fourCcs: readonly string[]) =>
      Object.fromEntries(['*', ...fourCcs].map((name) => [name, 4]));
    const all = {
      capsEx: 0x0f,
      videoFourCcInfoMap: map(videoFourCcs),
      audioFourCcInfoMap: map(audioFourCcs),
    };
    expect(answer(['capsEx', 2])).toEqual(all);
    expect(answer(['audioFourCcInfoMap', new AmfObject([['Opus', 2]])])).toEqual(all);
    expect(answer(['fourCcList', ['vp09']], ['capsEx', 0])).toEqual({ fourCcList: ['vp09'], ...all });
  });

  it('names no codec that the recordings do not know', () => {
    const body = (first: number, fourCc: string) => Uint8Array.of(first, ...Buffer.from(fourCc));
    expect(videoFourCcs.map((fourCc) => videoCodecOf(body(0x90, fourCc)))).toEqual([
      'h264',
      'hevc',
      'av1',
      'vp8',
      'vp9',
      'vvc',
    ]);
    expect(audioFourCcs.map((fourCc) => audioCodecOf(body(0x91, fourCc)))).toEqual([
      'aac',
      'opus',
      'flac',
      'ac3',
      'eac3',
      'mp3',
    ]);
  });
});
