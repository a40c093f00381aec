// The written form of stream keys and API tokens: `psk_<id>_<secret>` and `ptk_<id>_<secret>` in lower-case
// Crockford base32, 43 characters of [a-z0-9_]. The last 4 of the secret are a checksum, so that a typo is told
// from a guess and costs no look-up. Strict: no upper case, no look-alikes, because every change must show. pure.
import { Secret } from '../bytes/secret.ts';

export type KeyPrefix = 'psk' | 'ptk';

/** The parts of a key that was written correctly; whether it exists is another question. */
export interface ParsedKey {
  /** The public part; safe to log. */
  readonly id: string;
  /** The whole key: what is hashed. */
  readonly secret: Secret;
}

/** Base32 letters without i, l, o and u. */
export const crockfordAlphabet = '0123456789abcdefghjkmnpqrstvwxyz';

const idLength = 8;
/** 26 characters of 5 bits: 130 bits. */
const randomLength = 26;
const checksumLength = 4;

const idForm = new RegExp(`^[${crockfordAlphabet}]{${idLength}}$`);
const form = new RegExp(
  `^(psk|ptk)_([${crockfordAlphabet}]{${idLength}})_([${crockfordAlphabet}]{${randomLength + checksumLength}})$`,
);

/** Makes a new key, with that id if one is given; `random` gives that many unguessable bytes. */
export function generateKey(
  prefix: KeyPrefix,
  random: (length: number) => Uint8Array,
  existingId?: string,
): ParsedKey {
  const letters = Array.from(random(idLength + randomLength), letterOf).join('');
  const id = existingId ?? letters.slice(0, idLength);
  const unchecked = `${prefix}_${id}_${letters.slice(idLength)}`;
  return { id, secret: new Secret(unchecked + checksumOf(unchecked)) };
}

/**
 * Takes a key apart. `mistyped`: it is meant as such a key but has a wrong length, letter or checksum;
 * `not-a-key`: it is something else, such as a stream name or the other kind of key.
 */
export function parseKey(prefix: KeyPrefix, secret: Secret): ParsedKey | 'mistyped' | 'not-a-key' {
  const text = secret.reveal();
  if (!text.startsWith(`${prefix}_`)) return 'not-a-key';
  const id = form.exec(text)?.[2];
  if (id === undefined || checksumOf(text.slice(0, -checksumLength)) !== text.slice(-checksumLength)) {
    return 'mistyped';
  }
  return { id, secret };
}

/** Whether the text has the form of the public part of a key. */
export function isKeyId(text: string): boolean {
  return idForm.test(text);
}

// 256 is a multiple of 32, so the low five bits of a random byte are as even as the byte.
function letterOf(byte: number): string {
  return crockfordAlphabet.charAt(byte & 31);
}

/** x^20 + x^18 + x^17 + x^15 + x^13 + x^12 + x^6 + x^3 + x^2 + x + 1, primitive. */
const generator = 0x16b04f;

// A CRC of 20 bits over the ASCII text finds every error within 20 consecutive bits: any one wrong letter, any
// two neighbours swapped. Others slip through once in a million.
function checksumOf(text: string): string {
  let remainder = 0xfffff;
  for (let index = 0; index < text.length; index++) {
    remainder ^= text.charCodeAt(index) << 12;
    for (let bit = 0; bit < 8; bit++) {
      remainder <<= 1;
      if (remainder & 0x100000) remainder ^= generator;
    }
  }
  return [15, 10, 5, 0].map((shift) => letterOf(remainder >> shift)).join('');
}
