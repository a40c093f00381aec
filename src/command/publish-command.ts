// NetStream.publish and play: the stream that is asked for. RTMP 7.2.2.1, 7.2.2.6. pure.
import { ProtocolError } from '../errors.ts';
import type { Command } from './command-message.ts';
import { type ConnectPlace, parseStreamAddress, type StreamAddress } from './stream-address.ts';

/** RTMP 7.2.2.6. Encoders always say "live" (WIRE 4): whether to record is policy, not their choice. */
export type PublishType = 'live' | 'record' | 'append';

export interface PublishCommand {
  readonly address: StreamAddress;
  readonly publishType: PublishType;
}

/** @throws ProtocolError COMMAND_INVALID, STREAM_NAME_INVALID */
export function readPublish(place: ConnectPlace, command: Command): PublishCommand {
  const [, publishType = 'live'] = command.args;
  const address = readPlay(place, command);
  if (publishType !== 'live' && publishType !== 'record' && publishType !== 'append') {
    throw new ProtocolError('COMMAND_INVALID', 'the publish type is not live, record or append', {
      clause: 'RTMP 7.2.2.6',
    });
  }
  return { address, publishType };
}

/** @throws ProtocolError STREAM_NAME_INVALID */
export function readPlay(place: ConnectPlace, command: Command): StreamAddress {
  const [name] = command.args;
  if (typeof name !== 'string') {
    throw new ProtocolError('STREAM_NAME_INVALID', 'the stream name is not a string', {
      clause: 'RTMP 7.2.2.6',
    });
  }
  return parseStreamAddress(place, name);
}
