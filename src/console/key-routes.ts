// /api/v1/keys and /api/v1/tokens: the verbs of `penstock key` and `penstock token` over HTTP, with the same
// functions, fields and checks. A key or token is in one answer only, the one of its making.
import type { Context, Hono } from 'hono';
import * as z from 'zod';
import { SetupError } from '../errors.ts';
import { createKey, listKeys, rotateKey, setKeyState, showKey, type KeyCliContext } from '../keys/key-cli.ts';
import { createToken, listTokens, revokeToken, type TokenCliContext } from '../tokens/token-cli.ts';
import type { Access, ApiEnv } from './access.ts';
import { pageOf, readPageRequest } from './paging.ts';

const quantity = z.union([z.string(), z.number()]).transform(String);

/** As typed on the command line; limits may also be plain numbers. */
const newKey = z.strictObject({
  stream: z.string(),
  role: z.string().optional(),
  expires: z.string().optional(),
  notBefore: z.string().optional(),
  allow: z.array(z.string()).max(100).optional(),
  require: z.string().optional(),
  maxBitrate: quantity.optional(),
  maxSession: z.string().optional(),
  codecs: z.array(z.string()).max(100).optional(),
  note: z.string().optional(),
});

/** Left out: the same grace as on the command line. */
const rotation = z.strictObject({ grace: z.string().optional() });

const newToken = z.strictObject({
  scopes: z.array(z.string()).max(100).optional(),
  expires: z.string().optional(),
  note: z.string().optional(),
});

type Keys = Omit<KeyCliContext, 'source'>;

export function keyRoutes(api: Hono<ApiEnv>, access: Access, keys: Keys): void {
  const contextOf = contexts(access, keys);

  api.get('/api/v1/keys', access.need('keys:read'), async (context) => {
    const page = readPageRequest((name) => context.req.query(name));
    const { json } = await listKeys(contextOf(context));
    return context.json(pageOf(json as readonly { id: string }[], page, ({ id }) => id));
  });

  api.post('/api/v1/keys', access.need('keys:write'), async (context) => {
    const { json } = await createKey(await readJsonBody(context, newKey), contextOf(context));
    return context.json(json as { id: string }, 201, {
      Location: `/api/v1/keys/${(json as { id: string }).id}`,
    });
  });

  api.get('/api/v1/keys/:id', access.need('keys:read'), async (context) => {
    const { json } = await showKey(context.req.param('id'), contextOf(context));
    return context.json(json as object);
  });

  api.post('/api/v1/keys/:id/rotate', access.need('keys:write'), async (context) => {
    const given = await readJsonBody(context, rotation);
    const { json } = await rotateKey(context.req.param('id'), given, contextOf(context));
    return context.json(json as object);
  });

  for (const verb of ['disable', 'enable', 'revoke'] as const) {
    api.post(`/api/v1/keys/:id/${verb}`, access.need('keys:write'), async (context) => {
      const { json } = await setKeyState(context.req.param('id'), verb, contextOf(context));
      return context.json(json as object);
    });
  }
}

/** Who may write tokens may make one with any scope: `tokens:write` is the right of an administrator. */
export function tokenRoutes(
  api: Hono<ApiEnv>,
  access: Access,
  tokens: Omit<TokenCliContext, 'source'>,
): void {
  const contextOf = contexts(access, tokens);

  api.get('/api/v1/tokens', access.need('tokens:read'), async (context) => {
    const page = readPageRequest((name) => context.req.query(name));
    const { json } = await listTokens(contextOf(context));
    return context.json(pageOf(json as readonly { id: string }[], page, ({ id }) => id));
  });

  api.post('/api/v1/tokens', access.need('tokens:write'), async (context) => {
    const { scopes, ...given } = await readJsonBody(context, newToken);
    const { json } = await createToken({ ...given, scope: scopes?.join(',') }, contextOf(context));
    return context.json(json as object, 201);
  });

  api.post('/api/v1/tokens/:id/revoke', access.need('tokens:write'), async (context) => {
    const { json } = await revokeToken(context.req.param('id'), contextOf(context));
    return context.json(json as object);
  });
}

/** What a verb works on, and in whose name. */
function contexts<Parts>(
  access: Access,
  parts: Parts,
): (context: Context<ApiEnv>) => Parts & { readonly source: string } {
  return (context) => ({ ...parts, source: access.sourceOf(context.env.incoming) });
}

/** Unknown members are refused, so that a misspelt limit is no missing limit. Throws SetupError ARGUMENT_INVALID. */
async function readJsonBody<Body>(context: Context, schema: z.ZodType<Body>): Promise<Body> {
  // Insisting on the type also keeps HTML forms of other sites out.
  if (!/^application\/json\b/i.test(context.req.header('content-type') ?? '')) {
    throw new SetupError('ARGUMENT_INVALID', 'The body must be JSON, with Content-Type: application/json.');
  }
  const text = await context.req.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the parser's message, which quotes the body.
    throw new SetupError('ARGUMENT_INVALID', 'The body is not valid JSON.');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new SetupError('ARGUMENT_INVALID', `${issues.slice(0, 5).join('; ')}.`);
}
