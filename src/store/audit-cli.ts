// The verbs of `penstock audit`: reading the audit log. Nothing here, or anywhere, changes a line of it.
import { argumentInvalid } from '../ops/arguments.ts';
import { parseDuration, parseInstant } from '../ops/quantities.ts';
import { formatTable, type Report } from '../ops/report.ts';
import type { AuditLog } from './audit-log.ts';

/** What `audit list` shows without --since. */
const newest = 200;

/** `now` in ms since the epoch. Throws SetupError ARGUMENT_INVALID, ResourceError STORE_FAILED. */
export async function listAudit(
  audit: Pick<AuditLog, 'list'>,
  { since }: { readonly since?: string | undefined },
  now: number,
): Promise<Report> {
  const entries = await audit.list(
    since === undefined ? { limit: newest } : { since: readSince(since, now) },
  );
  if (entries.length === 0) return { json: [], text: 'The audit log has no lines.' };
  const rows = entries.map(({ time, action, source, key, stream, door, detail }) => [
    time,
    action,
    source,
    key ?? '',
    stream ?? '',
    door ?? '',
    detail ?? '',
  ]);
  return {
    json: entries,
    text: formatTable(['TIME', 'ACTION', 'SOURCE', 'KEY', 'STREAM', 'DOOR', 'DETAIL'], rows),
  };
}

/** Every line as JSON Lines, a page at a time. Throws ResourceError STORE_FAILED. */
export async function exportAudit(
  audit: Pick<AuditLog, 'all'>,
  writeOut: (bytes: Uint8Array) => Promise<void>,
): Promise<Report> {
  for await (const page of audit.all()) {
    await writeOut(Buffer.from(page.map((entry) => `${JSON.stringify(entry)}\n`).join('')));
  }
  return { json: undefined, text: '' };
}

function readSince(text: string, now: number): number {
  const age = parseDuration(text);
  const since = age === undefined ? parseInstant(text) : now - age;
  if (since !== undefined) return since;
  throw argumentInvalid('--since', text, 'Give a date such as 2026-12-24, or a duration such as 24h.');
}
