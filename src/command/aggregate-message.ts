// Aggregate messages: several audio, video and data messages of one message stream in one. RTMP 7.1.6. Each part
// looks like an FLV tag, and so do its back pointers, which nobody needs here. pure.
import { readUint24 } from '../bytes/big-endian.ts';
import { type Message, MessageType } from '../chunk/message.ts';
import { ProtocolError } from '../errors.ts';

const headerLength = 11;
const backPointerLength = 4;

/**
 * Hands over the parts in their order, each BORROWED from the aggregate: with its message stream, and with
 * timestamps moved so that the first part has the aggregate's. Parts that are no media are passed over.
 * @throws ProtocolError AGGREGATE_INVALID when it is cut short; the parts before have been handed over.
 */
export function readAggregate(aggregate: Message, deliver: (part: Message) => void): void {
  const { payload, streamId } = aggregate;
  let shift: number | undefined;
  for (let offset = 0; offset < payload.length;) {
    const start = offset + headerLength;
    if (start > payload.length) throw cutShort();
    const end = start + readUint24(payload, offset + 1);
    if (end + backPointerLength > payload.length) throw cutShort();
    // FLV E.4.1, practice: 24 bits of the timestamp, then its upper 8; the stream ID behind them counts for nothing.
    const timestamp = readUint24(payload, offset + 4) + (payload[offset + 7] as number) * 2 ** 24;
    shift ??= aggregate.timestamp - timestamp; // RTMP 7.1.6
    const type = payload[offset] as number;
    if (isMedia(type)) {
      deliver({
        type,
        timestamp: (timestamp + shift) >>> 0,
        streamId,
        payload: payload.subarray(start, end),
      });
    }
    offset = end + backPointerLength;
  }
}

function isMedia(type: number): boolean {
  switch (type) {
    case MessageType.Audio:
    case MessageType.Video:
    case MessageType.DataAmf0:
    case MessageType.DataAmf3:
      return true;
    default: // commands and aggregates inside one another are nothing that anybody sends
      return false;
  }
}

function cutShort(): ProtocolError {
  return new ProtocolError('AGGREGATE_INVALID', 'an aggregate message is cut short', {
    clause: 'RTMP 7.1.6',
  });
}
