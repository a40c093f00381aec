// Clean and unclean ends told apart: what the log, and with it the recording, says of why a publication ended.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import type { AmfValue } from '../../src/amf/amf-value.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { aggregatePayload } from '../support/aggregate.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const frames = syntheticFrames('ends', 1);

function say(encoder: Encoder, streamId: number, ...values: AmfValue[]): Promise<void> {
  const payload = encodeAmf0(...values);
  encoder.connection.sendMessage(streamId === 0 ? 3 : 8, {
    type: MessageType.CommandAmf0,
    timestamp: 0,
    streamId,
    payload,
  });
  return encoder.flush();
}

describe('a publication', () => {
  const folder = temporaryFolder(afterAll);
  let appliance: TestAppliance;
  beforeAll(async () => {
    appliance = await TestAppliance.start({ 'limits.idleTimeout': '1s' }, folder);
  });
  afterAll(() => appliance.stop());

  const publish = async (stream: string, take = frames) => {
    const { key } = await appliance.createKey(stream);
    const encoder = new Encoder({ port: appliance.port, name: key });
    await encoder.published;
    for (const { type, timestamp, payload } of take) await encoder.send(type, timestamp, payload);
    return { encoder, key };
  };
  const reasonsFor = (stream: string) =>
    appliance
      .logged('publish.ended')
      .filter((line) => line['stream'] === stream)
      .map((line) => line['reason']);

  it.each<[string, string, (encoder: Encoder, key: string) => Promise<void> | void]>([
    ['unpublished', 'FCUnpublish and deleteStream, as OBS', (encoder) => encoder.finish()],
    ['unpublished', 'deleteStream alone', (encoder) => say(encoder, 0, 'deleteStream', 0, null, 1)],
    [
      'unpublished',
      'closeStream alone, as RootEncoder',
      (encoder) => say(encoder, 1, 'closeStream', 0, null),
    ],
    [
      'unpublished',
      'FCUnpublish and FIN',
      async (encoder, key) => {
        await say(encoder, 0, 'FCUnpublish', 6, null, key);
        encoder.socket.end();
      },
    ],
    ['publisher-lost', 'FIN without a word', (encoder) => void encoder.socket.end()],
    [
      'publisher-lost',
      'RST',
      async (encoder) => {
        encoder.socket.resetAndDestroy();
        await encoder.ended;
      },
    ],
    ['publisher-lost', 'silence', () => undefined],
    [
      'publisher-lost',
      'a broken message',
      async (encoder) => {
        const aggregate = {
          type: MessageType.Aggregate,
          timestamp: 0,
          streamId: 1,
          payload: Uint8Array.of(9),
        };
        encoder.connection.sendMessage(9, aggregate);
        await encoder.flush();
      },
    ],
  ])('is %s after %s', async (reason, how, end) => {
    const stream = `live/${how.replaceAll(/\W+/g, '-')}`;
    const { encoder, key } = await publish(stream);
    await appliance.recorded(stream, 980);
    await end(encoder, key);
    const { entry } = await appliance.finishedRecording(stream);
    expect(entry).toMatchObject({ state: 'complete', durationMs: 1000 });
    expect(reasonsFor(stream)).toEqual([reason]);
    encoder.socket.destroy();
  });

  it('is unpublished after FCUnpublish and RST, which is what closing with an answer unread looks like', async () => {
    const { encoder, key } = await publish('live/reset');
    await appliance.recorded('live/reset', 980);
    await say(encoder, 0, 'FCUnpublish', 6, null, key);
    // The answer shows that it was read.
    await new Promise<void>((resolve) => encoder.socket.once('data', () => resolve()));
    encoder.socket.resetAndDestroy();
    await appliance.finishedRecording('live/reset');
    expect(reasonsFor('live/reset')).toEqual(['unpublished']);
  });

  it('may follow another on the same connection: two takes, two recordings', async () => {
    const { encoder, key } = await publish('live/twice');
    await say(encoder, 1, 'closeStream', 0, null);
    await appliance.finishedRecordings('live/twice', 1);
    await say(encoder, 1, 'publish', 9, null, key, 'live');
    for (const { type, timestamp, payload } of syntheticFrames('second', 2))
      await encoder.send(type, timestamp + 60_000, payload);
    await encoder.finish();
    const takes = await appliance.finishedRecordings('live/twice', 2);
    expect(new Set(takes.map(({ durationMs }) => durationMs))).toEqual(new Set([1000, 2000]));
    expect(reasonsFor('live/twice')).toEqual(['unpublished', 'unpublished']);
    expect(encoder.events.filter(({ type }) => type === 'published')).toHaveLength(2);
  });

  it('takes aggregates apart on its way into the recording', async () => {
    const { encoder } = await publish('live/aggregate', []);
    const payload = aggregatePayload(...frames);
    encoder.connection.sendMessage(6, { type: MessageType.Aggregate, timestamp: 7000, streamId: 1, payload });
    await encoder.finish();
    const { path } = await appliance.finishedRecording('live/aggregate');
    expect(firstDifference(frames, framesIn(path))).toBeUndefined();
  });
});
