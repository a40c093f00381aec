// Sends one recording over HTTP: whole or a range, finished or still growing, at the pace of the peer. Raw
// request and response, because a framework's body stream costs more than it gives here. Leaves out who may
// download (the console asks the gate first), following the live end, and conversion.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ReadableRecording } from '../archive/archive.ts';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { ifRangeHolds, parseByteRange, type ByteRange, type Validators } from './byte-range.ts';
import { downloadLimits } from './download-limits.ts';
import { evaluatePreconditions } from './precondition.ts';
import { sendProblem } from './problem.ts';

export interface RecordingDownloadParts {
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Answers a GET or HEAD and closes the recording. Resolves when the last byte was handed over or the peer has
 * gone; rejects only before anything was answered.
 */
export async function sendRecording(
  request: IncomingMessage,
  response: ServerResponse,
  recording: ReadableRecording,
  parts: RecordingDownloadParts,
): Promise<void> {
  try {
    const { mtimeMs } = await recording.handle.stat();
    const range = answer(request, response, recording, mtimeMs, parts.clock.now());
    if (range === undefined) return;
    const sent = await pump(response, recording, range, parts);
    const asked = range.end - range.start + 1;
    if (sent === asked) response.end();
    parts.log.info('download.finished', {
      recording: recording.entry.id,
      stream: recording.entry.stream,
      bytes: sent,
      complete: sent === asked,
    });
  } finally {
    await recording.close();
  }
}

/** Writes the head; returns what is left to send, or undefined when the answer is complete. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { entry, size }: ReadableRecording,
  modifiedAt: number,
  now: number,
): ByteRange | undefined {
  const growing = entry.state === 'recording';
  const validators: Validators = {
    // Strong: a finished file is never written to again, and a restored copy has another date.
    etag: growing ? undefined : `"${entry.id}-${size.toString(36)}-${Math.floor(modifiedAt).toString(36)}"`,
    // RFC 9110 8.8.2.1: never later than the answer itself.
    lastModified: Math.floor(Math.min(modifiedAt, now) / 1000) * 1000,
  };
  const headers: Record<string, string | number> = {
    'Accept-Ranges': 'bytes',
    'Last-Modified': new Date(validators.lastModified).toUTCString(),
    ...(validators.etag === undefined ? {} : { ETag: validators.etag }),
    'Cache-Control': 'private, no-store',
    'X-Content-Type-Options': 'nosniff',
  };

  const outcome = evaluatePreconditions(request.headers, validators);
  if (outcome === 'not-modified') {
    response.writeHead(304, headers).end();
    return undefined;
  }
  if (outcome === 'failed') {
    sendProblem(response, { status: 412, detail: 'The recording is not the one that was asked for.' });
    return undefined;
  }

  // RFC 9110 14.2: Range is defined for GET alone, so HEAD answers for the whole.
  const asked = request.method === 'GET' ? request.headers.range : undefined;
  const holds = ifRangeHolds(headerText(request.headers['if-range']), validators, now);
  const range = holds ? parseByteRange(asked, size) : 'ignore';
  // RFC 9110 14.4: the complete length of a growing recording is not known.
  const total = growing ? '*' : String(size);
  if (range === 'unsatisfiable') {
    sendProblem(response, {
      status: 416,
      detail: `The recording has ${size} bytes${growing ? ' so far' : ''}.`,
      headers: { 'Content-Range': `bytes */${size}`, 'Accept-Ranges': 'bytes' },
    });
    return undefined;
  }
  headers['Content-Type'] = 'video/x-flv';
  headers['Content-Disposition'] = `attachment; filename="${fileName(entry)}"`;
  if (range === 'ignore') {
    response.writeHead(200, { ...headers, 'Content-Length': size });
  } else {
    response.writeHead(206, {
      ...headers,
      'Content-Range': `bytes ${range.start}-${range.end}/${total}`,
      'Content-Length': range.end - range.start + 1,
    });
  }
  if (request.method === 'HEAD') {
    response.end();
    return undefined;
  }
  return range === 'ignore' ? { start: 0, end: size - 1 } : range;
}

/** Copies the range; returns how many bytes were handed over. Fewer than asked: the connection is cut. */
async function pump(
  response: ServerResponse,
  recording: ReadableRecording,
  { start, end }: ByteRange,
  { clock, log }: RecordingDownloadParts,
): Promise<number> {
  let position = start;
  try {
    while (position <= end && !response.destroyed) {
      const chunk = Buffer.allocUnsafe(Math.min(downloadLimits.chunkSize, end - position + 1));
      const { bytesRead: count } = await recording.handle.read(chunk, 0, chunk.length, position);
      if (count === 0) throw new Error('the file is shorter than it was when it was opened');
      if (response.destroyed) break;
      position += count;
      if (!response.write(chunk.subarray(0, count)) && !(await drained(response, clock))) break;
    }
  } catch (error) {
    log.error('download.failed', {
      recording: recording.entry.id,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'check the volume of the recordings; `penstock recording verify` tells which files are damaged',
    });
  }
  // Never a short answer that looks complete: the peer sees that Content-Length was not reached.
  if (position <= end) response.destroy();
  return position - start;
}

/** False when the peer went away, or took nothing for too long. */
export function drained(response: ServerResponse, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (goesOn: boolean) => (): void => {
      cancel();
      response.off('drain', onDrain).off('close', onClose);
      resolve(goesOn);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    const cancel = clock.after(downloadLimits.stallTimeout, onClose);
    response.once('drain', onDrain).once('close', onClose);
    if (response.destroyed) onClose();
  });
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Made here from checked parts, plain ASCII: `live_camera-1_2026-11-22T13-05-09Z.flv`. */
export function fileName({ stream, startedAt }: RecordingEntry): string {
  const start = `${new Date(startedAt).toISOString().slice(0, 19)}Z`;
  return (
    `${stream}_${start}`.replaceAll(/[^A-Za-z0-9._-]/g, (character) => (character === ':' ? '-' : '_')) +
    '.flv'
  );
}
