// Enhanced RTMP, through the whole appliance: recorded bit for bit, indexed at the key frames of the first track, and
// listed under the right names. And what its clients hear when the appliance stops.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { encodeAmf3 } from '../../src/amf/amf3-encoder.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { TagType } from '../../src/flv/tag.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { enhancedFrames, type EnhancedStream } from '../support/enhanced-media.ts';
import { readTags } from '../support/media-tags.ts';
import { firstDifference, framesIn } from '../support/media.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { toHex } from '../support/vectors.ts';

const streams: readonly (EnhancedStream & { name: string; codecs: readonly [string, string] })[] = [
  { name: 'hevc', wrapping: 'plain', video: ['hvc1'], audio: ['Opus'], codecs: ['hevc', 'opus'] },
  { name: 'av1', wrapping: 'nanoseconds', video: ['av01'], audio: ['fLaC'], codecs: ['av1', 'flac'] },
  { name: 'vp9', wrapping: 'plain', video: ['vp09'], audio: ['ac-3'], codecs: ['vp9', 'ac3'] },
  { name: 'vp8', wrapping: 'plain', video: ['vp08'], audio: ['ec-3'], codecs: ['vp8', 'eac3'] },
  { name: 'vvc', wrapping: 'plain', video: ['vvc1'], audio: ['.mp3'], codecs: ['vvc', 'mp3'] },
  {
    name: 'tracks-apart',
    wrapping: 'one-track',
    video: ['avc1', 'hvc1'],
    audio: ['mp4a', 'mp4a', 'Opus'],
    codecs: ['h264', 'aac'],
  },
  {
    name: 'many-tracks',
    wrapping: 'many-tracks',
    video: ['av01', 'av01'],
    audio: ['Opus', 'Opus'],
    codecs: ['av1', 'opus'],
  },
  {
    name: 'many-codecs',
    wrapping: 'many-codecs',
    video: ['hvc1', 'av01'],
    audio: ['fLaC', 'Opus'],
    codecs: ['hevc', 'flac'],
  },
];

const seconds = 3;
const fourCcNumber = (fourCc: string) => Buffer.from(fourCc).readUInt32BE();

describe('Enhanced RTMP', () => {
  const folder = temporaryFolder(afterAll);
  let appliance: TestAppliance;
  beforeAll(async () => {
    appliance = await TestAppliance.start({}, folder);
  });
  afterAll(() => appliance.stop());

  it.each(streams)('$name is recorded as it came', async (stream) => {
    const { name } = stream;
    const { key } = await appliance.createKey(`live/${name}`);
    const frames = enhancedFrames(name, stream, seconds);
    const encoder = new Encoder({ port: appliance.port, name: key });
    await encoder.published;
    for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
    await encoder.finish();

    const { entry, path } = await appliance.finishedRecording(`live/${name}`);
    expect(firstDifference(frames, framesIn(path))).toBeUndefined();
    expect(entry).toMatchObject({ state: 'complete', durationMs: seconds * 1000 });
    const file = readFileSync(path);
    const { tags } = readTags(file);
    const metadata = metadataOf(tags[0]?.body ?? file);
    expect(metadata?.get('videocodecid')).toBe(fourCcNumber(stream.video[0]));
    expect(metadata?.get('audiocodecid')).toBe(fourCcNumber(stream.audio[0]));
    expect(metadata?.get('duration')).toBe(seconds);
    const keyframes = metadata?.get('keyframes') as AmfObject;
    expect(keyframes.get('times')).toEqual([0, 1, 2]);
    // At each position a tag begins that is the first track's key frame of that second.
    const at = (keyframes.get('filepositions') as number[]).map((position) =>
      tags.find((tag) => tag.position === position),
    );
    expect(at.map((tag) => [tag?.role, tag?.timestamp])).toEqual([
      ['key-frame', 0],
      ['key-frame', 1000],
      ['key-frame', 2000],
    ]);
  });

  it('is listed by the names of its codecs', async () => {
    const encoders: Encoder[] = [];
    for (const stream of streams) {
      const { name } = stream;
      const { key } = await appliance.createKey(`list/${name}`);
      const encoder = new Encoder({ port: appliance.port, app: 'list', name: key });
      await encoder.published;
      encoders.push(encoder);
      for (const { type, timestamp, payload } of enhancedFrames(name, stream, 1))
        await encoder.send(type, timestamp, payload);
    }
    const listed = async () => {
      const { json } = await appliance.streams();
      return (json as { stream: string; videoCodec: string; audioCodec: string }[])
        .filter(({ audioCodec }) => audioCodec !== null)
        .map(({ stream, videoCodec, audioCodec }) => [stream, videoCodec, audioCodec]);
    };
    await expect
      .poll(listed, { timeout: 10_000, interval: 100 })
      .toEqual(expect.arrayContaining(streams.map(({ name, codecs }) => [`list/${name}`, ...codecs])));
    await Promise.all(encoders.map((encoder) => encoder.finish()));
  });

  it('speaks AMF3 with those who do, and writes AMF0', async () => {
    const { key } = await appliance.createKey('live/amf3');
    const encoder = new Encoder({ port: appliance.port, name: key, properties: [['objectEncoding', 3]] });
    await encoder.published;
    const properties = new AmfObject([
      ['width', 1280],
      ['encoder', 'amf3 encoder'],
    ]);
    const data = (name: string) =>
      new Uint8Array(
        Buffer.concat(
          [[0], encodeAmf0(name), [0x11], encodeAmf3(properties)].map((part) => Buffer.from(part)),
        ),
      );
    for (const name of ['onMetaData', 'onTextData']) {
      const message = { type: MessageType.DataAmf3, timestamp: 0, streamId: 1, payload: data(name) };
      encoder.connection.sendMessage(7, message);
    }
    await encoder.send(TagType.Video, 0, Uint8Array.of(0x17, 1, 0, 0, 0, 9));
    await encoder.finish();
    const { path } = await appliance.finishedRecording('live/amf3');
    const { tags } = readTags(readFileSync(path));
    expect(metadataOf(tags[0]?.body ?? new Uint8Array(0))?.get('encoder')).toBe('amf3 encoder');
    const bodies = tags.filter(({ type }) => type === TagType.ScriptData).map(({ body }) => toHex(body));
    expect(bodies).toContain(toHex(encodeAmf0('onTextData', properties)));
  });

  it('asks those who announced it to reconnect when it stops, before the goodbye, and nobody else', async () => {
    const stopping = await TestAppliance.start();
    const publish = async (stream: string, properties: readonly [string, number][]) => {
      const { key } = await stopping.createKey(stream);
      const encoder = new Encoder({ port: stopping.port, name: key, properties });
      await encoder.published;
      return encoder;
    };
    const encoders = [await publish('live/able', [['capsEx', 3]]), await publish('live/old', [])];
    await stopping.stop();
    await Promise.all(encoders.map(({ ended }) => ended));
    const heard = encoders.map(({ events }) =>
      events.flatMap((event) => (event.type === 'status' ? [`${event.level} ${event.code}`] : [])),
    );
    expect(heard).toEqual([
      ['status NetConnection.Connect.ReconnectRequest', 'error NetStream.Failed'],
      ['error NetStream.Failed'],
    ]);
  });
});
