// Signing in with user and password in the query of connect: Adobe's dance (authmod=adobe) and Limelight's
// (authmod=llnw), as clients expect them to the letter. WIRE 6. Leaves out checking the password (keys/sign-in.ts).
// pure.
import type { ConnectPlace } from './stream-address.ts';

export const signInMethods = ['adobe', 'llnw'] as const;
export type SignInMethod = (typeof signInMethods)[number];

/** What a connect says of signing in. Untrusted text, and not for logs: people enter keys in the wrong field. */
export interface SignInStep {
  readonly method: SignInMethod;
  /** Undefined: it wants to sign in and says no more. */
  readonly user: string | undefined;
  /** What it answers to the challenge; undefined in the step before. */
  readonly answer: SignInAnswer | undefined;
  /** The application as the client may have hashed it: FFmpeg keeps a query of its own, librtmp cuts it off. */
  readonly apps: readonly string[];
}

export interface SignInAnswer {
  /** The server's nonce, handed back. */
  readonly nonce: string;
  /** The client's own. */
  readonly clientNonce: string;
  /** Hex, llnw only. */
  readonly count: string;
  readonly response: string;
}

/** Undefined when the client does not mention it, or names a method that is unknown here. */
export function readSignIn({ app, tcUrl }: ConnectPlace): SignInStep | undefined {
  const fields = readFields(app) ?? readFields(tcUrl);
  const method = signInMethods.find((one) => one === fields?.get('authmod'));
  if (fields === undefined || method === undefined) return undefined;
  const user = fields.get('user');
  const response = fields.get('response');
  const nonce = fields.get(method === 'adobe' ? 'opaque' : 'nonce');
  const clientNonce = fields.get(method === 'adobe' ? 'challenge' : 'cnonce');
  const answered = response !== undefined && nonce !== undefined && clientNonce !== undefined;
  return {
    method,
    user: user === '' ? undefined : user,
    answer: answered ? { nonce, clientNonce, count: fields.get('nc') ?? '', response } : undefined,
    apps: [...new Set([before(app, app.indexOf('?')), before(app, app.lastIndexOf('?authmod='))])],
  };
}

/** The refusal that makes a client with credentials name its user. */
export function signInWanted(method: SignInMethod): string {
  return `[ AccessManager.Reject ] : [ code=403 need auth; authmod=${method} ] : `;
}

/** The refusal that makes it prove its password. GStreamer reads it as a URI: letters and digits only. */
export function signInChallenge(
  method: SignInMethod,
  { user, salt, nonce }: { readonly user: string; readonly salt: string; readonly nonce: string },
): string {
  // Clients that know `opaque` hash it, others `challenge`: with one value for both, nobody can be wrong.
  const asked = method === 'adobe' ? `&salt=${salt}&challenge=${nonce}&opaque=${nonce}` : `&nonce=${nonce}`;
  return `${reject(method)}?reason=needauth&user=${user}${asked}`;
}

/** For a wrong password and an unknown user alike: `nosuchuser` would tell strangers which streams there are. */
export function signInFailed(method: SignInMethod): string {
  return `${reject(method)}?reason=authfailed`;
}

function reject(method: SignInMethod): string {
  return `[ AccessManager.Reject ] : [ authmod=${method} ] : `;
}

// Split at & and the first = only: base64 comes with its + / = as it is. A client whose URL had a query already
// appends another one, with another question mark.
function readFields(text: string): ReadonlyMap<string, string> | undefined {
  const mark = text.indexOf('?');
  if (mark < 0) return undefined;
  const pairs = text.slice(mark + 1).split(/[&?]/);
  const fields = new Map(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
  return fields.has('authmod') ? fields : undefined;
}

function before(text: string, end: number): string {
  return end < 0 ? text : text.slice(0, end);
}
