// What is kept of a key's secret so that an encoder can sign in with it as a password: digests of MD5, because the
// dances of Adobe and Limelight are made of it (WIRE 6), one for each spelling of the user. Whoever has such a digest
// can sign in with it, so they are sealed under the pepper: a stolen database alone opens nothing (SECURITY 3).
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import type { Secret } from '../bytes/secret.ts';
import type { StreamName } from '../ops/names.ts';
import type { SecretHasher } from './secret-hasher.ts';

/** Whose key it is, in the spellings that a user may have: `camera-1`, `live/camera-1`, the key's id. */
export interface SignInUser {
  readonly id: string;
  readonly stream: StreamName;
}

export interface Verifier {
  /** base64(MD5(user + salt + password)) */
  readonly adobe: string;
  /** hex(MD5(user:live:password)), the HA1 of RFC 2617. */
  readonly llnw: string;
}

const cipher = 'aes-256-gcm';
const ivLength = 12;
const tagLength = 16;
const realm = 'live';

export function spellingsOf({ id, stream }: SignInUser): readonly string[] {
  return [stream.slice(stream.indexOf('/') + 1), stream, id];
}

/** Of the user, whether or not there is such a one: an answer with it tells nobody who exists. Letters and digits. */
export function saltOf(hasher: SecretHasher, user: string): string {
  return hasher.derive('sign-in salt', user).toString('hex').slice(0, 12);
}

/** `random` gives that many unguessable bytes. */
export function sealVerifiers(
  hasher: SecretHasher,
  random: (length: number) => Uint8Array,
  owner: SignInUser,
  password: Secret,
): string {
  const verifiers = spellingsOf(owner).map((user): Verifier => {
    return {
      adobe: md5(`${user}${saltOf(hasher, user)}${password.reveal()}`, 'base64'),
      llnw: md5(`${user}:${realm}:${password.reveal()}`, 'hex'),
    };
  });
  const iv = random(ivLength);
  const sealing = createCipheriv(cipher, sealingKey(hasher), iv).setAAD(Buffer.from(owner.id));
  const sealed = [sealing.update(JSON.stringify(verifiers)), sealing.final()];
  return Buffer.concat([iv, sealing.getAuthTag(), ...sealed]).toString('base64');
}

/** The verifier for that spelling; undefined when it does not belong to this key, this pepper or this user. */
export function openVerifier(
  hasher: SecretHasher,
  owner: SignInUser,
  sealed: string,
  user: string,
): Verifier | undefined {
  const spelling = spellingsOf(owner).indexOf(user);
  try {
    const bytes = Buffer.from(sealed, 'base64');
    const opening = createDecipheriv(cipher, sealingKey(hasher), bytes.subarray(0, ivLength), {
      authTagLength: tagLength,
    })
      .setAAD(Buffer.from(owner.id))
      .setAuthTag(bytes.subarray(ivLength, ivLength + tagLength));
    const text = Buffer.concat([opening.update(bytes.subarray(ivLength + tagLength)), opening.final()]);
    return (JSON.parse(text.toString()) as readonly Verifier[])[spelling];
  } catch {
    return undefined; // sealed under another pepper, which the gate reports when a key is shown
  }
}

/** What the client must answer. WIRE 6. */
export function adobeResponse({ adobe }: Verifier, nonce: string, clientNonce: string): string {
  return md5(`${adobe}${nonce}${clientNonce}`, 'base64');
}

/** The same for Limelight; `app` as the client hashed it. RFC 2617 3.2.2.1. */
export function llnwResponse(
  { llnw }: Verifier,
  { nonce, count, clientNonce, app }: Readonly<Record<'nonce' | 'count' | 'clientNonce' | 'app', string>>,
): string {
  const path = app.includes('/') ? app : `${app}/_definst_`;
  return md5(`${llnw}:${nonce}:${count}:${clientNonce}:auth:${md5(`publish:/${path}`, 'hex')}`, 'hex');
}

function sealingKey(hasher: SecretHasher): Uint8Array {
  return hasher.derive('sign-in verifiers', '');
}

function md5(text: string, encoding: 'base64' | 'hex'): string {
  return createHash('md5').update(text).digest(encoding);
}
