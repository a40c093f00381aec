// How keys and tokens are kept: HMAC-SHA-256 under a pepper that lies apart from the database (SECURITY 3
// "Storage"). A slow hash would protect nothing here, as nobody guesses 130 random bits, but would let
// every wrong key cost us 100 ms of CPU.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../bytes/secret.ts';

export const pepperLength = 32;

export interface HashedSecret {
  /** Hex. */
  readonly digest: string;
  /** Which pepper the digest was made with. */
  readonly pepperVersion: number;
}

export class SecretHasher {
  /** A fingerprint of the pepper, so that a database restored without its pepper is noticed. */
  readonly pepperVersion: number;
  readonly #pepper: Uint8Array;
  readonly #dummy: HashedSecret;

  constructor(pepper: Uint8Array) {
    if (pepper.length !== pepperLength) throw new RangeError(`a pepper has ${pepperLength} bytes`);
    this.#pepper = pepper;
    this.pepperVersion = createHash('sha256')
      .update('penstock pepper')
      .update(pepper)
      .digest()
      .readUInt32BE();
    this.#dummy = { digest: '00'.repeat(32), pepperVersion: this.pepperVersion };
  }

  hash(secret: Secret): HashedSecret {
    return { digest: this.#digest(secret).toString('hex'), pepperVersion: this.pepperVersion };
  }

  /** Whether the secret is the hashed one. Without one to compare with, the same work and false. */
  matches(secret: Secret, hashed: HashedSecret | undefined): boolean {
    const { digest, pepperVersion } = hashed ?? this.#dummy;
    const expected = Buffer.alloc(32);
    expected.write(digest, 'hex');
    const equal = timingSafeEqual(this.#digest(secret), expected);
    return equal && hashed !== undefined && pepperVersion === this.pepperVersion;
  }

  /** 32 bytes that nobody without the pepper can know, for something else than a key. */
  derive(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.#pepper).update(`penstock ${purpose}\0${text}`).digest();
  }

  // The whole key is hashed, prefix and id included: a digest fits the row it was made for and no other.
  #digest(secret: Secret): Buffer {
    return createHmac('sha256', this.#pepper).update(secret.reveal()).digest();
  }
}
