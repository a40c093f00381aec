// The ScriptData that a client sends about its stream: `@setDataFrame` is an order to the server and no part of
// the data; `onMetaData` with its properties is what a file says of itself. FLV 10.1 E.4.4, E.5; WIRE 4. pure.
import { amfLimits, type AmfLimits } from '../amf/amf-limits.ts';
import { AmfObject, type AmfValue } from '../amf/amf-value.ts';
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

/** The name of a cue point that marks a gap. */
export const gapCuePoint = 'penstock.gap';

/** What a mark says of a gap. */
export interface GapMark {
  /** Milliseconds from the beginning of the file. */
  readonly at: number;
  /** Milliseconds that are not there. */
  readonly missing: number;
  readonly reason: string;
  /** Tags that came and were not written; undefined where that is not known. */
  readonly dropped?: number | undefined;
}

/**
 * A script tag body that marks a gap: an event cue point at `at` ms, where `missing` ms are not there. Players hand
 * cue points on and readers know them; of a script with another name ffmpeg makes a data stream.
 */
export function gapScript({ at, missing, reason, dropped }: GapMark): Uint8Array {
  const parameters: [string, AmfValue][] = [
    ['missing', missing],
    ['reason', reason],
  ];
  if (dropped !== undefined) parameters.push(['dropped', dropped]);
  const cuePoint = new AmfObject([
    ['name', gapCuePoint],
    ['time', at / 1000],
    ['type', 'event'],
    ['parameters', new AmfObject(parameters)],
  ]);
  return encodeAmf0('onCuePoint', cuePoint);
}

/** What such a body says; undefined when it is anything else. */
export function gapMarkOf(body: Uint8Array): GapMark | undefined {
  try {
    const decoder = new Amf0Decoder(body, amfLimits);
    if (decoder.done || decoder.read() !== 'onCuePoint' || decoder.done) return undefined;
    const cuePoint = decoder.read();
    if (!(cuePoint instanceof AmfObject) || cuePoint.get('name') !== gapCuePoint) return undefined;
    const parameters = cuePoint.get('parameters');
    if (!(parameters instanceof AmfObject)) return undefined;
    const [time, missing] = [cuePoint.get('time'), parameters.get('missing')];
    const [reason, dropped] = [parameters.get('reason'), parameters.get('dropped')];
    if (!isNumber(time) || !isNumber(missing) || typeof reason !== 'string') return undefined;
    return {
      at: Math.round(time * 1000),
      missing: Math.round(missing),
      reason,
      ...(isNumber(dropped) && dropped > 0 && { dropped: Math.round(dropped) }),
    };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
