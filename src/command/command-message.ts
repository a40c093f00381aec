// Commands of NetConnection and NetStream as AMF0 messages: name, transaction ID, command object, arguments.
// RTMP 7.1.1, 7.2. The AMF3 types (17, 15) start with a format byte, of which only 0 is defined: AMF0 follows, which
// switches to AMF3 for single values. E-RTMP v2 "Important AMF3-encoded Historical Specification Clarification". pure.
import { Amf0Decoder, decodeAmf0 } from '../amf/amf0-decoder.ts';
import { encodeAmf0 } from '../amf/amf0-encoder.ts';
import { AmfObject, type AmfValue } from '../amf/amf-value.ts';
import { MessageType } from '../chunk/message.ts';
import { ProtocolError } from '../errors.ts';

export interface Command {
  readonly name: string;
  /** 0 asks for no answer. RTMP 7.2. */
  readonly transactionId: number;
  readonly commandObject: AmfValue;
  readonly args: readonly AmfValue[];
}

/** A data message (RTMP 7.1.2), told apart from commands by having no transaction ID. */
export interface DataMessage {
  /** The handler's name, as in `onMetaData`; undefined when the message begins with anything else. */
  readonly name: string | undefined;
  /** What a ScriptData tag holds: AMF0, without the AMF3 format byte. BORROWED from the payload. */
  readonly body: Uint8Array;
  /** onMetaData's properties, when the message carries them. */
  readonly metadata: AmfObject | undefined;
}

/** @throws ProtocolError AMF_*, COMMAND_INVALID */
export function readCommand(type: number, payload: Uint8Array): Command {
  const [name, transactionId, commandObject, ...args] = decodeAmf0(withoutFormatByte(type, payload));
  if (typeof name !== 'string' || name === '') throw invalid('the command name is not a string');
  if (typeof transactionId !== 'number' || !Number.isFinite(transactionId) || transactionId < 0) {
    throw invalid('the transaction ID is not a number');
  }
  return { name, transactionId, commandObject, args };
}

/** @throws ProtocolError AMF_* */
export function readDataMessage(type: number, payload: Uint8Array): DataMessage {
  const { values, body } = decodeTolerantly(withoutFormatByte(type, payload));
  // Encoders send "@setDataFrame" in front of the handler's name; some leave it out. WIRE 4.
  const [name, value] = values[0] === '@setDataFrame' ? values.slice(1) : values;
  const metadata = name === 'onMetaData' && value instanceof AmfObject ? value : undefined;
  return { name: typeof name === 'string' ? name : undefined, body, metadata };
}

/** The payload of an AMF0 command message. */
export function commandPayload(
  name: string,
  transactionId: number,
  commandObject: AmfValue,
  ...args: readonly AmfValue[]
): Uint8Array {
  return encodeAmf0(name, transactionId, commandObject, ...args);
}

/** The payload of an AMF3 command message with such an AMF0 payload inside. */
export function amf3CommandPayload(amf0: Uint8Array): Uint8Array {
  const payload = new Uint8Array(1 + amf0.length); // it begins with 0, the format byte
  payload.set(amf0, 1);
  return payload;
}

/**
 * Data travels with the media and is kept as it came, so a type this decoder does not know is no reason to
 * end a publication. Everything that could hurt (depth, size, a value cut short) still is. Only what was written
 * in AMF3 is written again: readers of FLV know nothing but AMF0 (FLV E.4.4.2).
 */
function decodeTolerantly(body: Uint8Array): { values: AmfValue[]; body: Uint8Array } {
  const decoder = new Amf0Decoder(body);
  const values: AmfValue[] = [];
  try {
    while (!decoder.done) values.push(decoder.read());
  } catch (error) {
    if (!(error instanceof ProtocolError && error.code === 'AMF_TYPE_UNKNOWN')) throw error;
    return { values, body };
  }
  return { values, body: decoder.switched ? encodeAmf0(...values) : body };
}

function withoutFormatByte(type: number, payload: Uint8Array): Uint8Array {
  const amf3 = type === MessageType.CommandAmf3 || type === MessageType.DataAmf3;
  return amf3 && payload[0] === 0 ? payload.subarray(1) : payload;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('COMMAND_INVALID', message, { clause: 'RTMP 7.1.1' });
}
