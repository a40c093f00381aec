// Which part of a file a request asks for (RFC 9110 14.1.2 and 14.2) and whether it still means the same file
// (13.1.5). One range only: a list of ranges is answered with the whole file, which the RFC allows. pure.

/** First and last byte, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What identifies the bytes of a representation. */
export interface Validators {
  /** A strong entity tag with its quotes; undefined while the file grows. */
  readonly etag: string | undefined;
  /** Milliseconds since the epoch, whole seconds. */
  readonly lastModified: number;
}

/** 'ignore' means: answer as if there were no Range. `size` in bytes. */
export function parseByteRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | 'ignore' {
  const set = /^bytes=(.*)$/i.exec(header ?? '')?.[1];
  // RFC 9110 5.6.1.2: empty elements of a list do not count.
  const specs = (set ?? '').split(',').map((spec) => spec.trim());
  const [spec, ...others] = specs.filter((text) => text !== '');
  const match = /^(\d*)-(\d*)$/.exec(spec ?? '');
  if (match === null || others.length > 0) return 'ignore';
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return 'ignore';
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'ignore'; // RFC 9110 14.1.1: an invalid range
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/**
 * Whether Range may be honoured. `now` in milliseconds since the epoch. Without If-Range it may; a weak tag
 * never matches, and a date only when it is exactly ours and old enough to be a strong validator (8.8.2.2).
 */
export function ifRangeHolds(
  header: string | undefined,
  { etag, lastModified }: Validators,
  now: number,
): boolean {
  if (header === undefined) return true;
  if (etag === undefined) return false;
  if (header.startsWith('"')) return header === etag;
  return header === new Date(lastModified).toUTCString() && now - lastModified >= 1000;
}
