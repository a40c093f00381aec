import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';
import {
  adobeResponse,
  llnwResponse,
  openVerifier,
  saltOf,
  sealVerifiers,
  spellingsOf,
} from '../../src/keys/sign-in-verifier.ts';
import type { StreamName } from '../../src/ops/names.ts';
import { seededRandom } from '../support/seeded-random.ts';

const hasher = new SecretHasher(new Uint8Array(32).fill(42));
const owner = { id: '7h2kq9d4', stream: 'live/camera-1' as StreamName };
const password = new Secret('psk_7h2kq9d4_0123456789abcdefghjkmnpqrs');
const sealed = sealVerifiers(hasher, seededRandom('verifiers'), owner, password);
const open = (user: string, { from = sealed, of = owner, by = hasher } = {}) =>
  openVerifier(by, of, from, user);

describe('verifiers', () => {
  // Worked out by another program from the formulas of WIRE 6.
  it('are what the dances are made of', () => {
    expect(saltOf(hasher, 'camera-1')).toBe('95402d71d351');
    expect(open('camera-1')).toEqual({
      adobe: 'B/l9bgIFELMCYFzHhkcLyA==',
      llnw: '83fd0c4b9528f91bffb6b867b5c4d5af',
    });
  });

  it('are there for each spelling of the user, with a salt of its own', () => {
    const users = spellingsOf(owner);
    expect(users).toEqual(['camera-1', 'live/camera-1', '7h2kq9d4']);
    expect(new Set(users.map((user) => open(user)?.adobe)).size).toBe(3);
    expect(new Set(users.map((user) => saltOf(hasher, user))).size).toBe(3);
    expect(open('camera-2')).toBeUndefined();
  });

  it('tell nothing while sealed, and nothing twice', () => {
    const text = Buffer.from(sealed, 'base64').toString('latin1');
    for (const telling of ['adobe', 'B/l9bgIF', '83fd0c4b', 'psk_']) expect(text).not.toContain(telling);
    expect(sealVerifiers(hasher, seededRandom('others'), owner, password)).not.toBe(sealed);
  });

  it('open for their own key under their own pepper, and whole', () => {
    const other = new SecretHasher(new Uint8Array(32).fill(43));
    const bytes = Buffer.from(sealed, 'base64');
    bytes[40]! ^= 1;
    expect(open('camera-1', { by: other })).toBeUndefined();
    expect(open('camera-1', { of: { ...owner, id: '00000000' } })).toBeUndefined();
    expect(open('camera-1', { from: bytes.toString('base64') })).toBeUndefined();
    expect(open('camera-1', { from: '' })).toBeUndefined();
    expect(open('camera-1', { from: sealed.slice(0, 20) })).toBeUndefined(); // a short tag is no tag
  });
});

describe('answers', () => {
  const verifier = open('camera-1')!;

  it('of Adobe', () => {
    expect(adobeResponse(verifier, 'n0nce', '0a1b2c3d')).toBe('UZ8XHmbc+QcIiPScwibiGg==');
  });

  it('of Limelight, with an instance where the application has none', () => {
    const given = { nonce: 'n0nce', count: '00000001', clientNonce: '0a1b2c3d' };
    expect(llnwResponse(verifier, { ...given, app: 'live' })).toBe('49f0ed759be29b27b30b076be976812a');
    expect(llnwResponse(verifier, { ...given, app: 'a/b' })).toBe('1bee9e103b8856319983d866c94aa831');
  });
});
