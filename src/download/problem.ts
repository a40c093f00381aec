// Answers that are no success, as RFC 9457 problem documents. The detail is for people and never holds a key,
// a token, a stack or a path of this machine. Leaves out `type` URIs: `title` is the status in words.
import { STATUS_CODES, type ServerResponse } from 'node:http';

export interface Problem {
  readonly status: number;
  /** One sentence for whoever sent the request. */
  readonly detail?: string;
  /** The code of one of our errors, for scripts (docs/errors.md). */
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const problemType = 'application/problem+json';

/** The JSON document. RFC 9457 4.2.1: without a `type`, the title is the phrase of the status. */
export function problemDocument({ status, detail, code }: Problem): string {
  return JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
  });
}

/** Answers a raw request; when an answer has begun already, the connection is cut instead. */
export function sendProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = problemDocument(problem);
  response.writeHead(problem.status, {
    'Content-Type': problemType,
    'Content-Length': Buffer.byteLength(body),
    ...problem.headers,
  });
  response.end(body);
}
