// Finishes a recording that nobody finished: cuts the torn or zero-filled tail, writes the head that was never
// written, takes the final name. It may be killed at any point and begin again: until the rename nothing is done
// that a second run would not do once more.
import { finalHead } from '../flv/file-head.ts';
import { openForReading, reopenRecordingFile } from './recording-file.ts';
import { scanRecording } from './recording-scan.ts';

export interface RepairedRecording {
  readonly durationMs: number;
  readonly bytes: number;
  /** Bytes of the torn or zero-filled tail that were cut off. */
  readonly cutBytes: number;
}

/** Repairs `path` + `.part` below `root`. Undefined: it held no whole tag and was removed. Throws ResourceError, and what `signal` says. */
export async function repairRecording(
  root: string,
  path: string,
  signal?: AbortSignal,
): Promise<RepairedRecording | undefined> {
  const { file, handle } = await reopenRecordingFile(root, path);
  try {
    const { summary, wholeBytes, client } = await scanRecording(handle, signal);
    if (summary.tags === 0) {
      await file.discard();
      return undefined;
    }
    const cutBytes = file.length - wholeBytes;
    if (cutBytes > 0) await file.truncate(wholeBytes);
    await file.patch(0, finalHead(client, summary, wholeBytes));
    await file.seal();
    return { durationMs: summary.durationMs, bytes: wholeBytes, cutBytes };
  } finally {
    await file.close();
  }
}

/** Measures a file that has its final name already: the process was killed before it could note the fact. */
export async function measureRecording(
  root: string,
  path: string,
  signal?: AbortSignal,
): Promise<RepairedRecording> {
  const handle = await openForReading(root, path);
  try {
    const { summary, wholeBytes } = await scanRecording(handle, signal);
    return { durationMs: summary.durationMs, bytes: wholeBytes, cutBytes: 0 };
  } finally {
    await handle.close();
  }
}
