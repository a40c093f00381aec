import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { IncomingMedia } from '../../src/connection/incoming-media.ts';
import { aggregatePayload } from '../support/aggregate.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const { Audio, Video, DataAmf0, Aggregate } = MessageType;
const interFrame = fromHex('27 01 000000');
const metadata = encodeAmf0('onMetaData', new AmfObject([['encoder', 'x']]));

function opened() {
  const seen: string[] = [];
  let data = 0;
  let unheard = 0;
  const media = new IncomingMedia({
    onTag: (streamId, { type, timestamp, role, body }) =>
      seen.push(`${streamId}: ${type} ${role} @${timestamp} ${toHex(body.subarray(0, 5))}`),
    onMetadata: (streamId, properties) => seen.push(`${streamId}: ${properties.properties.size} properties`),
    countData: () => (data += 1),
    countUnheard: () => (unheard += 1),
  });
  return { media, seen, counted: () => data, unheard: () => unheard };
}

describe('incoming media', () => {
  it('becomes tags of the publication on its message stream, and nothing elsewhere', () => {
    const { media, seen, unheard } = opened();
    const video = (streamId: number, timestamp: number) =>
      media.receive({ type: Video, timestamp, streamId, payload: interFrame });
    video(1, 0);
    media.start(1);
    media.start(2);
    video(1, 1000);
    video(2, 50_000);
    video(3, 0);
    video(1, 1040);
    expect(unheard()).toBe(2); // before the first publication, and where there is none
    expect([media.stop(1), media.stop(1), media.isPublishing(1), media.publishing]).toEqual([
      true,
      false,
      false,
      [2],
    ]);
    video(1, 1080);
    media.start(1); // again, and at 0 again
    video(1, 7000);
    const tag = '9 inter-frame';
    expect(seen).toEqual([
      `1: ${tag} @0 2701000000`,
      `2: ${tag} @0 2701000000`,
      `1: ${tag} @40 2701000000`,
      `1: ${tag} @0 2701000000`,
    ]);
  });

  it('counts data before it is read, also where nobody publishes, and inside aggregates', () => {
    const { media, seen, counted, unheard } = opened();
    const part = { type: DataAmf0, timestamp: 0, payload: metadata };
    const aggregate = { type: Aggregate, timestamp: 0, payload: aggregatePayload(part, part) };
    media.receive({ ...part, streamId: 1 });
    media.receive({ ...aggregate, streamId: 1 }); // is not even opened
    expect([counted(), unheard(), seen]).toEqual([1, 1, []]);
    media.start(2);
    media.receive({ ...aggregate, streamId: 2 });
    expect([counted(), unheard(), seen.length]).toEqual([3, 1, 4]);
  });

  it('takes an aggregate to pieces on the clock of the publication', () => {
    const { media, seen } = opened();
    media.start(1);
    media.receive({ type: Audio, timestamp: 5000, streamId: 1, payload: fromHex('af 01 21') });
    const payload = aggregatePayload(
      { type: Video, timestamp: 0, payload: interFrame },
      { type: DataAmf0, timestamp: 10, payload: metadata },
      { type: Audio, timestamp: 23, payload: fromHex('af 01 22') },
    );
    media.receive({ type: Aggregate, timestamp: 5040, streamId: 1, payload });
    expect(seen).toEqual([
      '1: 8 audio @0 af0121',
      '1: 9 inter-frame @40 2701000000',
      '1: 1 properties',
      '1: 18 metadata @50 02000a6f6e',
      '1: 8 audio @63 af0122',
    ]);
  });
});
