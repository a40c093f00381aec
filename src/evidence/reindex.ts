// Rebuilds rows of the catalogue from the files, and from their manifests where these are signed with our key. Only
// adds and corrects, and may be run again and again. Leaves alone what is in the making, and files named by others.
import type { Archive } from '../archive/archive.ts';
import type { NewRecording, RecordingEntry } from '../archive/catalogue-store.ts';
import { listFiles } from '../archive/recording-file.ts';
import { parseRecordingFileName } from '../archive/recording-name.ts';
import { measureRecording } from '../archive/recording-repair.ts';
import { parseStreamName, type RecordingId, type StreamName } from '../ops/names.ts';
import { isSignedBy, type PublicKey } from './evidence-key.ts';
import { parseManifest, type Manifest } from './manifest.ts';
import { readManifest } from './manifest-file.ts';

export interface ReindexOutcome {
  readonly id: RecordingId;
  readonly stream: StreamName;
  readonly path: string;
  readonly action: 'added' | 'corrected' | 'unchanged' | 'file-missing' | 'failed';
  readonly detail?: string;
}

type Parts = Pick<Archive, 'folder' | 'vault' | 'catalogue' | 'hasFile'>;

/** For who holds the server's lock. Throws ResourceError STORE_FAILED; a file that cannot be read is an outcome. */
export async function reindexRecordings(
  archive: Parts,
  publicKey: PublicKey | undefined,
): Promise<readonly ReindexOutcome[]> {
  const outcomes: ReindexOutcome[] = [];
  const seen = new Set<RecordingId>();
  for (const path of await listFiles(archive.folder, '.flv')) {
    const slash = path.lastIndexOf('/');
    const stream = parseStreamName(path.slice(0, slash));
    const name = parseRecordingFileName(path.slice(slash + 1));
    if (stream === undefined || name === undefined) continue;
    const { id, startedAt } = name;
    const file = { id, stream, startedAt, path };
    try {
      const entry = await archive.catalogue.find(id);
      if (entry?.state === 'recording') continue;
      if (seen.has(id)) throw new Error('another file has the same id');
      seen.add(id);
      const manifest = await trustedManifest(archive, file, publicKey);
      const action = await (entry === undefined
        ? addRow(archive, file, manifest)
        : correctRow(archive, file, entry, manifest));
      outcomes.push({ id, stream, path, action });
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      outcomes.push({ id, stream, path, action: 'failed', detail });
    }
  }
  for (const entry of await archive.catalogue.list()) {
    const { id, stream, path, state } = entry;
    if (state === 'recording' || seen.has(id) || (await archive.hasFile(entry))) continue;
    outcomes.push({ id, stream, path, action: 'file-missing' });
  }
  return outcomes;
}

type Found = Pick<RecordingEntry, 'id' | 'stream' | 'startedAt' | 'path'>;

async function addRow(
  { vault, catalogue }: Parts,
  file: Found,
  manifest: Manifest | undefined,
): Promise<'added'> {
  if (manifest !== undefined) {
    await catalogue.add({ ...file, ...factsOf(manifest) });
    return 'added';
  }
  const { durationMs, bytes, gaps } = await measureRecording(vault, file.path);
  const endedAt = file.startedAt + durationMs;
  await catalogue.add({ ...file, state: 'recovered', endedAt, durationMs, bytes, gaps });
  return 'added';
}

async function correctRow(
  { catalogue }: Parts,
  { path, stream }: Found,
  entry: RecordingEntry,
  manifest: Manifest | undefined,
): Promise<'corrected' | 'unchanged'> {
  const facts = manifest === undefined ? {} : factsOf(manifest);
  // What the row says already stays; only where the file lies is the file's own word.
  const unknown = Object.entries(facts).filter(([name, value]) => {
    const known = entry[name as keyof RecordingEntry];
    const isEmpty = known === undefined || (Array.isArray(known) && known.length === 0);
    return isEmpty && value !== undefined && !(Array.isArray(value) && value.length === 0);
  });
  const corrections: Partial<RecordingEntry> = {
    ...Object.fromEntries(unknown),
    ...(entry.path === path ? {} : { path }),
    ...(entry.stream === stream ? {} : { stream }),
  };
  if (Object.keys(corrections).length === 0) return 'unchanged';
  await catalogue.update(entry.id, corrections);
  return 'corrected';
}

/** Undefined when there is none, or none that our key signed for this recording. */
async function trustedManifest(
  { folder }: Parts,
  { id, path }: Found,
  publicKey: PublicKey | undefined,
): Promise<Manifest | undefined> {
  const found = await readManifest(folder, path);
  if (found === undefined || publicKey === undefined) return undefined;
  if (!isSignedBy(publicKey, found.manifest, found.signature)) return undefined;
  const manifest = parseManifest(found.manifest);
  return manifest?.id === id ? manifest : undefined;
}

function factsOf(manifest: Manifest): Omit<NewRecording, 'id' | 'stream' | 'path'> {
  const { keyId, state, origin, startedAt, endedAt, durationMs, bytes, gaps, sha256, media } = manifest;
  return {
    keyId: keyId ?? undefined,
    state,
    startedAt: Date.parse(startedAt),
    endedAt: Date.parse(endedAt),
    durationMs,
    bytes,
    gaps,
    sha256,
    origin: origin === null ? undefined : { ...origin, tls: origin.tls ?? undefined },
    codecs: [media.videoCodec, media.audioCodec].filter((codec) => codec !== null),
  };
}
