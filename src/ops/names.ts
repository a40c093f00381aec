// The public names that pass between rooms. They are safe to log, list and put into a path; none of them
// opens anything. The stream key itself is a Secret (bytes/secret.ts) and stops at the gate.

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** `APP/NAME`, path-safe, as in `live/camera-1`. */
export type StreamName = Brand<string, 'StreamName'>;
/** Public handle of a stream key: 8 characters of Crockford base32, as in `7h2kq9d4`. */
export type KeyId = Brand<string, 'KeyId'>;
/** Server-made handle of one recording: 16 characters of Crockford base32. */
export type RecordingId = Brand<string, 'RecordingId'>;

const segment = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';
const streamNamePattern = new RegExp(`^${segment}/${segment}$`);

/**
 * The one rule for what a stream may be called; every entry (command line, API, configuration) asks it.
 * Two segments of 1–64 characters `[A-Za-z0-9._-]`, each starting with a letter or digit and without `..`.
 * Undefined when the text is no stream name.
 */
export function parseStreamName(text: string): StreamName | undefined {
  return streamNamePattern.test(text) && !text.includes('..') ? (text as StreamName) : undefined;
}

/** How a setting names all streams of the app of this one: `live/*`. */
export function appPatternOf(stream: string): string {
  return `${stream.slice(0, stream.indexOf('/'))}/*`;
}

/** Whether a stream is meant by `live/camera-1`, itself, or by `live/*`, all of its app. */
export function streamMatches(pattern: string, stream: StreamName): boolean {
  return pattern === stream || pattern === appPatternOf(stream);
}
