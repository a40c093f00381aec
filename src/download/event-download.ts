// Sends a whole event, all of its segments as one FLV file, over HTTP. It is put together while it is sent, so its
// length is not known before the end: chunked (RFC 9112 7.1), without Content-Length, Range or an entity tag. An
// answer that cannot be finished is cut, never ended as if it were whole.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { EventReader, type SegmentSource } from '../archive/event-reader.ts';
import { drained, fileName, type RecordingDownloadParts } from './recording-download.ts';

/** Answers a GET or HEAD. `segments`: at least one, in their order. Rejects only before anything was answered. */
export async function sendEvent(
  request: IncomingMessage,
  response: ServerResponse,
  { archive, segments }: { readonly archive: SegmentSource; readonly segments: readonly RecordingEntry[] },
  { clock, log }: RecordingDownloadParts,
): Promise<void> {
  const [first] = segments;
  if (first === undefined) throw new RangeError('an event has a segment');
  const pieces = new EventReader(archive, segments).pieces();
  const head = await pieces.next(); // what cannot be read at all is answered as an error
  response.writeHead(200, {
    'Content-Type': 'video/x-flv',
    'Content-Disposition': `attachment; filename="${fileName(first).replace(/\.flv$/, '_event.flv')}"`,
    'Accept-Ranges': 'none',
    'Cache-Control': 'private, no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  if (request.method === 'HEAD') {
    await pieces.return();
    response.end();
    return;
  }
  let sent = 0;
  let complete = false;
  try {
    let piece = head;
    while (piece.done !== true && !response.destroyed) {
      sent += piece.value.length;
      if (!response.write(piece.value) && !(await drained(response, clock))) break;
      piece = await pieces.next();
    }
    complete = piece.done === true && !response.destroyed;
  } catch (error) {
    log.error('download.failed', {
      recording: first.event,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'check the volume of the recordings; `penstock recording verify` tells which files are damaged',
    });
  } finally {
    await pieces.return();
  }
  if (complete) response.end();
  else response.destroy();
  log.info('download.finished', { recording: first.event, stream: first.stream, bytes: sent, complete });
}
