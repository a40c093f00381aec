// What an error becomes over HTTP: a problem document for the client, a line in the log for the operator. A
// stack, a path of this machine or the text of an unforeseen error never leaves the house.
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { ApplianceError, ResourceError, SetupError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { problemDocument, problemType, type Problem } from '../download/problem.ts';

export interface ApiProblem extends Problem {
  readonly status: ContentfulStatusCode;
}

/** Logs what a person must act on; returns what the client is told. */
export function problemOf(error: unknown, log: Log): ApiProblem {
  if (error instanceof SetupError) {
    const { code, message, hint } = error;
    if (code === 'NOT_FOUND') return { status: 404, code, detail: message };
    // Only here the hint is for whoever asked; others name files of this machine.
    if (code === 'ARGUMENT_INVALID')
      return { status: 400, code, detail: hint === undefined ? message : `${message} ${hint}` };
  }
  if (error instanceof ApplianceError) {
    log.error('request.failed', { code: error.code, message: error.message, hint: error.hint });
    return error instanceof ResourceError
      ? { status: 503, code: error.code, headers: { 'Retry-After': '5' } }
      : { status: 500, code: error.code };
  }
  log.error('request.failed', {
    bug: true,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return { status: 500, detail: 'Something went wrong here; the log of the server has more.' };
}

export function answerProblem(context: Context, problem: ApiProblem): Response {
  return context.body(problemDocument(problem), problem.status, {
    ...problem.headers,
    'Content-Type': problemType,
  });
}
