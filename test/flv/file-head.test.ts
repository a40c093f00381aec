import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { amfLimits } from '../../src/amf/amf-limits.ts';
import { clientMetadataOf, finalHead, headLength, provisionalHead } from '../../src/flv/file-head.ts';
import { FileSummary } from '../../src/flv/file-summary.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { aacTag, avcTag, readTags } from '../support/media-tags.ts';

/** What a reader of the file is told. */
function propertiesOf(head: Uint8Array): AmfObject {
  const { tags, reader } = readTags(head);
  expect([reader.status, reader.wholeBytes, tags.length]).toEqual(['reading', headLength, 2]);
  return metadataOf(tags[0]!.body, { ...amfLimits, nodes: 8192 })!;
}

function summaryOf(keyFrames: number): FileSummary {
  const summary = new FileSummary();
  const key = avcTag('key', 0);
  const sound = aacTag('frame', 0);
  for (let at = 0; at < keyFrames; at += 1) {
    summary.add(key.type, key.role, at * 1000, headLength + at * 5000, key.body);
    summary.add(sound.type, sound.role, at * 1000 + 20, headLength + at * 5000 + 100, sound.body);
  }
  return summary;
}

describe('the head of a recording', () => {
  it('keeps what the client said and says the rest itself', () => {
    const client = new AmfObject(
      [
        ['duration', 0],
        ['fileSize', 0],
        ['width', 1920],
        ['videocodecid', 7],
        ['audiocodecid', 'mp4a'],
        ['encoder', 'obs-output module'],
        ['hasKeyframes', false],
      ],
      'ecma-array',
    );
    const told = propertiesOf(finalHead(client, summaryOf(3), 123_456));
    expect(Object.fromEntries(told.properties)).toEqual({
      duration: 3.02,
      filesize: 123_456,
      lasttimestamp: expect.closeTo(2.02, 9),
      hasVideo: true,
      hasAudio: true,
      hasMetadata: true,
      hasKeyframes: true,
      canSeekToEnd: true,
      lastkeyframetimestamp: 2,
      width: 1920,
      videocodecid: 7,
      audiocodecid: 'mp4a',
      encoder: 'obs-output module',
      keyframes: new AmfObject([
        ['times', [0, 1, 2]],
        ['filepositions', [headLength, headLength + 5000, headLength + 10_000]],
      ]),
    });
  });

  it('names the codecs when the client did not', () => {
    const told = propertiesOf(finalHead(undefined, summaryOf(1), 1));
    expect([told.get('videocodecid'), told.get('audiocodecid')]).toEqual([7, 10]);
  });

  it('says in the FLV header what tracks there are', () => {
    expect(provisionalHead(undefined)[4]).toBe(5);
    const sound = new FileSummary();
    const tag = aacTag('frame', 0);
    sound.add(tag.type, tag.role, 0, headLength, tag.body);
    expect(finalHead(undefined, sound, 1)[4]).toBe(4);
  });

  it('gives every time so that × 1000, cut off, is the millisecond again', () => {
    const summary = new FileSummary();
    const key = avcTag('key', 0);
    for (let at = 0; at < 1000; at += 1) summary.add(key.type, key.role, at * 337 + 1, at, key.body);
    const keyframes = propertiesOf(finalHead(undefined, summary, 1)).get('keyframes') as AmfObject;
    const times = keyframes.get('times') as number[];
    expect(times.map((time) => Math.trunc(time * 1000))).toEqual(summary.index.timestamps());
  });

  it('is always equally long, whatever the client says and however many key frames there are', () => {
    const bomb = Array.from({ length: 8 }).reduce<AmfValue>(
      (value) =>
        new AmfObject([
          ['a', value],
          ['b', value],
          ['c', 'x'.repeat(5000)],
        ]),
      'x'.repeat(60_000),
    );
    const fat = new AmfObject(
      [
        ['bomb', bomb],
        ['text', 'é'.repeat(30_000)],
        ['height', 1080],
      ],
      'ecma-array',
    );
    for (const head of [provisionalHead(fat), finalHead(fat, summaryOf(5000), 2 ** 40)]) {
      const told = propertiesOf(head);
      expect(told.get('height')).toBe(1080);
      expect(told.get('bomb')).toBeUndefined();
    }
    const values = fc.letrec<{ value: AmfValue; object: AmfObject }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string({ maxLength: 3000 }),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 30 }),
        tie('object'),
      ),
      object: fc
        .array(fc.tuple(fc.string(), tie('value')), { maxLength: 20 })
        .map((entries) => new AmfObject(entries, 'ecma-array')),
    }));
    fc.assert(
      fc.property(values.object, fc.nat(3000), (client, keyFrames) => {
        propertiesOf(provisionalHead(client));
        propertiesOf(finalHead(client, summaryOf(keyFrames), 1));
      }),
      { seed: 4, numRuns: 60 },
    );
  });
});

describe('clientMetadataOf', () => {
  it('finds the client again, in a first and in a final head, so that a repair may be repeated', () => {
    const client = new AmfObject(
      [
        ['width', 640],
        ['duration', 7],
      ],
      'ecma-array',
    );
    const wanted = new AmfObject([['width', 640]], 'ecma-array');
    expect(clientMetadataOf(provisionalHead(client))).toEqual(wanted);
    const final = finalHead(client, summaryOf(1024), 9);
    expect(clientMetadataOf(final)?.get('width')).toBe(640);
    expect(finalHead(clientMetadataOf(final), summaryOf(1024), 9)).toEqual(final);
  });

  it('answers nothing for zeros or a torn head', () => {
    expect(clientMetadataOf(new Uint8Array(headLength))).toBeUndefined();
    expect(clientMetadataOf(provisionalHead(undefined).subarray(0, 20))).toBeUndefined();
  });
});
