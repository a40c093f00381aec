// One JSON object per line, or one readable line per event on a terminal. An event is `noun.past-participle`,
// a literal in the room that says it, listed in docs/events.md. As a last net, whatever looks like a key or
// token is masked, control and bidirectional characters are escaped (a client cannot forge a line), and a
// field is cut at 256 characters.
import { pino, type Logger } from 'pino';
import { styleText } from 'node:util';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  /** A person must act. */
  error(event: string, fields?: LogFields): void;
  /** The same log with these fields on every line. */
  with(fields: LogFields): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'pretty' | 'json';
  /** Takes one line, with its line feed. */
  readonly write: (line: string) => void;
}

/** Longest text of one field, in UTF-16 code units. */
const longestField = 256;
const secrets = /p[st]k_[0-9a-z_]{8,}/gi;
// C0 and C1 controls, DEL, line and paragraph separators, bidirectional overrides and isolates.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Makes any text fit for a log line or a terminal. */
export function safeText(text: string): string {
  // Masked before it is cut, or half a key would no longer look like one.
  const masked = text.slice(0, 4 * longestField).replace(secrets, '[secret]');
  const short = masked.length > longestField ? `${masked.slice(0, longestField)}…` : masked;
  return short.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function safeFields(fields: LogFields): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) safe[name] = typeof value === 'string' ? safeText(value) : value;
  }
  return safe;
}

const levelStyles = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' } as const;

function prettyLine(json: string): string {
  const { time, level, event, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([name, value]) => {
    const text = String(value);
    return `${name}=${/[\s"=]/.test(text) ? JSON.stringify(text) : text}`;
  });
  const style = levelStyles[level as LogLevel];
  return (
    `${String(time)} ${styleText(style, String(level).padEnd(5))} ${String(event)} ${rest.join(' ')}`.trimEnd() +
    '\n'
  );
}

/** Opens a log that hands finished lines to `options.write`. */
export function openLog(options: LogOptions): Log {
  const { write } = options;
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      formatters: { level: (level) => ({ level }) },
    },
    { write: options.format === 'json' ? write : (line) => write(prettyLine(line)) },
  );
  return wrap(logger);
}

function wrap(logger: Logger): Log {
  return {
    debug: (event, fields = {}) => logger.debug(safeFields(fields), event),
    info: (event, fields = {}) => logger.info(safeFields(fields), event),
    warn: (event, fields = {}) => logger.warn(safeFields(fields), event),
    error: (event, fields = {}) => logger.error(safeFields(fields), event),
    with: (fields) => wrap(logger.child(safeFields(fields))),
  };
}

/** A log that says nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};
