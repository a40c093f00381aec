// Every error the house knows, sorted by whose trouble it is: the peer's, policy's, the network's, the
// host's or the operator's. Anything thrown that is not an ApplianceError is a bug of ours.
// Codes are stable; docs/errors.md lists each of them and a house test compares the two.

/** Code → what happened, in one sentence. The prose around it (what to do) is in docs/errors.md. */
export const protocolErrors = {
  HANDSHAKE_VERSION_UNSUPPORTED: 'C0 names a protocol version that is not spoken here.',
  HANDSHAKE_DIGEST_MISMATCH: 'The first packet of an RTMPE peer, C1 or S1, has no valid digest.',
  HANDSHAKE_SIGNATURE_MISMATCH:
    'C2 neither carries a valid signature nor echoes S1, or S2 has no valid signature.',
  HANDSHAKE_PUBLIC_KEY_INVALID: 'The Diffie-Hellman public value is outside 2..p-2.',
  CHUNK_WITHOUT_PREVIOUS: 'A compressed chunk header arrived on a chunk stream that has no earlier message.',
  CHUNK_INTERRUPTED_MESSAGE:
    'A new message header arrived inside an unfinished message of the same chunk stream.',
  CHUNK_SIZE_INVALID: 'SetChunkSize is 0 or has bit 31 set.',
  CHUNK_STREAMS_EXCEEDED: 'More chunk streams were opened than the limit allows.',
  CONTROL_MESSAGE_INVALID: 'A protocol control message is cut short.',
  AGGREGATE_INVALID: 'An aggregate message is cut short.',
  MESSAGE_TOO_LARGE: 'A message is larger than the limit.',
  MESSAGES_UNFINISHED: 'More bytes of unfinished messages were sent than the limit allows.',
  AMF_TRUNCATED: 'An AMF value is cut short.',
  AMF_TOO_DEEP: 'An AMF value is nested deeper than the limit.',
  AMF_TOO_LARGE: 'An AMF value has more nodes, keys or bytes than the limit.',
  AMF_TYPE_UNKNOWN: 'An AMF type marker is unknown or not allowed here.',
  COMMAND_INVALID: 'A command is malformed: a name, a transaction ID or an argument has the wrong type.',
  COMMAND_OUT_OF_STATE: 'A command or message is not allowed in the state of the connection.',
  STREAM_NAME_INVALID:
    'An application or publishing name is empty, too long or has characters that are not allowed.',
  TOO_MANY_COMMANDS:
    'The peer sends commands, control messages or messages that nobody takes faster than the limit.',
  TOO_MANY_STREAMS: 'The peer created more message streams than the limit.',
  TUNNEL_REQUEST_INVALID: 'A request of an RTMPT tunnel has a path, a header or a body that is not allowed.',
  TUNNEL_OUT_OF_ORDER: 'A request of an RTMPT tunnel is too early, too late or was repeated too often.',
} as const;

export const refusedErrors = {
  KEY_REFUSED: 'The stream key does not open this stream; the log names the reason.',
  SIGN_IN_REQUIRED: 'A client that signs in with user and password is told how to go on; this is no failure.',
  SIGN_IN_FAILED: 'User and password do not belong together; the log names the reason.',
  STREAM_BUSY: 'The stream is already being published, with another key or where no takeover is wanted.',
  ADDRESS_LOCKED_OUT: 'Too many wrong keys came from this address; it is not let in for a while.',
  DOOR_CLOSED: 'The listener does not accept this protocol.',
  TOO_MANY_CONNECTIONS: 'The connection limit, in all or for one address, is reached.',
  PLAYING_UNSUPPORTED: 'The client asked to play; this server only takes streams in.',
  KEY_WITHDRAWN: 'The stream key of a live session was revoked, disabled or rotated away, or has expired.',
  BITRATE_EXCEEDED: 'A session sent more than its stream key allows (--max-bitrate).',
  SESSION_TOO_LONG: 'A session lasted as long as its stream key allows (--max-session).',
  CODEC_NOT_ALLOWED: 'A session sent a codec that its stream key does not allow (--codecs).',
  STREAM_TAKEN_OVER: 'A newer session with the same key took the stream over.',
  STREAM_KICKED: 'An operator ended the session.',
  SHUTTING_DOWN: 'The appliance is stopping.',
} as const;

export const transportErrors = {
  PEER_GONE: 'The connection broke.',
  HANDSHAKE_TIMEOUT: 'TLS and RTMP handshakes were not finished in time.',
  COMMAND_TIMEOUT: 'No publish command came in time.',
  IDLE_TIMEOUT: 'A publisher sent nothing for too long.',
  TLS_HANDSHAKE_FAILED: 'The TLS handshake failed.',
  PROTOCOL_UNKNOWN: 'The first bytes are of no protocol that is spoken here.',
  WRITE_STALLED: 'The peer does not read what it is sent.',
} as const;

export const resourceErrors = {
  DISK_FULL: 'The recording volume has no space left.',
  RECORDING_OPEN_FAILED: 'The recording file could not be opened.',
  RECORDING_WRITE_FAILED: 'Writing the recording file failed.',
  ENCRYPTION_KEY_WRONG: 'A recording was encrypted with another key than the configured one.',
  RECORDING_DAMAGED: 'A recording is damaged; the message says where.',
  STORE_FAILED: 'The database could not be read or written.',
  CERTIFICATE_UNUSABLE: 'A certificate on disk cannot be used.',
  ACME_FAILED: 'The ACME authority could not be reached, or refused; the message says why.',
} as const;

export const setupErrors = {
  CONFIG_INVALID: 'The configuration has an unknown key or a wrong value.',
  CONFIG_UNREADABLE: 'The configuration file cannot be read.',
  PORT_IN_USE: 'A listener address is taken by another process.',
  LISTEN_FAILED: 'A listener could not be opened.',
  DATA_FOLDER_UNUSABLE: 'The data folder cannot be created, read or written.',
  DATA_FOLDER_IN_USE: 'Another server is running on the data folder.',
  STORE_UNUSABLE: 'The database is damaged, too new or cannot be opened.',
  SECRET_FILE_UNUSABLE: 'A secret file is unreadable, damaged or readable by others.',
  ENCRYPTION_KEY_UNUSABLE: 'The key that recordings are encrypted with cannot be read, or is none.',
  CERTIFICATE_FILE_UNUSABLE:
    'A certificate file named in the configuration cannot be used; the message names the file and the reason.',
  RUNTIME_TOO_OLD: 'The Node.js runtime or its SQLite is older than required.',
  ARGUMENT_INVALID: 'A command-line argument is missing or wrong.',
  NOT_FOUND: 'What the command names does not exist.',
} as const;

export type ProtocolErrorCode = keyof typeof protocolErrors;
export type RefusedErrorCode = keyof typeof refusedErrors;
export type TransportErrorCode = keyof typeof transportErrors;
export type ResourceErrorCode = keyof typeof resourceErrors;
export type SetupErrorCode = keyof typeof setupErrors;

export interface ErrorDetails {
  /** The clause of a specification that was broken, e.g. `RTMP 5.3.1`. */
  readonly clause?: string;
  /** What the operator can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base of all foreseen errors. `message` is safe to log: it never holds a key or a publishing name. */
export abstract class ApplianceError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly clause?: string;
  readonly hint?: string;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    if (details.clause !== undefined) this.clause = details.clause;
    if (details.hint !== undefined) this.hint = details.hint;
  }
}

/** The peer broke the protocol: logged at info, the connection is closed. The only error parsers throw. */
export class ProtocolError extends ApplianceError<ProtocolErrorCode> {}

/** Policy says no: the peer is told in words, then closed. */
export class RefusedError extends ApplianceError<RefusedErrorCode> {}

/** The network's trouble: nobody is told, the connection is gone or closed. */
export class TransportError extends ApplianceError<TransportErrorCode> {}

/** The host's trouble: logged as an error with a hint, that part degrades and the rest lives on. */
export class ResourceError extends ApplianceError<ResourceErrorCode> {}

/** The operator's trouble: one line and a hint on stderr, exit code 2 (NOT_FOUND: 1). */
export class SetupError extends ApplianceError<SetupErrorCode> {}

/** What a log line says of work that failed and is not given up for good; what nobody foresaw is a bug of ours. */
export function failureFields(error: unknown) {
  const known = error instanceof ApplianceError;
  return {
    code: known ? error.code : undefined,
    reason: error instanceof Error ? error.message : String(error),
    hint: known ? error.hint : undefined,
    bug: known ? undefined : true,
  };
}

/** The code of an error of the operating system, such as ENOENT; undefined for any other. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
