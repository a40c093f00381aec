// OBS's "Use authentication": each refusal makes it append to app and tcUrl and connect again. Its nonce is the base64
// of four bytes, sent as it is. WIRE 6.
import { randomBytes } from 'node:crypto';
import { ObsEncoder, type ObsOptions } from './obs-encoder.ts';
import { answerOf } from './sign-in.ts';

export interface ObsSignIn extends ObsOptions {
  readonly user: string;
  readonly password: string;
  /** Called with each connection. */
  readonly onEncoder?: (encoder: ObsEncoder) => void;
}

/** Connects until it is published or finally refused; answers the last connection and the words of all refusals. */
export async function obsSignIn({ user, password, onEncoder, app = 'live', ...options }: ObsSignIn) {
  const refusals: string[] = [];
  let full = app;
  for (;;) {
    const encoder = new ObsEncoder({ ...options, app: full });
    onEncoder?.(encoder);
    const published = await encoder.published.then(
      () => true,
      () => false,
    );
    if (published) return { encoder, refusals };
    const description = String(encoder.answers.statuses.at(-1)?.description);
    refusals.push(description);
    if (description.includes('code=403 need auth') && !full.includes('authmod=adobe')) {
      full += `?authmod=adobe&user=${user}`;
    } else if (description.includes('?reason=needauth') && !full.includes('&response=')) {
      const fields = new URLSearchParams(description.slice(description.indexOf('?')));
      const asked = { salt: fields.get('salt') ?? '', nonce: fields.get('opaque') ?? '' };
      const own = randomBytes(4).toString('base64');
      const named = { method: 'adobe', user: fields.get('user') ?? '', app } as const;
      const { response } = answerOf(named, password, asked, own);
      full += `&challenge=${own}&response=${response}&opaque=${asked.nonce}`;
    } else return { encoder, refusals };
  }
}
