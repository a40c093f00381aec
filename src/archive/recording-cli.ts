// The verbs of `penstock recording`. They work on the archive whether or not a server is running; a recording in
// the making is read as far as it is safely written.
import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { ApplianceError, ResourceError, SetupError } from '../errors.ts';
import { argumentInvalid } from '../ops/arguments.ts';
import { parseStreamName } from '../ops/names.ts';
import { formatDuration, formatSize, parseDuration, parseInstant } from '../ops/quantities.ts';
import { formatFields, formatTable, type Report } from '../ops/report.ts';
import type { Archive } from './archive.ts';
import type { RecordingEntry, RecordingFilter } from './catalogue-store.ts';
import { EventReader } from './event-reader.ts';
import { parseRecordingId } from './recording-name.ts';
import { salvageFile } from './recording-repair.ts';

/** Writes to standard output; resolves when it may go on. */
export type WriteOut = (bytes: Uint8Array) => Promise<void>;

/** The shape that users' scripts rely on, of the command line and of the API, which show different paths. */
export function recordingJson(entry: RecordingEntry, path: string): Record<string, unknown> {
  return {
    id: entry.id,
    stream: entry.stream,
    state: entry.state,
    startedAt: new Date(entry.startedAt).toISOString(),
    durationMs: entry.durationMs ?? null,
    bytes: entry.bytes ?? null,
    sha256: entry.sha256 ?? null,
    path,
    keyId: entry.keyId ?? null,
    event: entry.event,
    segment: entry.segment,
    gaps: entry.gaps,
    locked: entry.locked,
  };
}

/** As typed on the command line. */
export interface RecordingListArguments {
  readonly stream?: string | undefined;
  /** An ISO date, or a duration before `now`. */
  readonly since?: string | undefined;
}

/** `now` in ms since the Unix epoch. Throws SetupError ARGUMENT_INVALID. */
export async function listRecordings(
  archive: Archive,
  given: RecordingListArguments,
  now: number,
): Promise<Report> {
  const entries = await archive.list(readFilter(given, now));
  const rows = entries.map((entry) => [
    entry.id,
    entry.stream,
    entry.state,
    shownTime(entry.startedAt),
    entry.durationMs === undefined ? '' : formatDuration(entry.durationMs),
    entry.bytes === undefined ? '' : formatSize(entry.bytes),
  ]);
  return {
    json: entries.map((entry) => recordingJson(entry, archive.pathOf(entry))),
    text:
      rows.length === 0
        ? 'No recordings.'
        : formatTable(['ID', 'STREAM', 'STATE', 'STARTED', 'DURATION', 'SIZE'], rows),
  };
}

/** Throws SetupError NOT_FOUND. */
export async function showRecording(archive: Archive, id: string): Promise<Report> {
  const entry = await mustFind(archive, id);
  return {
    json: recordingJson(entry, archive.pathOf(entry)),
    text: formatFields([
      ['id', entry.id],
      ['stream', entry.stream],
      ['state', entry.state],
      ['started', shownTime(entry.startedAt)],
      ['duration', entry.durationMs === undefined ? undefined : formatDuration(entry.durationMs)],
      ['size', entry.bytes === undefined ? undefined : `${formatSize(entry.bytes)} (${entry.bytes} bytes)`],
      ['sha256', entry.sha256],
      ['segment', entry.segment === 1 ? undefined : `${entry.segment} of event ${entry.event}`],
      ['gaps', entry.gaps.length === 0 ? undefined : `${entry.gaps.length}`],
      ['locked', entry.locked ? 'yes' : undefined],
      ['codecs', entry.codecs.length === 0 ? undefined : entry.codecs.join(', ')],
      ['encoder', entry.origin?.encoder],
      ['from', entry.origin && `${entry.origin.address} by ${entry.origin.door}`],
      ['key', entry.keyId],
      ['file', archive.pathOf(entry)],
    ]),
  };
}

export interface GetRecordingOptions {
  readonly id: string;
  /** A file that does not exist yet, or `-` for standard output. Default: the recording's own name, here. */
  readonly output?: string | undefined;
  /** All segments of its event, as one file. */
  readonly event?: boolean | undefined;
  readonly writeOut: WriteOut;
}

/** Copies a recording out. Throws SetupError NOT_FOUND or ARGUMENT_INVALID (the file exists), ResourceError. */
export async function getRecording(archive: Archive, options: GetRecordingOptions): Promise<Report> {
  const entry = await mustFind(archive, options.id);
  const segments = options.event === true ? await archive.listEvent(entry.id) : [entry];
  const reader = options.event === true ? new EventReader(archive, segments) : undefined;
  const pieces = reader?.pieces() ?? archive.read(entry.id);
  const { path } = segments[0] ?? entry;
  const output =
    options.output ?? basename(reader === undefined ? path : path.replace(/\.flv$/, '_event.flv'));
  if (output === '-') {
    for await (const piece of pieces) await options.writeOut(piece);
    return { json: undefined, text: '' };
  }
  const bytes = await copyToFile(pieces, output, reader);
  const unfinished = segments.some(({ state }) => state === 'recording') ? ', still being recorded' : '';
  const whole = reader === undefined ? '' : `, ${segments.length} segments`;
  return {
    json: { id: reader === undefined ? entry.id : entry.event, output, bytes },
    text: `${output}: ${formatSize(bytes)}${whole}${unfinished}`,
  };
}

/** Throws SetupError NOT_FOUND, or ARGUMENT_INVALID while it is being recorded. */
export async function deleteRecording(archive: Archive, id: string): Promise<Report> {
  const entry = await mustFind(archive, id);
  await archive.remove(entry.id);
  return { json: { id: entry.id, deleted: true }, text: `Deleted ${entry.id} (${entry.stream}).` };
}

/**
 * Writes what is whole in an FLV file to a new one, by default FILE.repaired.flv. Throws SetupError NOT_FOUND or
 * ARGUMENT_INVALID (no FLV, or the output exists), ResourceError.
 */
export async function repairFile(
  file: string,
  output = `${file.replace(/\.flv$/i, '')}.repaired.flv`,
): Promise<Report> {
  const { bytes, durationMs, tags, holes } = await salvageFile(file, output);
  const cutBytes = holes.reduce((sum, { from, to }) => sum + to - from, 0);
  const cuts = holes.map(({ from, to }) => `  cut: bytes ${from} to ${to} (${formatSize(to - from)})`);
  const summary = `${output}: ${formatDuration(durationMs)}, ${formatSize(bytes)}, ${tags} tags`;
  return {
    json: { input: file, output, bytes, durationMs, tags, cutBytes, cuts: holes },
    text: [holes.length === 0 ? `${summary}; nothing was cut.` : summary, ...cuts].join('\n'),
  };
}

/** Repairs what a killed server left in the archive; for who holds the server's lock. Throws ResourceError. */
export async function repairArchive(archive: Archive): Promise<Report> {
  const recovered = await archive.recover();
  const rows = recovered.map(({ id, stream, outcome, repaired, reason }) => [
    id,
    stream,
    outcome,
    repaired === undefined
      ? (reason ?? '')
      : `${formatDuration(repaired.durationMs)}, ${repaired.cutBytes} bytes cut`,
  ]);
  return {
    json: recovered.map(({ id, stream, outcome, repaired, reason }) => ({
      id,
      stream,
      outcome,
      durationMs: repaired?.durationMs ?? null,
      cutBytes: repaired?.cutBytes ?? null,
      reason: reason ?? null,
    })),
    text: rows.length === 0 ? 'Nothing to repair.' : formatTable(['ID', 'STREAM', 'OUTCOME', 'DETAIL'], rows),
    failed: recovered.some(({ outcome }) => outcome === 'failed'),
  };
}

function readFilter(given: RecordingListArguments, now: number): RecordingFilter {
  const stream = given.stream === undefined ? undefined : parseStreamName(given.stream);
  if (given.stream !== undefined && stream === undefined) {
    throw argumentInvalid('--stream', given.stream, 'Give APP/NAME such as live/camera-1.');
  }
  if (given.since === undefined) return { stream };
  const age = parseDuration(given.since);
  const since = age === undefined ? parseInstant(given.since) : now - age;
  if (since === undefined) {
    throw argumentInvalid(
      '--since',
      given.since,
      'Give a date such as 2026-12-24, or a duration such as 24h.',
    );
  }
  return { stream, since };
}

/** Throws SetupError NOT_FOUND. */
export async function mustFind(archive: Archive, id: string): Promise<RecordingEntry> {
  const parsed = parseRecordingId(id);
  const entry = parsed === undefined ? undefined : await archive.find(parsed);
  if (entry !== undefined) return entry;
  throw new SetupError('NOT_FOUND', 'there is no such recording', {
    hint: 'See what there is with: penstock recording list',
  });
}

async function copyToFile(
  pieces: AsyncIterable<Uint8Array>,
  output: string,
  event: EventReader | undefined,
): Promise<number> {
  try {
    const target = await open(output, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    let bytes = 0;
    try {
      for await (const piece of pieces) {
        await target.writeFile(piece);
        bytes += piece.length;
      }
      if (event !== undefined && bytes > 0) {
        const head = event.finalHead(); // in place of the one that could not know the index
        await target.write(head, 0, head.length, 0);
      }
    } catch (error) {
      await unlink(output); // half a copy must not pass for a recording
      throw error;
    } finally {
      await target.close();
    }
    return bytes;
  } catch (error) {
    if (error instanceof ApplianceError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') {
      throw new SetupError('ARGUMENT_INVALID', `${output} exists already`, {
        hint: 'Name another file with -o, or remove this one first.',
      });
    }
    throw new ResourceError(
      code === 'ENOSPC' ? 'DISK_FULL' : 'RECORDING_WRITE_FAILED',
      `${output}: ${String(code)}`,
      {
        hint: 'Choose another file with -o, or write to standard output with -o -',
        cause: error,
      },
    );
  }
}

function shownTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
