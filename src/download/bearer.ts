// The bearer token of a request (RFC 6750 2.1), taken from the Authorization header only: a token in a query
// would end up in histories and logs.
import type { IncomingMessage } from 'node:http';
import { Secret } from '../bytes/secret.ts';

/** Undefined when there is none, or one that cannot be a token at all. */
export function bearerOf(request: Pick<IncomingMessage, 'headers'>): Secret | undefined {
  // RFC 9110 11.1: the scheme is case-insensitive. RFC 6750 2.1: b64token.
  const token = /^bearer +([A-Za-z0-9._~+/-]{1,512}=*) *$/i.exec(request.headers.authorization ?? '')?.[1];
  return token === undefined ? undefined : new Secret(token);
}
