// Checks a recording against its signed manifest: the signature, every byte, and that no segment before it has
// vanished. Says where a change begins, in bytes and in time. Leaves out where files and keys are looked for.
import type { Archive } from '../archive/archive.ts';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { TagReader } from '../flv/tag-reader.ts';
import { ResourceError } from '../errors.ts';
import { isSignedBy, type PublicKey } from './evidence-key.ts';
import { differenceBetween, FileDigest } from './file-digest.ts';
import { parseManifest, type Manifest } from './manifest.ts';
import { readManifest, type SignedBytes } from './manifest-file.ts';

export type VerificationStatus =
  | 'ok'
  | 'altered'
  | 'missing'
  | 'unreadable'
  | 'unsigned'
  | 'signature-bad'
  | 'segment-missing';

export interface Verification {
  readonly status: VerificationStatus;
  /** One sentence for people; undefined when all is well. */
  readonly detail?: string;
  /** Bytes between which a change begins, the latter not included. */
  readonly alteredFrom?: number;
  readonly alteredTo?: number;
  /** Milliseconds into the recording: the last tag that begins before the change. */
  readonly alteredAtMs?: number;
  readonly manifest?: Manifest;
}

/** A file's bytes, from the beginning, as often as they are asked for. Undefined when there is no such file. */
export type Content = () => AsyncIterable<Uint8Array> | undefined;

/** Checks one file; `expectedId` undefined: whichever recording the manifest says. */
export async function verifyContent(
  content: Content,
  signed: SignedBytes | undefined,
  publicKey: PublicKey | undefined,
  expectedId?: string,
): Promise<Verification> {
  const pieces = content();
  if (pieces === undefined) return { status: 'missing', detail: 'There is no file.' };
  if (signed === undefined) return { status: 'unsigned', detail: 'There is no manifest beside the file.' };
  const manifest = parseManifest(signed.manifest);
  if (publicKey === undefined || !isSignedBy(publicKey, signed.manifest, signed.signature)) {
    const other = publicKey !== undefined && manifest !== undefined && manifest.publicKeyId !== publicKey.id;
    const detail = other
      ? `The manifest says it was signed with key ${manifest.publicKeyId}, which is not the one to check with.`
      : 'The manifest is not what was signed, or was signed with another key.';
    return { status: 'signature-bad', detail };
  }
  if (manifest === undefined || (expectedId !== undefined && manifest.id !== expectedId)) {
    return { status: 'signature-bad', detail: 'The manifest is signed, but is not that of this recording.' };
  }
  const digest = new FileDigest();
  try {
    for await (const piece of pieces) digest.push(piece);
  } catch (error) {
    return cannotBeRead(error, digest.bytes, await timeAt(content, digest.bytes), manifest);
  }
  const found = digest.finish();
  const difference = differenceBetween(manifest, found);
  if (difference === undefined) return { status: 'ok', manifest };
  const alteredAtMs = await timeAt(content, difference.from);
  const size =
    found.bytes === manifest.bytes ? '' : ` It has ${found.bytes} bytes instead of ${manifest.bytes}.`;
  return {
    status: 'altered',
    detail: `A change begins between byte ${difference.from} and ${difference.to}, about ${(alteredAtMs / 1000).toFixed(1)} s into the recording.${size}`,
    alteredFrom: difference.from,
    alteredTo: difference.to,
    alteredAtMs,
    manifest,
  };
}

/** Checks a recording of the archive, and that the segment before it is the one it was recorded after. */
export async function verifyRecording(
  archive: Pick<Archive, 'folder' | 'catalogue' | 'read' | 'hasFile'>,
  entry: RecordingEntry,
  publicKey: PublicKey | undefined,
): Promise<Verification> {
  const there = await archive.hasFile(entry);
  const signed = await readManifest(archive.folder, entry.path);
  const content = () => (there ? archive.read(entry.id) : undefined);
  const outcome = await verifyContent(content, signed, publicKey, entry.id);
  if (outcome.status === 'unsigned' && entry.sha256 === undefined) {
    return {
      status: 'unsigned',
      detail: 'It is not signed yet; a running server does that in the background.',
    };
  }
  if (outcome.status !== 'ok') return outcome;
  const missing = await missingBefore(archive, outcome.manifest);
  return missing === undefined ? outcome : { ...outcome, status: 'segment-missing', detail: missing };
}

/** An encrypted file tells by itself where it is not as it was written; anything else is the disk's trouble. */
function cannotBeRead(error: unknown, from: number, alteredAtMs: number, manifest: Manifest): Verification {
  const reason = error instanceof Error ? error.message : String(error);
  const damaged = error instanceof ResourceError && error.code === 'RECORDING_DAMAGED';
  const detail = `It cannot be read behind byte ${from}: ${reason}`;
  return damaged
    ? { status: 'altered', detail, alteredFrom: from, alteredTo: manifest.bytes, alteredAtMs, manifest }
    : { status: 'unreadable', detail, manifest };
}

/** Undefined when the chain holds. */
async function missingBefore(
  { catalogue }: Pick<Archive, 'catalogue'>,
  manifest: Manifest | undefined,
): Promise<string | undefined> {
  const previous = manifest?.previous ?? null;
  if (previous === null) return undefined;
  const known = (await catalogue.find(previous.id)) ?? (await catalogue.findRemoved(previous.id));
  if (known === undefined)
    return `The segment before it, ${previous.id}, is gone, and not because it was deleted.`;
  if (previous.sha256 === null || known.sha256 === undefined || known.sha256 === previous.sha256)
    return undefined;
  return `The segment before it, ${previous.id}, is not the one that it was recorded after.`;
}

/** Milliseconds: the last tag that begins before a byte. */
async function timeAt(content: Content, position: number): Promise<number> {
  let time = 0;
  const reader = new TagReader((tag, at) => {
    if (at <= position && tag.timestamp > time) time = tag.timestamp;
  });
  try {
    for await (const piece of content() ?? []) {
      reader.push(piece);
      if (reader.wholeBytes > position || reader.status !== 'reading') break;
    }
  } catch {
    // What cannot be read is behind the tags that were.
  }
  return time;
}
