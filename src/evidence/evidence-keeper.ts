// Gives every finished recording its SHA-256 and its signed manifest, in the background: one at a time, oldest first,
// in pieces, and slowly while anything is being recorded. What a killed server did not come to is done at the next
// start. Leaves out checking (verification.ts).
import type { Archive } from '../archive/archive.ts';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { failureFields, systemCodeOf } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Component } from '../ops/component.ts';
import type { Log } from '../ops/log.ts';
import type { RecordingId } from '../ops/names.ts';
import { isSignedBy, type EvidenceKey } from './evidence-key.ts';
import { FileDigest, prefixLength } from './file-digest.ts';
import {
  makeManifest,
  manifestBytes,
  parseManifest,
  type Manifest,
  type PreviousSegment,
} from './manifest.ts';
import { readManifest, removeManifest, writeManifest } from './manifest-file.ts';
import { type MediaFacts, mediaFactsOf } from './media-facts.ts';

/** While something is recorded: rest so many times as long as the last piece took, at least 1 ms. */
const restFactor = 3;
/** Bytes of one piece: a millisecond of the event loop at most, and no more allocations than one for each file. */
const pieceLength = prefixLength;

export interface EvidenceKeeperParts {
  readonly archive: Pick<Archive, 'folder' | 'catalogue' | 'openForRead' | 'openCount' | 'onFinished'>;
  readonly key: EvidenceKey;
  readonly clock: Clock;
  readonly log: Log;
}

export class EvidenceKeeper implements Component {
  readonly #parts: EvidenceKeeperParts;
  readonly #failed = new Set<RecordingId>();
  readonly #stopping = new AbortController();
  #stopListening: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(parts: EvidenceKeeperParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#stopListening = this.#parts.archive.onFinished(() => this.#run());
    this.#run();
  }

  /** What is under way is begun again at the next start. */
  async stop(): Promise<void> {
    this.#stopListening?.();
    this.#stopping.abort();
    await this.#running;
  }

  /** Resolves when there is nothing more to do at the moment. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #run(): void {
    this.#again = true;
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
  }

  async #work(): Promise<void> {
    const { archive, log } = this.#parts;
    const { signal } = this.#stopping;
    try {
      while (this.#again && !signal.aborted) {
        this.#again = false;
        for (const entry of await archive.catalogue.list({ unproven: true })) {
          if (signal.aborted) return;
          if (!this.#failed.has(entry.id)) await this.#prove(entry);
        }
      }
    } catch (error) {
      log.error('evidence.failed', evidenceFailure(error));
    }
  }

  async #prove(entry: RecordingEntry): Promise<void> {
    const { archive, log } = this.#parts;
    const { id, stream } = entry;
    try {
      const before = await archive.catalogue.findBefore(id);
      // Still being recorded, or about to have its turn: when that one is finished this is looked at again.
      if (
        before !== undefined &&
        'state' in before &&
        before.sha256 === undefined &&
        !this.#failed.has(before.id)
      ) {
        return;
      }
      const manifest = (await this.#findSigned(entry)) ?? (await this.#sign(entry, before));
      const codecs = [manifest.media.videoCodec, manifest.media.audioCodec].filter((codec) => codec !== null);
      await archive.catalogue.update(id, { sha256: manifest.sha256, codecs });
      if ((await archive.catalogue.find(id)) === undefined) await removeManifest(archive.folder, entry.path);
      else log.info('recording.signed', { recording: id, stream, sha256: manifest.sha256 });
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failed.add(id); // until the next start
      log.error('evidence.failed', { recording: id, stream, ...evidenceFailure(error) });
    }
  }

  /** What was signed before the catalogue heard of it. It holds even if the file is another by now: that is the point. */
  async #findSigned({ id, path }: RecordingEntry): Promise<Manifest | undefined> {
    const { archive, key } = this.#parts;
    const found = await readManifest(archive.folder, path);
    if (found === undefined || !isSignedBy(key.publicKey, found.manifest, found.signature)) return undefined;
    const manifest = parseManifest(found.manifest);
    return manifest?.id === id ? manifest : undefined;
  }

  async #sign(
    entry: RecordingEntry,
    before: { id: RecordingId; sha256: string | undefined } | undefined,
  ): Promise<Manifest> {
    const { archive, key } = this.#parts;
    const digest = new FileDigest();
    let media: MediaFacts | undefined;
    await this.#readCalmly(entry, (piece) => {
      digest.push(piece);
      media ??= mediaFactsOf(piece);
    });
    const previous: PreviousSegment | undefined = before && { id: before.id, sha256: before.sha256 ?? null };
    const manifest = makeManifest({
      entry,
      digests: digest.finish(),
      media: media ?? mediaFactsOf(new Uint8Array()),
      previous,
      publicKeyId: key.publicKey.id,
    });
    const bytes = manifestBytes(manifest);
    await writeManifest(archive.folder, entry.path, { manifest: bytes, signature: key.sign(bytes) });
    return manifest;
  }

  /** The pieces are borrowed: all of them are the same memory. */
  async #readCalmly({ id }: RecordingEntry, take: (borrowed: Uint8Array) => void): Promise<void> {
    const { archive, clock } = this.#parts;
    const readable = await archive.openForRead(id);
    if (readable === undefined) return;
    const { handle, size } = readable;
    try {
      const piece = new Uint8Array(Math.min(pieceLength, size));
      for (let position = 0; position < size;) {
        const begun = clock.monotonic();
        const length = Math.min(pieceLength - (position % pieceLength), size - position);
        const { bytesRead } = await handle.read(piece, 0, length, position);
        if (bytesRead === 0) return;
        this.#stopping.signal.throwIfAborted();
        take(piece.subarray(0, bytesRead));
        position += bytesRead;
        if (archive.openCount > 0) await this.#rest(Math.max(1, restFactor * (clock.monotonic() - begun)));
      }
    } finally {
      await readable.close();
    }
  }

  #rest(milliseconds: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(milliseconds, () => {
        signal.removeEventListener('abort', wake);
        resolve();
      });
      const wake = () => {
        cancel();
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** A file that cannot be read is no bug, though nobody has sorted the error. */
function evidenceFailure(error: unknown) {
  const fields = failureFields(error);
  if (fields.bug === undefined) return fields;
  return {
    ...fields,
    hint: 'Check that the recordings folder is healthy and writable; it is tried at the next start.',
    bug: systemCodeOf(error) === undefined ? true : undefined,
  };
}
