// Conditional requests (RFC 9110 13.1 and 13.2.2): whether a download is sent, is not needed or must not be
// made. Dates are read in the one form that is still generated (5.6.7); any other is taken as absent. pure.
import type { IncomingHttpHeaders } from 'node:http';
import type { Validators } from './byte-range.ts';

export type PreconditionOutcome = 'send' | 'not-modified' | 'failed';

/** For GET and HEAD. While the file grows it has no tag, and its date proves nothing. */
export function evaluatePreconditions(
  headers: IncomingHttpHeaders,
  { etag, lastModified }: Validators,
): PreconditionOutcome {
  const ifMatch = headers['if-match'];
  const unmodifiedSince = httpDate(headers['if-unmodified-since']);
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, etag, 'strong')) return 'failed';
  } else if (unmodifiedSince !== undefined) {
    if (etag === undefined || lastModified > unmodifiedSince) return 'failed';
  }
  const ifNoneMatch = headers['if-none-match'];
  const modifiedSince = httpDate(headers['if-modified-since']);
  if (ifNoneMatch !== undefined) {
    if (etag !== undefined && matches(ifNoneMatch, etag, 'weak')) return 'not-modified';
  } else if (modifiedSince !== undefined) {
    if (etag !== undefined && lastModified <= modifiedSince) return 'not-modified';
  }
  return 'send';
}

// RFC 9110 8.8.3.2
function matches(header: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => (comparison === 'weak' ? tag.replace(/^W\//, '') : tag) === etag);
}

function httpDate(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return !Number.isNaN(time) && new Date(time).toUTCString() === text ? time : undefined;
}
