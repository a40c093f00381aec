// What the chunk vectors say, as values.
import { fromHex, readVectors } from './vectors.ts';

export interface PlannedMessage {
  readonly chunkStreamId: number;
  readonly fmt: 0 | 1 | 2 | 3;
  readonly type: number;
  readonly timestamp: number;
  readonly streamId: number;
  readonly payload: string;
}

/** Messages in the order of their last chunks. SetChunkSize is among them although it is not handed out. */
export const messageVectors = readVectors('chunk')
  .filter(({ expect }) => Array.isArray(expect))
  .map(({ name, expect, fields, bytes }) => ({
    name,
    messages: expect as PlannedMessage[],
    readOnly: fields.get('direction') === 'read',
    bytes,
  }));

export const refusalVectors = readVectors('chunk')
  .filter(({ expect }) => typeof expect === 'string')
  .map(({ name, expect, bytes }) => ({ name, code: expect as string, bytes }));

/** What a reader hands out for them. */
export function handedOut(messages: readonly PlannedMessage[]) {
  return messages
    .filter(({ type }) => type !== 1 && type !== 2)
    .map(({ type, timestamp, streamId, payload }) => ({ type, timestamp, streamId, payload }));
}

export function asMessage({ type, timestamp, streamId, payload }: PlannedMessage) {
  return { type, timestamp, streamId, payload: fromHex(payload) };
}
