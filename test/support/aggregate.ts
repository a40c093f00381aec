// Aggregate messages, put together from their parts. RTMP 7.1.6.

export interface AggregatePart {
  readonly type: number;
  /** 32-bit milliseconds. */
  readonly timestamp: number;
  readonly payload: Uint8Array;
  /** What stands where the message stream ID does. */
  readonly streamId?: number;
}

export function aggregatePayload(...parts: readonly AggregatePart[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      parts.map(({ type, timestamp, payload, streamId = 0 }) => {
        const part = Buffer.alloc(11 + payload.length + 4);
        part.writeUInt8(type, 0);
        part.writeUIntBE(payload.length, 1, 3);
        part.writeUIntBE(timestamp & 0xffffff, 4, 3);
        part.writeUInt8(timestamp >>> 24, 7);
        part.writeUIntBE(streamId, 8, 3);
        part.set(payload, 11);
        part.writeUInt32BE(11 + payload.length, 11 + payload.length);
        return part;
      }),
    ),
  );
}
