// Protocol control messages and user control events. RTMP 5.4, 6.2, 7.1.7. SetChunkSize and Abort are read
// by the chunk layer itself. pure.
import { MessageType } from '../chunk/message.ts';
import { ProtocolError } from '../errors.ts';

/** User control event types. RTMP 7.1.7. */
export const UserControlEvent = {
  StreamBegin: 0,
  StreamEof: 1,
  StreamDry: 2,
  SetBufferLength: 3,
  StreamIsRecorded: 4,
  PingRequest: 6,
  PingResponse: 7,
} as const;

/** Limit types of SetPeerBandwidth. RTMP 5.4.5. */
const bandwidthDynamic = 2;

export type ControlMessage =
  | { readonly type: 'acknowledgement'; readonly sequenceNumber: number }
  | { readonly type: 'window-acknowledgement-size'; readonly size: number }
  | { readonly type: 'set-peer-bandwidth'; readonly size: number }
  | { readonly type: 'user-control'; readonly event: number; readonly value: number };

/** Reads a control message of type 3 to 6. @throws ProtocolError CONTROL_MESSAGE_INVALID when it is cut short. */
export function readControlMessage(type: number, payload: Uint8Array): ControlMessage {
  switch (type) {
    case MessageType.Acknowledgement: // RTMP 5.4.3
      return { type: 'acknowledgement', sequenceNumber: uint32(payload, 0, '5.4.3') };
    case MessageType.WindowAcknowledgementSize: // RTMP 5.4.4
      return { type: 'window-acknowledgement-size', size: uint32(payload, 0, '5.4.4') };
    case MessageType.SetPeerBandwidth: // RTMP 5.4.5
      return { type: 'set-peer-bandwidth', size: uint32(payload, 0, '5.4.5') };
    default: {
      if (payload.length < 2) throw cutShort('7.1.7');
      const event = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
      // Some events of later protocol versions carry other data; only what is known needs its four bytes.
      const known = event <= UserControlEvent.PingResponse && event !== 5;
      return {
        type: 'user-control',
        event,
        value: known || payload.length >= 6 ? uint32(payload, 2, '7.1.7') : 0,
      };
    }
  }
}

/** Payload of SetChunkSize, Acknowledgement or WindowAcknowledgementSize. RTMP 5.4.1, 5.4.3, 5.4.4. */
export function uint32Payload(value: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, value);
  return payload;
}

/** Payload of SetPeerBandwidth with the dynamic limit type. RTMP 5.4.5. */
export function peerBandwidthPayload(size: number): Uint8Array {
  const payload = new Uint8Array(5);
  new DataView(payload.buffer).setUint32(0, size);
  payload[4] = bandwidthDynamic;
  return payload;
}

/** Payload of a user control message whose event data is one 32-bit number. RTMP 7.1.7. */
export function userControlPayload(event: number, value: number): Uint8Array {
  const payload = new Uint8Array(6);
  const view = new DataView(payload.buffer);
  view.setUint16(0, event);
  view.setUint32(2, value);
  return payload;
}

function uint32(bytes: Uint8Array, offset: number, clause: string): number {
  if (bytes.length < offset + 4) throw cutShort(clause);
  return new DataView(bytes.buffer, bytes.byteOffset + offset, 4).getUint32(0);
}

function cutShort(clause: string): ProtocolError {
  return new ProtocolError('CONTROL_MESSAGE_INVALID', 'a protocol control message is cut short', {
    clause: `RTMP ${clause}`,
  });
}
