// The digest hidden in C1 and S1, the signature at the end of C2 and S2, and the place of the Diffie-Hellman key
// (RTMPE 1.1). Anyone can make them: they tell a mistake from an intention, not a friend from a foe. pure.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Blowfish } from './blowfish.ts';
import type { GenuineKeys } from './genuine-keys.ts';
import { blowfishKeys, xteaKeys } from './genuine-keys.ts';
import type { HandshakeVersion } from './handshake-packet.ts';
import { packetLength } from './handshake-packet.ts';
import { Xtea } from './xtea.ts';

/** Digest first or key first. Others number the two, in opposite ways (RTMPE 1.1). */
export type Layout = 'DK' | 'KD';

export interface Digest {
  readonly layout: Layout;
  readonly bytes: Uint8Array;
}

export const publicKeyLength = 128;
const digestLength = 32;
const signatureOffset = packetLength - digestLength;

/** The digest of a C1 or S1, wherever it is; undefined when neither place holds a valid one. */
export function findDigest(packet: Uint8Array, keys: GenuineKeys): Digest | undefined {
  for (const layout of ['DK', 'KD'] as const) {
    const offset = digestOffset(packet, layout);
    const found = new Uint8Array(packet.subarray(offset, offset + digestLength));
    if (timingSafeEqual(found, digestOf(packet, offset, keys))) return { layout, bytes: found };
  }
  return undefined;
}

/** Writes the digest of a finished C1 or S1 into it: last of all, the key is under it. */
export function writeDigest(packet: Uint8Array, layout: Layout, keys: GenuineKeys): Digest {
  const offset = digestOffset(packet, layout);
  const bytes = new Uint8Array(digestOf(packet, offset, keys));
  packet.set(bytes, offset);
  return { layout, bytes };
}

/** The 128 bytes of a C1 or S1 that hold its Diffie-Hellman public key: a view, to read and to write. */
export function publicKeyIn(packet: Uint8Array, layout: Layout): Uint8Array {
  const offset = layout === 'DK' ? 772 + (sumAt(packet, 1532) % 632) : 8 + (sumAt(packet, 768) % 632);
  return packet.subarray(offset, offset + publicKeyLength);
}

/**
 * Signs a C2 or S2 over its first 1,504 bytes.
 * @param peerDigest the digest in the packet that this one answers
 * @param version what the server answered: S0
 */
export function writeSignature(
  packet: Uint8Array,
  keys: GenuineKeys,
  peerDigest: Digest,
  version: HandshakeVersion,
): void {
  packet.set(signatureOf(packet, keys, peerDigest, version), signatureOffset);
}

/** Whether a C2 or S2 is signed as `writeSignature` would. */
export function isSigned(
  packet: Uint8Array,
  keys: GenuineKeys,
  peerDigest: Digest,
  version: HandshakeVersion,
): boolean {
  return timingSafeEqual(packet.subarray(signatureOffset), signatureOf(packet, keys, peerDigest, version));
}

function digestOffset(packet: Uint8Array, layout: Layout): number {
  return layout === 'DK' ? 12 + (sumAt(packet, 8) % 728) : 776 + (sumAt(packet, 772) % 728);
}

function sumAt(packet: Uint8Array, offset: number): number {
  let sum = 0;
  for (let at = offset; at < offset + 4; at += 1) sum += packet[at] as number;
  return sum;
}

function digestOf(packet: Uint8Array, offset: number, keys: GenuineKeys): Uint8Array {
  return createHmac('sha256', keys.digest)
    .update(packet.subarray(0, offset))
    .update(packet.subarray(offset + digestLength))
    .digest();
}

function signatureOf(
  packet: Uint8Array,
  keys: GenuineKeys,
  peerDigest: Digest,
  version: HandshakeVersion,
): Uint8Array {
  const key = createHmac('sha256', keys.signature).update(peerDigest.bytes).digest();
  const signature = createHmac('sha256', key).update(packet.subarray(0, signatureOffset)).digest();
  const maskOf = maskCiphers(version);
  if (maskOf !== undefined) {
    for (let offset = 0; offset < digestLength; offset += 8) {
      // Modulo 15, so that the last of the sixteen keys is never used. RTMPE 1.1
      maskOf((key[offset] as number) % 15).encipher(signature.subarray(offset, offset + 8));
    }
  }
  return signature;
}

interface BlockCipher {
  encipher(block: Uint8Array): void;
}

const xteaCiphers: (Xtea | undefined)[] = [];
const blowfishCiphers: (Blowfish | undefined)[] = [];

function maskCiphers(version: HandshakeVersion): ((keyId: number) => BlockCipher) | undefined {
  if (version === 8) return (keyId) => (xteaCiphers[keyId] ??= new Xtea(xteaKeys[keyId] as Uint8Array));
  if (version === 9) {
    return (keyId) => (blowfishCiphers[keyId] ??= new Blowfish(blowfishKeys[keyId] as Uint8Array));
  }
  return undefined;
}
