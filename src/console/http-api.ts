// The HTTP API: which path and method does what, and which scope it needs. Everything but the two health
// checks needs a token; answers are JSON, errors RFC 9457 problem documents. Leaves out downloads, which take
// the raw response (http-handler.ts).
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { Archive } from '../archive/archive.ts';
import type { KeyCliContext } from '../keys/key-cli.ts';
import type { TokenGate } from '../tokens/token-gate.ts';
import type { Log } from '../ops/log.ts';
import { contentType } from '../ops/metrics.ts';
import type { Access, ApiEnv } from './access.ts';
import { consoleLimits } from './console-limits.ts';
import { answerProblem, problemOf } from './failure.ts';
import { keyRoutes, tokenRoutes } from './key-routes.ts';
import { pageOf, readPageRequest } from './paging.ts';
import { recordingRoutes } from './recording-routes.ts';

/** Live sessions of every server on this store, the oldest first, as `penstock stream list --json` has them. */
export interface LiveStreams {
  list(): Promise<readonly { readonly since: string; readonly sessionId: string }[]>;
}

export interface Health {
  readonly recording: 'ok' | 'failing';
  readonly certificate: 'ok' | 'development' | 'expired';
}

export interface HttpApiParts {
  readonly archive: Pick<Archive, 'list' | 'listEvent' | 'find' | 'openForRead' | 'read'>;
  readonly streams: LiveStreams;
  readonly tokenGate: TokenGate;
  /** What the verbs of `penstock key` and `penstock token` work on; whose doing it is comes with each request. */
  readonly keys: Omit<KeyCliContext, 'source'>;
  /** Whether encoders can be served: false while starting and stopping. */
  readonly ready: () => boolean;
  /** What works and what does not, told to everybody. */
  readonly health: () => Health;
  /** For GET /metrics, in the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
  readonly log: Log;
}

export function createHttpApi(parts: HttpApiParts, access: Access): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  api.use(
    methodNotAllowed({
      app: api,
      onMethodNotAllowed: (context, methods) =>
        answerProblem(context, { status: 405, headers: { Allow: methods.join(', ') } }),
    }),
  );
  api.use(
    bodyLimit({
      maxSize: consoleLimits.bodySize,
      onError: (context) =>
        answerProblem(context, {
          status: 413,
          detail: `A body has at most ${consoleLimits.bodySize} bytes.`,
        }),
    }),
  );

  api.get('/healthz', (context) => context.text('ok'));
  api.get('/readyz', (context) =>
    parts.ready()
      ? context.json({ status: 'ready', ...parts.health() })
      : answerProblem(context, {
          status: 503,
          detail: 'Starting or stopping.',
          headers: { 'Retry-After': '1' },
        }),
  );
  api.get('/metrics', access.need('metrics:read'), async (context) =>
    context.body(await parts.metrics(), 200, { 'Content-Type': contentType }),
  );
  api.get('/api/v1/streams', access.need('streams:read'), async (context) => {
    const page = readPageRequest((name) => context.req.query(name));
    const sessions = await parts.streams.list();
    return context.json(pageOf(sessions, page, ({ since, sessionId }) => `${since} ${sessionId}`));
  });
  recordingRoutes(api, access, parts.archive);
  keyRoutes(api, access, parts.keys);
  tokenRoutes(api, access, parts.keys);

  api.notFound((context) =>
    answerProblem(context, { status: 404, detail: 'There is nothing at this address.' }),
  );
  api.onError((error, context) => answerProblem(context, problemOf(error, parts.log)));
  return api;
}
