// The verbs of `penstock recording` that look at what is on the disk: verify and reindex. What verify finds wrong
// makes it fail.
import { createReadStream, existsSync } from 'node:fs';
import type { Archive } from '../archive/archive.ts';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { mustFind } from '../archive/recording-cli.ts';
import { SetupError } from '../errors.ts';
import { formatTable, type Report } from '../ops/report.ts';
import { findPublicKey, readPublicKey } from './evidence-key.ts';
import { readManifestOf } from './manifest-file.ts';
import { reindexRecordings } from './reindex.ts';
import { verifyContent, verifyRecording, type Verification } from './verification.ts';

export interface VerifyOptions {
  readonly id?: string | undefined;
  readonly dataFolder: string;
  /** Set when a server runs, which signs what has just been finished: how to wait a little (ms). */
  readonly wait?: ((milliseconds: number) => Promise<void>) | undefined;
}

/** Milliseconds that a running server is given to sign what is finished, and between two looks. */
const patience = 10_000;
const glance = 100;

/** Checks one recording, or all that are finished. Throws SetupError NOT_FOUND or ARGUMENT_INVALID, ResourceError. */
export async function verifyRecordings(
  archive: Archive,
  { id, dataFolder, wait }: VerifyOptions,
): Promise<Report> {
  const wanted = id === undefined ? await archive.catalogue.list() : [await mustFind(archive, id)];
  const finished = wanted.filter(({ state }) => state !== 'recording');
  if (id !== undefined && finished.length === 0) {
    throw new SetupError('ARGUMENT_INVALID', `${id} is still being recorded`, {
      hint: 'A recording is signed when it is finished.',
    });
  }
  const publicKey = findPublicKey(dataFolder);
  const results: { id: string; stream: string; verification: Verification }[] = [];
  let patient = wait === undefined ? 0 : patience;
  for (const entry of finished) {
    for (; patient > 0 && !(await isSigned(archive, entry)); patient -= glance) await wait?.(glance);
    const verification = await verifyRecording(archive, entry, publicKey);
    results.push({ id: entry.id, stream: entry.stream, verification });
  }
  const bad = results.filter(({ verification }) => verification.status !== 'ok').length;
  const rows = results.map(({ id: one, stream, verification }) => [
    one,
    stream,
    verification.status,
    verification.detail ?? '',
  ]);
  const summary =
    bad === 0 ? `All ${rows.length} are as they were recorded.` : `${bad} of ${rows.length} are not well.`;
  return {
    json: results.map(({ id: one, stream, verification }) => ({ id: one, stream, ...shown(verification) })),
    text:
      rows.length === 0
        ? 'No finished recordings.'
        : `${formatTable(['ID', 'STREAM', 'STATUS', 'DETAIL'], rows)}\n${summary}`,
    failed: bad > 0,
  };
}

/** Or is gone, and so is signed by nobody any more. */
async function isSigned({ catalogue }: Archive, { id, sha256 }: RecordingEntry): Promise<boolean> {
  if (sha256 !== undefined) return true;
  const entry = await catalogue.find(id);
  return entry === undefined || entry.sha256 !== undefined;
}

/**
 * Checks a file and the manifest beside it, without database or data folder. Whether segments before it are missing
 * cannot be told from one file. Throws SetupError ARGUMENT_INVALID.
 */
export async function verifyFile(file: string, publicKeyFile: string): Promise<Report> {
  const publicKey = readPublicKey(publicKeyFile);
  const signed = await readManifestOf(file);
  const content = () => (existsSync(file) ? piecesOf(file) : undefined);
  const verification = await verifyContent(content, signed, publicKey);
  const { manifest, status, detail } = verification;
  const what = manifest && ` Recording ${manifest.id} of ${manifest.stream}, begun ${manifest.startedAt}.`;
  const previous = manifest?.previous ?? undefined;
  const before = previous && ` It continues ${previous.id}.`;
  return {
    json: { file, id: manifest?.id ?? null, stream: manifest?.stream ?? null, ...shown(verification) },
    text: `${file}: ${status}. ${detail ?? 'It is as it was recorded.'}${what ?? ''}${before ?? ''}`,
    failed: status !== 'ok',
  };
}

/** For who holds the server's lock. Throws ResourceError STORE_FAILED. */
export async function reindex(archive: Archive, dataFolder: string): Promise<Report> {
  const outcomes = await reindexRecordings(archive, findPublicKey(dataFolder));
  const changed = outcomes.filter(({ action }) => action !== 'unchanged');
  const count = (wanted: string) => outcomes.filter(({ action }) => action === wanted).length;
  const rows = changed.map(({ id, stream, action, detail }) => [id, stream, action, detail ?? '']);
  const summary =
    `${count('added')} added, ${count('corrected')} corrected, ${count('unchanged')} unchanged, ` +
    `${count('file-missing')} without a file, ${count('failed')} unreadable.`;
  const remark =
    count('added') === 0 ? [] : ['Locks are not in the files: lock again what retention must not delete.'];
  return {
    json: outcomes.map(({ detail, ...outcome }) => ({ ...outcome, detail: detail ?? null })),
    text: [
      ...(rows.length === 0 ? [] : [formatTable(['ID', 'STREAM', 'ACTION', 'DETAIL'], rows)]),
      summary,
      ...remark,
    ].join('\n'),
    failed: count('failed') > 0,
  };
}

async function* piecesOf(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of createReadStream(file, { highWaterMark: 256 * 1024 })) yield piece as Buffer;
}

function shown({ status, detail, alteredFrom, alteredTo, alteredAtMs, manifest }: Verification) {
  return {
    status,
    detail: detail ?? null,
    alteredFrom: alteredFrom ?? null,
    alteredTo: alteredTo ?? null,
    alteredAtMs: alteredAtMs ?? null,
    sha256: manifest?.sha256 ?? null,
  };
}
