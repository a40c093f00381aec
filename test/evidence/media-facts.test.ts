import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { mediaFactsOf } from '../../src/evidence/media-facts.ts';
import { TagType } from '../../src/flv/tag.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';
import { tagOf } from '../support/media-tags.ts';

describe('what a recording holds', () => {
  it('is read from its head and its first tags', async () => {
    const { archive } = await openTestArchive();
    const said = new AmfObject([
      ['width', 640],
      ['height', 360],
      ['framerate', 25],
      ['audiosamplerate', Infinity],
    ]);
    const client = tagOf(TagType.ScriptData, 0, encodeAmf0('@setDataFrame', 'onMetaData', said));
    const { recording, writer } = await beginRecording(archive, [client, ...someTags(4)]);
    await writer.end('unpublished');
    const file = readFileSync(archive.pathOf((await archive.find(recording.id))!));
    const facts = {
      videoCodec: 'h264',
      audioCodec: 'aac',
      width: 640,
      height: 360,
      frameRate: 25,
      audioSampleRate: null,
    };
    expect(mediaFactsOf(file)).toEqual(facts);
  });

  it('is nothing where there is nothing to read', () => {
    const nothing = mediaFactsOf(new Uint8Array(50_000));
    expect(new Set(Object.values(nothing))).toEqual(new Set([null]));
    expect(mediaFactsOf(new Uint8Array(0))).toEqual(nothing);
  });
});
