// Links that open one recording for a while, without a token: /r/ID.flv?exp=SECONDS&sig=…, signed with a secret of
// this installation (SECURITY 3). What is signed are method, path and expiry; every other parameter, and any of these
// twice, makes the link bad. pure but for the HMAC (RFC 2104).
import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseRecordingId } from '../archive/recording-name.ts';
import type { RecordingId } from '../ops/names.ts';

/** Bytes of the secret. */
export const linkSecretLength = 32;

const pathPattern = /^\/r\/([^/?#]+)\.flv$/;

/** Path and query of a link that is good until `expiresAt` (ms since the Unix epoch, whole seconds count). */
export function makeLink(id: RecordingId, expiresAt: number, secret: Uint8Array): string {
  const path = `/r/${id}.flv`;
  const exp = String(Math.floor(expiresAt / 1000));
  return `${path}?exp=${exp}&sig=${signatureOf(path, exp, secret).toString('base64url')}`;
}

/** Whether a path is that of a link, good or not. */
export function isLink(path: string): boolean {
  return pathPattern.test(path);
}

/** The recording that a link opens at `now` (ms since the Unix epoch); undefined when it opens nothing. */
export function openLink(target: string, now: number, secret: Uint8Array): RecordingId | undefined {
  const [path = '', query = ''] = target.split(/\?(.*)/s, 2);
  const id = parseRecordingId(pathPattern.exec(path)?.[1] ?? '');
  const [, exp = '', sig = ''] = /^exp=(\d{1,12})&sig=([A-Za-z0-9_-]{43})$/.exec(query) ?? [];
  const given = Buffer.from(sig, 'base64url');
  const expected = signatureOf(path, exp, secret);
  // Compared before anything is said about the expiry: a bad link learns nothing.
  const good = given.length === expected.length && timingSafeEqual(given, expected);
  return good && Number(exp) * 1000 > now ? id : undefined;
}

function signatureOf(path: string, exp: string, secret: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(`v1\nGET\n${path}\n${exp}`).digest();
}
