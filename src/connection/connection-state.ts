// The one table of states of a server connection, and the one place for transitions. pure.
//
//   handshaking ──C2──▶ connecting ──connect accepted──▶ open ──close()──▶ closing ──▶ closed
//        └──────────────────┴───────any refusal or ProtocolError──────────────┘
import { ProtocolError } from '../errors.ts';

export type ConnectionState = 'handshaking' | 'connecting' | 'open' | 'closing' | 'closed';

const next: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  handshaking: ['connecting', 'closed'],
  connecting: ['open', 'closing', 'closed'],
  open: ['closing', 'closed'],
  closing: ['closed'],
  closed: [],
};

/** Commands by the state that allows them; all other names are calls, answered with `_error` when open. */
const allowed: Readonly<Record<string, ConnectionState>> = {
  connect: 'connecting',
  createStream: 'open',
  publish: 'open',
  play: 'open',
  releaseStream: 'open',
  FCPublish: 'open',
  FCUnpublish: 'open',
  closeStream: 'open',
  deleteStream: 'open',
};

/** The new state, where the table allows the step; anything else is a bug of ours. */
export function step(from: ConnectionState, to: ConnectionState): ConnectionState {
  if (!next[from].includes(to)) throw new Error(`no step from ${from} to ${to}`);
  return to;
}

/** The state once the peer is told why it ends: several streams may be told, and also after an error. */
export function lastWords(from: ConnectionState): ConnectionState {
  return from === 'closing' || from === 'closed' ? from : step(from, 'closing');
}

/** @throws ProtocolError COMMAND_OUT_OF_STATE, as for a publish before connect. */
export function checkAllowed(command: string, state: ConnectionState): void {
  const needed = Object.hasOwn(allowed, command) ? allowed[command] : 'open';
  if (state !== needed) {
    throw new ProtocolError(
      'COMMAND_OUT_OF_STATE',
      `a command for the state "${needed}" came in the state "${state}"`,
      { clause: 'RTMP 7.2' },
    );
  }
}
