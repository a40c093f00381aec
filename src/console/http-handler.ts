// The entrance for every HTTP request: sets what all answers share, sends downloads straight to the download
// room and the rest to the API, and writes one line about each. Never throws: what nobody foresaw is answered
// with 500 and logged as a bug. Leaves out the server itself, which belongs to the door.
import { getRequestListener, RequestError } from '@hono/node-server';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseRecordingId } from '../archive/recording-name.ts';
import { SetupError } from '../errors.ts';
import { problemDocument, problemType, sendProblem } from '../download/problem.ts';
import { sendEvent } from '../download/event-download.ts';
import { isLink, openLink } from '../download/signed-link.ts';
import { sendRecording } from '../download/recording-download.ts';
import type { Clock } from '../ops/clock.ts';
import { Access, type Guest } from './access.ts';
import { problemOf } from './failure.ts';
import { createHttpApi, type HttpApiParts } from './http-api.ts';

export interface HttpHandlerParts extends HttpApiParts {
  readonly clock: Clock;
  /** Where downloads are noted. */
  readonly audit: HttpApiParts['keys']['audit'];
  /** What signed links are signed with. */
  readonly linkSecret: Uint8Array;
}

const downloadPath = /^\/api\/v1\/recordings\/([^/]+)\/file(?:\.flv)?$/;

const sharedHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** What the door calls with each request over TLS, and who sent it. */
export function createHttpHandler(
  parts: HttpHandlerParts,
): (request: IncomingMessage, response: ServerResponse, guest: Guest) => void {
  const { archive, audit, clock, log } = parts;
  const access = new Access(parts.tokenGate, log);
  const api = createHttpApi(parts, access);
  const answerFromApi = getRequestListener(api.fetch, {
    overrideGlobalObjects: false,
    errorHandler: (error) => {
      const problem = error instanceof RequestError ? { status: 400 } : problemOf(error, log);
      return new Response(problemDocument(problem), {
        status: problem.status,
        headers: { 'Content-Type': problemType },
      });
    },
  });

  async function download(request: IncomingMessage, response: ServerResponse, idText: string): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendProblem(response, { status: 405, headers: { Allow: 'GET, HEAD' } });
      return;
    }
    const refusal = await access.refusal(request, 'recordings:read');
    if (refusal !== undefined) {
      sendProblem(response, refusal);
      return;
    }
    const id = parseRecordingId(idText);
    if (id !== undefined && wantsEvent(request)) {
      const segments = await archive.listEvent(id);
      if (segments[0] === undefined) throw noSuchRecording();
      noteDownload(request, segments[0].stream, `event of ${idText}`);
      await sendEvent(request, response, { archive, segments }, { clock, log });
      return;
    }
    const recording = id === undefined ? undefined : await archive.openForRead(id);
    if (recording === undefined) throw noSuchRecording();
    noteDownload(request, recording.entry.stream, `recording ${idText}`);
    await sendRecording(request, response, recording, { clock, log });
  }

  /** One answer for a link that is bad, altered or expired. */
  async function follow(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendProblem(response, { status: 405, headers: { Allow: 'GET, HEAD' } });
      return;
    }
    const id = openLink(request.url ?? '', clock.now(), parts.linkSecret);
    if (id === undefined) {
      sendProblem(response, { status: 403, detail: 'This link has expired, or is not whole.' });
      return;
    }
    access.admit(request);
    const recording = await archive.openForRead(id);
    if (recording === undefined) throw noSuchRecording();
    noteDownload(request, recording.entry.stream, `recording ${id}`, 'link');
    await sendRecording(request, response, recording, { clock, log });
  }

  function noteDownload(
    request: IncomingMessage,
    stream: string,
    what: string,
    source = access.sourceOf(request),
  ): void {
    if (request.method !== 'GET') return;
    audit.note({
      action: 'recording.downloaded',
      source,
      stream,
      detail: `${what} to ${access.addressOf(request)}`,
    });
  }

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    try {
      const recording = downloadPath.exec(path)?.[1];
      if (isLink(path)) await follow(request, response);
      else if (recording === undefined) await answerFromApi(request, response);
      else await download(request, response, recording);
    } catch (error) {
      sendProblem(response, problemOf(error, log));
    }
  }

  function logAnswer(request: IncomingMessage, response: ServerResponse, path: string, begun: number): void {
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const worthKnowing = changes || response.statusCode >= 400 || downloadPath.test(path) || isLink(path);
    log[worthKnowing ? 'info' : 'debug']('request.answered', {
      method: request.method,
      path,
      status: response.statusCode,
      complete: response.writableFinished,
      token: access.tokenIdOf(request),
      peer: access.addressOf(request),
      milliseconds: Math.round(clock.monotonic() - begun),
    });
  }

  return (request, response, guest) => {
    access.receive(request, guest);
    const begun = clock.monotonic();
    // Without the query: it may hold what opens something.
    const path = (request.url ?? '/').replace(/[?#].*$/s, '');
    response.on('error', () => undefined); // the peer went away; 'close' says so too
    response.once('close', () => logAnswer(request, response, path, begun));
    for (const [name, value] of Object.entries(sharedHeaders)) response.setHeader(name, value);
    void answer(request, response, path);
  };
}

/** `?event=1`: all segments of the event as one file. */
function wantsEvent(request: IncomingMessage): boolean {
  return /[?&]event=1(?:&|$)/.test(request.url ?? '');
}

function noSuchRecording(): SetupError {
  return new SetupError('NOT_FOUND', 'There is no such recording.');
}
