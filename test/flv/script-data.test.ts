import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import {
  gapCuePoint,
  gapMarkOf,
  gapScript,
  metadataOf,
  withoutSetDataFrame,
} from '../../src/flv/script-data.ts';

const properties = new AmfObject([['width', 1280]], 'ecma-array');

describe('script data', () => {
  it('loses the order @setDataFrame and nothing else', () => {
    const data = encodeAmf0('onMetaData', properties);
    expect(withoutSetDataFrame(encodeAmf0('@setDataFrame', 'onMetaData', properties))).toEqual(data);
    expect(withoutSetDataFrame(data)).toBe(data);
    const short = Uint8Array.of(2, 0, 13, 0x40);
    expect(withoutSetDataFrame(short)).toBe(short);
  });

  it('is metadata as an array or an object, ordered or bare', () => {
    expect(metadataOf(encodeAmf0('@setDataFrame', 'onMetaData', properties))?.get('width')).toBe(1280);
    const object = new AmfObject([['height', 720]], 'object');
    expect(metadataOf(encodeAmf0('onMetaData', object, 'and more'))?.get('height')).toBe(720);
  });

  it('is no metadata when it is something else, cut short or empty', () => {
    const whole = encodeAmf0('@setDataFrame', 'onMetaData', properties);
    for (let length = 0; length < whole.length; length += 1) {
      expect(metadataOf(whole.subarray(0, length))).toBeUndefined();
    }
    expect(metadataOf(encodeAmf0('onTextData', properties))).toBeUndefined();
    expect(metadataOf(encodeAmf0('onMetaData', 5))).toBeUndefined();
    expect(metadataOf(Uint8Array.of(0xff, 0xff))).toBeUndefined();
  });

  it('marks a gap, and a mark is read as it was written', () => {
    for (const mark of [
      { at: 1001, missing: 2100, reason: 'reconnect' },
      { at: 0, missing: -5, reason: 'disk', dropped: 7 },
    ]) {
      expect(gapMarkOf(gapScript(mark))).toEqual(mark);
    }
  });

  it('is no mark when it is something else, of another kind, or cut short', () => {
    const whole = gapScript({ at: 5, missing: 6, reason: 'disk' });
    for (let length = 0; length < whole.length - 6; length += 1) {
      expect(gapMarkOf(whole.subarray(0, length))).toBeUndefined();
    }
    const cuePoint = (name: string, time: number | string, parameters: AmfObject | null) =>
      encodeAmf0(
        'onCuePoint',
        new AmfObject([
          ['name', name],
          ['time', time],
          ['parameters', parameters],
        ]),
      );
    const said = new AmfObject([
      ['missing', 1],
      ['reason', 'disk'],
    ]);
    expect(gapMarkOf(cuePoint(gapCuePoint, 1, said))).toEqual({ at: 1000, missing: 1, reason: 'disk' });
    for (const odd of [
      cuePoint('chapter', 1, said),
      cuePoint(gapCuePoint, 'soon', said),
      cuePoint(gapCuePoint, NaN, said),
      cuePoint(gapCuePoint, 1, null),
      cuePoint(gapCuePoint, 1, new AmfObject([['missing', 1]])),
      encodeAmf0('onCuePoint', 5),
      encodeAmf0('onTextData', said),
    ]) {
      expect(gapMarkOf(odd)).toBeUndefined();
    }
  });
});
