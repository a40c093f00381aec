// Keyed hashes of secrets.
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';

const pepper = new Uint8Array(32).fill(1);
const hasher = new SecretHasher(pepper);
const secret = new Secret('psk_7h2kq9d4_secret');

describe('SecretHasher', () => {
  it('is HMAC-SHA-256 over the whole key', () => {
    const { digest } = hasher.hash(secret);
    expect(digest).toBe(createHmac('sha256', pepper).update('psk_7h2kq9d4_secret').digest('hex'));
  });

  it('matches its own secret and no other', () => {
    const hashed = hasher.hash(secret);
    expect(hasher.matches(secret, hashed)).toBe(true);
    expect(hasher.matches(new Secret('psk_7h2kq9d4_secreT'), hashed)).toBe(false);
    expect(hasher.matches(new Secret(''), hashed)).toBe(false);
  });

  it('matches nothing where nothing is kept, or where what is kept is damaged', () => {
    expect(hasher.matches(secret, undefined)).toBe(false);
    for (const digest of ['', 'zz', 'ab'.repeat(31), 'ab'.repeat(40)]) {
      expect(hasher.matches(secret, { ...hasher.hash(secret), digest })).toBe(false);
    }
  });

  it('knows which pepper made a digest', () => {
    const other = new SecretHasher(new Uint8Array(32).fill(2));
    expect(other.pepperVersion).not.toBe(hasher.pepperVersion);
    expect(other.matches(secret, hasher.hash(secret))).toBe(false);
    expect(hasher.matches(secret, { ...hasher.hash(secret), pepperVersion: other.pepperVersion })).toBe(
      false,
    );
    expect(new SecretHasher(pepper).pepperVersion).toBe(hasher.pepperVersion);
  });

  it('refuses a pepper of another length', () => {
    expect(() => new SecretHasher(new Uint8Array(31))).toThrow(RangeError);
  });
});
