// The verbs of `penstock recording` that decide what stays: lock, unlock and prune. They work beside a server too.
import type { Archive } from '../archive/archive.ts';
import { mustFind } from '../archive/recording-cli.ts';
import { formatDuration, formatSize } from '../ops/quantities.ts';
import { formatTable, type Report } from '../ops/report.ts';
import type { AuditLog } from '../store/audit-log.ts';
import { pruneRecordings, type RetentionParts } from './retention-keeper.ts';
import { judgeRetention, type RetentionVerdict } from './retention-rule.ts';

export interface LockRecordingOptions {
  readonly id: string;
  readonly locked: boolean;
  /** All segments of its event. */
  readonly event?: boolean | undefined;
}

/** Locks or unlocks, idempotently. Throws SetupError NOT_FOUND, ResourceError STORE_FAILED. */
export async function lockRecording(
  archive: Archive,
  { id, locked, event }: LockRecordingOptions,
  audit: Pick<AuditLog, 'note'>,
): Promise<Report> {
  const entry = await mustFind(archive, id);
  const entries = event === true ? await archive.listEvent(entry.id) : [entry];
  for (const one of entries) {
    await archive.catalogue.update(one.id, { locked });
    const action = locked ? 'recording.locked' : 'recording.unlocked';
    audit.note({ action, source: 'cli', stream: one.stream, detail: `recording ${one.id}` });
  }
  const names = entries.map((one) => one.id).join(', ');
  return {
    json: entries.map((one) => ({ id: one.id, event: one.event, segment: one.segment, locked })),
    text: locked ? `Locked ${names}: retention and delete leave it alone.` : `Unlocked ${names}.`,
  };
}

/** Deletes what retention says, or with `dryRun` says what would go and why. Throws ResourceError STORE_FAILED. */
export async function pruneByHand(
  parts: RetentionParts,
  { dryRun }: { readonly dryRun?: boolean | undefined },
): Promise<Report> {
  const now = parts.clock.now();
  const wanted = judgeRetention(await parts.archive.list(), parts.settings, now);
  const gone = dryRun === true ? [] : await pruneRecordings(parts);
  const shown = dryRun === true ? wanted : gone;
  const bytes = shown.reduce((sum, { entry }) => sum + (entry.bytes ?? 0), 0);
  const resisting = dryRun === true ? 0 : Math.max(0, wanted.length - gone.length);
  const summary =
    shown.length === 0
      ? 'Nothing to delete.'
      : `${dryRun === true ? 'Would delete' : 'Deleted'} ${shown.length} (${formatSize(bytes)}).`;
  const table = shown.length === 0 ? [] : [tableOf(shown, now)];
  const trouble = resisting === 0 ? [] : [`${resisting} could not be deleted; the messages say why.`];
  return {
    json: shown.map(({ entry, reason }) => ({
      id: entry.id,
      stream: entry.stream,
      startedAt: new Date(entry.startedAt).toISOString(),
      bytes: entry.bytes ?? null,
      reason,
      deleted: dryRun !== true,
    })),
    text: [...table, summary, ...trouble].join('\n'),
    failed: resisting > 0,
  };
}

function tableOf(verdicts: readonly RetentionVerdict[], now: number): string {
  const rows = verdicts.map(({ entry, reason }) => [
    entry.id,
    entry.stream,
    formatDuration(now - entry.startedAt),
    entry.bytes === undefined ? '' : formatSize(entry.bytes),
    reason,
  ]);
  return formatTable(['ID', 'STREAM', 'AGE', 'SIZE', 'REASON'], rows);
}
