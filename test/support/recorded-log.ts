// A log that keeps its lines, so that a test can ask what was said.
import type { Log, LogFields, LogLevel } from '../../src/ops/log.ts';

export interface RecordedLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class RecordedLog implements Log {
  readonly lines: RecordedLine[];
  readonly #fields: LogFields;

  constructor(lines: RecordedLine[] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  /** The events said so far, in order. */
  get events(): readonly string[] {
    return this.lines.map(({ event }) => event);
  }

  /** The fields of each line with this event. */
  of(event: string): readonly LogFields[] {
    return this.lines.filter((line) => line.event === event).map(({ fields }) => fields);
  }

  debug(event: string, fields: LogFields = {}): void {
    this.#say('debug', event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.#say('info', event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.#say('warn', event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.#say('error', event, fields);
  }

  with(fields: LogFields): Log {
    return new RecordedLog(this.lines, { ...this.#fields, ...fields });
  }

  #say(level: LogLevel, event: string, fields: LogFields): void {
    this.lines.push({ level, event, fields: { ...this.#fields, ...fields } });
  }
}
