// Reads recordings that nobody finished: how much of a file is whole, and what its head has to say. A scan goes
// through the file in pieces, so the longest recording needs no more memory than its largest tag.
import { clientMetadataOf, headLength, type ClientMetadata } from '../flv/file-head.ts';
import { FileSummary } from '../flv/file-summary.ts';
import { parsePreviousTagSize, parseTagHeader, TagReader } from '../flv/tag-reader.ts';
import { gapMarkOf } from '../flv/script-data.ts';
import { previousTagSizeLength, tagHeaderLength } from '../flv/tag-writer.ts';
import { TagType } from '../flv/tag.ts';
import { gapReasons, mostGaps, type RecordingGap } from './open-recording.ts';
import type { StoredFile } from './recording-vault.ts';

const pieceSize = 256 * 1024;

export interface RecordingScan {
  readonly summary: FileSummary;
  /** Position behind the last whole tag; what follows is torn or zeros. */
  readonly wholeBytes: number;
  /** From the head; undefined when the client sent none or the head is damaged. */
  readonly client: ClientMetadata | undefined;
  /** Where the recorder marked that something is missing. */
  readonly gaps: readonly RecordingGap[];
}

/** Reads all tags. The head may be damaged (its place is known), the tags end at the first that is not whole. */
export async function scanRecording(handle: StoredFile, signal?: AbortSignal): Promise<RecordingScan> {
  const head = new Uint8Array(headLength);
  const { bytesRead } = await handle.read(head, 0, headLength, 0);
  const client = clientMetadataOf(head.subarray(0, bytesRead));

  const summary = new FileSummary();
  const gaps: RecordingGap[] = [];
  const reader = new TagReader(
    ({ type, role, timestamp, body }, position) => {
      summary.add(type, role, timestamp, position, body);
      // Marks are stamped 0, which data of the encoder behind the first frame never are.
      const gap = type === TagType.ScriptData && timestamp === 0 ? gapIn(body) : undefined;
      if (gap !== undefined && gaps.length < mostGaps) gaps.push(gap);
    },
    { position: headLength },
  );
  for await (const piece of readPieces(handle, headLength, Infinity)) {
    signal?.throwIfAborted();
    reader.push(piece);
    if (reader.status !== 'reading') break;
  }
  // A mark behind which nothing more was written marks nothing.
  const kept = gaps.filter(({ at }) => at >= 0 && at <= summary.lastTimestamp);
  return { summary, wholeBytes: reader.wholeBytes, client, gaps: kept };
}

/** Bytes `start` to `end` (not included), or to the end of the file; each piece is a buffer of its own. */
export async function* readPieces(
  handle: StoredFile,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = start;
  while (position < end) {
    const length = Math.min(pieceSize, end - position);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

/**
 * How far a file that another process is writing right now holds whole tags, and the timestamp (ms) of the last
 * one. Looks at the end first and reads everything only when it finds a write half done.
 */
export async function measureLive(
  handle: StoredFile,
): Promise<{ readonly bytes: number; readonly durationMs: number }> {
  const { size } = await handle.stat();
  if (size <= headLength) return { bytes: 0, durationMs: 0 };
  const timestamp = await lastTimestamp(handle, size);
  if (timestamp !== undefined) return { bytes: size, durationMs: timestamp };
  const { summary, wholeBytes } = await scanRecording(handle);
  return { bytes: wholeBytes, durationMs: summary.lastTimestamp };
}

/** Timestamp of the tag that ends at `end`; undefined when none does. FLV E.3: PreviousTagSize leads back to it. */
async function lastTimestamp(handle: StoredFile, end: number): Promise<number | undefined> {
  const trailer = new Uint8Array(previousTagSizeLength);
  await handle.read(trailer, 0, trailer.length, end - trailer.length);
  const size = parsePreviousTagSize(trailer);
  const start = end - previousTagSizeLength - size;
  if (start < headLength) return undefined;
  const bytes = new Uint8Array(tagHeaderLength);
  await handle.read(bytes, 0, bytes.length, start);
  const header = parseTagHeader(bytes);
  return header?.bodyLength === size - tagHeaderLength ? header.timestamp : undefined;
}

function gapIn(body: Uint8Array): RecordingGap | undefined {
  const mark = gapMarkOf(body);
  const reason = gapReasons.find((known) => known === mark?.reason);
  if (mark === undefined || reason === undefined) return undefined;
  const { at, missing, dropped } = mark;
  return { at, missing, reason, ...(dropped !== undefined && { dropped }) };
}
