// The client's side of signing in, from the formulas of WIRE 6: FFmpeg's, or with OBS's own kind of nonce.
import { createHash } from 'node:crypto';
import type { SignInChallenge, SignInRequest } from '../../src/keys/sign-in.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
  readonly method?: SignInRequest['method'];
  readonly app?: string;
  readonly address?: string;
}

export function signInRequest(user: string, change: Partial<SignInRequest> = {}): SignInRequest {
  const app = change.app ?? 'live';
  return {
    method: 'adobe',
    user,
    app,
    apps: [app],
    answer: undefined,
    address: '203.0.113.7',
    door: 'rtmps',
    encoder: 'OBS',
    ...change,
  };
}

/** What a client with that password answers. */
export function answerOf(
  { method, user, app }: Pick<SignInRequest, 'method' | 'user' | 'app'>,
  password: string,
  { salt, nonce }: SignInChallenge,
  clientNonce = 'q83v+/==',
): NonNullable<SignInRequest['answer']> {
  const count = '00000001';
  if (method === 'adobe') {
    const hashed = md5(`${user}${salt}${password}`, 'base64');
    return { nonce, clientNonce, count: '', response: md5(`${hashed}${nonce}${clientNonce}`, 'base64') };
  }
  const path = app.includes('/') ? app : `${app}/_definst_`;
  const [first, second] = [md5(`${user}:live:${password}`, 'hex'), md5(`publish:/${path}`, 'hex')];
  const response = md5(`${first}:${nonce}:${count}:${clientNonce}:auth:${second}`, 'hex');
  return { nonce, clientNonce, count, response };
}

function md5(text: string, encoding: 'base64' | 'hex'): string {
  return createHash('md5').update(text).digest(encoding);
}
