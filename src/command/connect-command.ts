// NetConnection.connect: what the client says of itself and of the place, and what it is answered.
// RTMP 7.2.1.1; what each encoder really sends is in WIRE 3. pure.
import { AmfObject } from '../amf/amf-value.ts';
import { ProtocolError } from '../errors.ts';
import { commandLimits } from './command-limits.ts';
import type { Command } from './command-message.ts';
import { enhancedAnswer, type EnhancedClient, readEnhancedClient } from './enhanced-capabilities.ts';
import { statusObject } from './status.ts';

export interface ConnectCommand {
  /** As sent, query and all: may hold a key. */
  readonly app: string;
  /** As sent, query and all: may hold a key. */
  readonly tcUrl: string;
  /** The encoder in its own words. Untrusted text. */
  readonly flashVer: string;
  /** 3 if the client also understands AMF3 and its message types. */
  readonly objectEncoding: 0 | 3;
  readonly enhanced: EnhancedClient | undefined;
}

/** @throws ProtocolError COMMAND_INVALID, STREAM_NAME_INVALID */
export function readConnect(command: Command): ConnectCommand {
  const properties = command.commandObject;
  if (!(properties instanceof AmfObject)) throw invalid('connect carries no command object');
  const app = properties.get('app');
  const tcUrl = properties.get('tcUrl') ?? properties.get('tcurl') ?? ''; // both spellings exist. WIRE 3
  const flashVer = properties.get('flashVer');
  if (typeof app !== 'string' || typeof tcUrl !== 'string')
    throw invalid("connect's app or tcUrl is not a string");
  if (app.length > commandLimits.nameLength || tcUrl.length > commandLimits.urlLength) {
    throw new ProtocolError('STREAM_NAME_INVALID', "connect's app or tcUrl is too long");
  }
  return {
    app,
    tcUrl,
    flashVer: typeof flashVer === 'string' ? flashVer.slice(0, commandLimits.flashVerLength) : '',
    objectEncoding: properties.get('objectEncoding') === 3 ? 3 : 0,
    enhanced: readEnhancedClient(properties),
  };
}

/**
 * The two values of connect's `_result`: properties of the server, and the information object. Who announced
 * nothing new gets the same bytes as ever.
 */
export function connectResult({
  objectEncoding,
  enhanced,
}: Pick<ConnectCommand, 'objectEncoding' | 'enhanced'>): readonly [
  properties: AmfObject,
  information: AmfObject,
] {
  const properties = new AmfObject([
    ['fmsVer', 'FMS/3,5,3,824'], // encoders read a version from it; this one promises nothing we lack
    ['capabilities', 31],
    ...(enhanced === undefined ? [] : enhancedAnswer(enhanced)),
  ]);
  const success = statusObject('NetConnection.Connect.Success', 'Connection succeeded.');
  const information = new AmfObject([...success.properties, ['objectEncoding', objectEncoding]]);
  return [properties, information];
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('COMMAND_INVALID', message, { clause: 'RTMP 7.2.1.1' });
}
