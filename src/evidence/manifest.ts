// What is signed of a recording: JSON that people can read, in a file beside it, and a detached signature over
// exactly its bytes. A segment names the one before it and that one's SHA-256, so none can be taken out of the middle
// unnoticed. Leaves out files and keys. pure.
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import type { RecordingGap } from '../archive/open-recording.ts';
import { eventOf, parseRecordingId, segmentOf } from '../archive/recording-name.ts';
import { type KeyId, type RecordingId, parseStreamName, type StreamName } from '../ops/names.ts';
import type { Origin } from '../ops/origin.ts';
import { prefixLength, type Digests } from './file-digest.ts';
import type { MediaFacts } from './media-facts.ts';

const format = 'penstock-recording-manifest';
const version = 1;
/** Bytes of the largest manifest that is read: that of a recording of 500 GB. */
export const longestManifest = 64 * 1024 * 1024;

export interface Manifest extends Digests {
  readonly format: typeof format;
  readonly version: typeof version;
  readonly id: RecordingId;
  readonly event: RecordingId;
  readonly segment: number;
  /** The segment before it; its sha256 is null when that file was lost. */
  readonly previous: PreviousSegment | null;
  readonly stream: StreamName;
  readonly keyId: KeyId | null;
  readonly state: 'complete' | 'recovered';
  /** Source address, door, TLS and encoder. */
  readonly origin: ManifestOrigin | null;
  readonly media: MediaFacts;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly durationMs: number;
  readonly gaps: readonly RecordingGap[];
  readonly prefixLength: typeof prefixLength;
  /** The public key that the signature is checked with. */
  readonly publicKeyId: string;
}

export interface PreviousSegment {
  readonly id: RecordingId;
  readonly sha256: string | null;
}

type ManifestOrigin = Omit<Origin, 'tls'> & { readonly tls: NonNullable<Origin['tls']> | null };

export interface ManifestParts {
  readonly entry: RecordingEntry;
  readonly digests: Digests;
  readonly media: MediaFacts;
  readonly previous: PreviousSegment | undefined;
  readonly publicKeyId: string;
}

export function makeManifest({ entry, digests, media, previous, publicKeyId }: ManifestParts): Manifest {
  const { id, event, segment, stream, keyId, state, origin, startedAt, endedAt, durationMs, gaps } = entry;
  return {
    format,
    version,
    id,
    event,
    segment,
    previous: previous ?? null,
    stream,
    keyId: keyId ?? null,
    state: state === 'complete' ? state : 'recovered',
    origin: origin === undefined ? null : { ...origin, tls: origin.tls ?? null },
    media,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt ?? startedAt).toISOString(),
    durationMs: durationMs ?? 0,
    gaps,
    bytes: digests.bytes,
    sha256: digests.sha256,
    publicKeyId,
    prefixLength,
    prefixSha256: digests.prefixSha256,
  };
}

/** The bytes that are written and signed. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

/** Undefined when the bytes are no manifest of this version. Check the signature first: then it is what we wrote. */
export function parseManifest(bytes: Uint8Array): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  return isManifest(value) ? value : undefined;
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const given = value as Readonly<Record<string, unknown>>;
  const id = typeof given['id'] === 'string' ? parseRecordingId(given['id']) : undefined;
  const { previous } = given;
  return (
    given['format'] === format &&
    given['version'] === version &&
    id !== undefined &&
    given['event'] === eventOf(id) &&
    given['segment'] === segmentOf(id) &&
    typeof given['stream'] === 'string' &&
    parseStreamName(given['stream']) !== undefined &&
    (given['state'] === 'complete' || given['state'] === 'recovered') &&
    isInstant(given['startedAt']) &&
    isInstant(given['endedAt']) &&
    isCount(given['durationMs']) &&
    isCount(given['bytes']) &&
    isDigest(given['sha256']) &&
    given['prefixLength'] === prefixLength &&
    Array.isArray(given['prefixSha256']) &&
    given['prefixSha256'].every(isDigest) &&
    Array.isArray(given['gaps']) &&
    (previous === null || (typeof previous === 'object' && 'id' in previous && 'sha256' in previous))
  );
}

function isDigest(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0;
}

function isInstant(value: unknown): boolean {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}
