// The one place where an error becomes a last word: what the peer is told, and how loudly it is logged.
// Everything that ends a session passes through here.
import type { StatusCode } from '../command/status.ts';
import {
  ApplianceError,
  ProtocolError,
  RefusedError,
  type RefusedErrorCode,
  ResourceError,
  TransportError,
} from '../errors.ts';
import type { LineBudget } from '../ops/line-budget.ts';
import type { Log, LogFields } from '../ops/log.ts';

export interface Farewell {
  /** onStatus for a publisher, or undefined when nobody would listen. Never holds a key or a name. */
  readonly tell?: { readonly code: StatusCode; readonly description: string };
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
}

const refusals: Readonly<
  Record<RefusedErrorCode, { readonly code: StatusCode; readonly description: string }>
> = {
  // The wording of a refused key comes with the error: one sentence for every reason (keys/key-gate.ts).
  KEY_REFUSED: { code: 'NetStream.Publish.BadName', description: '' },
  // What clients look for in these is in command/access-manager.ts.
  SIGN_IN_REQUIRED: { code: 'NetConnection.Connect.Rejected', description: '' },
  SIGN_IN_FAILED: { code: 'NetConnection.Connect.Rejected', description: '' },
  STREAM_BUSY: {
    code: 'NetStream.Publish.BadName',
    description: 'This stream is already being published by another encoder.',
  },
  ADDRESS_LOCKED_OUT: {
    code: 'NetConnection.Connect.Rejected',
    description: 'Too many wrong stream keys came from this address.',
  },
  DOOR_CLOSED: { code: 'NetConnection.Connect.Rejected', description: '' },
  TOO_MANY_CONNECTIONS: { code: 'NetConnection.Connect.Rejected', description: 'Too many connections.' },
  PLAYING_UNSUPPORTED: {
    code: 'NetStream.Play.Failed',
    description: 'This server takes streams in; it does not play them.',
  },
  KEY_WITHDRAWN: { code: 'NetStream.Publish.BadName', description: '' },
  // These say what the key allows (session/key-limits-rule.ts).
  BITRATE_EXCEEDED: { code: 'NetStream.Failed', description: '' },
  SESSION_TOO_LONG: { code: 'NetStream.Failed', description: '' },
  CODEC_NOT_ALLOWED: { code: 'NetStream.Publish.BadName', description: '' },
  STREAM_TAKEN_OVER: {
    code: 'NetStream.Failed',
    description: 'A newer session with the same stream key took over.',
  },
  STREAM_KICKED: { code: 'NetStream.Failed', description: 'An operator ended this session.' },
  SHUTTING_DOWN: {
    code: 'NetStream.Failed',
    description: 'The server is shutting down; reconnect in a moment.',
  },
};

/** Refusals that are part of a good day, or were told in the log already, with their true reason. */
const quieter: Readonly<Partial<Record<RefusedErrorCode, 'debug' | 'info'>>> = {
  SIGN_IN_REQUIRED: 'debug',
  KEY_REFUSED: 'debug',
  SIGN_IN_FAILED: 'debug',
  SHUTTING_DOWN: 'info',
  STREAM_TAKEN_OVER: 'info',
};

export function farewellFor(error: unknown): Farewell {
  if (error instanceof RefusedError) {
    const { code, description } = refusals[error.code];
    const level = quieter[error.code] ?? 'warn';
    return { tell: { code, description: description || error.message }, level, fields: { code: error.code } };
  }
  if (error instanceof ProtocolError) {
    return { level: 'info', fields: { code: error.code, clause: error.clause, reason: error.message } };
  }
  if (error instanceof TransportError) {
    return {
      level: error.code === 'PEER_GONE' ? 'debug' : 'info',
      fields: { code: error.code, reason: error.message },
    };
  }
  if (error instanceof ResourceError) {
    return {
      tell: {
        code: 'NetStream.Publish.Failed',
        description: 'The server cannot record this stream now; ask its operator.',
      },
      level: 'error',
      fields: { code: error.code, reason: error.message, hint: error.hint },
    };
  }
  if (error instanceof ApplianceError) {
    return { level: 'error', fields: { code: error.code, reason: error.message, hint: error.hint } };
  }
  const stack = error instanceof Error ? error.stack : String(error);
  return {
    tell: { code: 'NetStream.Failed', description: 'The server failed; ask its operator.' },
    level: 'error',
    fields: { bug: true, stack: stack?.split('\n').slice(0, 6).join(' | ') },
  };
}

/** What the ends of sessions that never published may say: any stranger can cause those. */
export type StrangerLines = LineBudget<'refused' | 'ended'>;

/** Says in the log why a session ended. `lines` for one that never published. */
export function logFarewell(log: Log, error: unknown, lines: StrangerLines | undefined): void {
  const { level, fields } = farewellFor(error);
  if (level === 'error') log.error('session.failed', fields);
  else if (level === 'debug') {
    if (!(error instanceof RefusedError)) log.debug('session.broken', fields);
    else if (error.code === 'SIGN_IN_REQUIRED') log.debug('session.challenged', fields);
    else log.debug('session.refused', fields);
  } else {
    const line = lines === undefined ? {} : lines.take(level === 'warn' ? 'refused' : 'ended');
    if (line === undefined && level === 'warn') log.debug('session.refused', fields);
    else if (line === undefined) log.debug('session.ended', fields);
    else if (level === 'warn') log.warn('session.refused', { ...fields, ...line });
    else log.info('session.ended', { ...fields, ...line });
  }
}
