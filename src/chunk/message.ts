// RTMP messages as the chunk layer carries them. RTMP 1.0 §6.1. pure.

/** Message type IDs. RTMP 5.4, 6.2, 7.1. */
export const MessageType = {
  SetChunkSize: 1,
  Abort: 2,
  Acknowledgement: 3,
  UserControl: 4,
  WindowAcknowledgementSize: 5,
  SetPeerBandwidth: 6,
  Audio: 8,
  Video: 9,
  DataAmf3: 15,
  SharedObjectAmf3: 16,
  CommandAmf3: 17,
  DataAmf0: 18,
  SharedObjectAmf0: 19,
  CommandAmf0: 20,
  Aggregate: 22,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

export interface Message {
  /** Message type ID; a MessageType when known. */
  readonly type: number;
  /** 32-bit milliseconds; wraps. RTMP 4. */
  readonly timestamp: number;
  /** Message stream ID; 0 is the NetConnection itself. */
  readonly streamId: number;
  /** BORROWED: valid during the call that hands it over; who keeps bytes copies them. */
  readonly payload: Uint8Array;
}
