// The ScriptData that a client sends about its stream: `@setDataFrame` is an order to the server and no part of
// the data; `onMetaData` with its properties is what a file says of itself. FLV 10.1 E.4.4, E.5; WIRE 4. pure.
import { amfLimits, type AmfLimits } from '../amf/amf-limits.ts';
import { AmfObject } from '../amf/amf-value.ts';
import { Amf0Decoder } from '../amf/amf0-decoder.ts';
import { encodeAmf0 } from '../amf/amf0-encoder.ts';
import { ProtocolError } from '../errors.ts';

const setDataFrame = encodeAmf0('@setDataFrame');

/** The data that belongs into a file: the body without a leading `@setDataFrame`. Borrows from the body. */
export function withoutSetDataFrame(body: Uint8Array): Uint8Array {
  if (body.length < setDataFrame.length) return body;
  for (let index = 0; index < setDataFrame.length; index += 1) {
    if (body[index] !== setDataFrame[index]) return body;
  }
  return body.subarray(setDataFrame.length);
}

/**
 * The properties of an onMetaData body (with or without `@setDataFrame`). Undefined when it is anything else,
 * damaged or beyond the AMF limits.
 */
export function metadataOf(body: Uint8Array, limits: AmfLimits = amfLimits): AmfObject | undefined {
  try {
    const decoder = new Amf0Decoder(withoutSetDataFrame(body), limits);
    if (decoder.done || decoder.read() !== 'onMetaData' || decoder.done) return undefined;
    const value = decoder.read();
    return value instanceof AmfObject ? value : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
