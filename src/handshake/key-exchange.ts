// Diffie-Hellman in the 1024-bit group of RTMPE, and the RC4 keys that come of it (RTMPE 1.1, 1.3, 3). Anonymous:
// it keeps out who listens, not who sits in the middle. pure, but for one shared object without state of its own.
import type { DiffieHellman } from 'node:crypto';
import { createDiffieHellman, createHmac } from 'node:crypto';
import { ProtocolError } from '../errors.ts';
import { publicKeyLength } from './digest.ts';
import { packetLength } from './handshake-packet.ts';
import { Rc4 } from './rc4.ts';

export interface KeyPair {
  /** 128 bytes, big-endian, the first not zero. */
  readonly publicKey: Uint8Array;
  /** Secret; agreeSecret() wipes it. */
  readonly exponent: Uint8Array;
}

export interface Agreement {
  readonly publicKey: Uint8Array;
  /** 128 bytes; secret; deriveCiphers() wipes it. */
  readonly secret: Uint8Array;
}

export interface Ciphers {
  readonly toServer: Rc4;
  readonly toClient: Rc4;
}

/** Does the one slow thing, 40-70 ms of checking the prime, now and not during the first handshake. */
export function prepareKeyExchange(): void {
  group();
}

/** 2 <= y <= p-2. The prime is safe, so this is a complete check (RTMPE 1.1). */
export function isPublicKey(publicKey: Uint8Array): boolean {
  return (
    publicKey.length === publicKeyLength &&
    Buffer.compare(publicKey, one) > 0 &&
    Buffer.compare(publicKey, primeLessOne) < 0
  );
}

/** For the side that speaks first: a key pair before the peer's key is known. */
export function drawKeyPair(random: (length: number) => Uint8Array): KeyPair {
  return redraw(
    () => drawOnce(random),
    (pair) => pair.publicKey[0] !== 0,
    (pair) => pair.exponent.fill(0),
  );
}

/** The other half of drawKeyPair. Throws ProtocolError for a degenerate key of the peer. */
export function agreeSecret(pair: KeyPair, peerKey: Uint8Array): Uint8Array {
  try {
    assertPublicKey(peerKey);
    const shared = group();
    shared.setPrivateKey(pair.exponent);
    const secret = shared.computeSecret(peerKey);
    shared.setPrivateKey(one); // The object outlives the connection, the exponent must not.
    return padded(secret);
  } finally {
    pair.exponent.fill(0);
  }
}

/**
 * For the side that knows the peer's key already: draws a key that no client can get wrong. Some pad a secret with a
 * leading zero byte on the wrong side, one in 256 (RTMPE 1.3). Throws ProtocolError for a degenerate key of the peer.
 */
export function agreeKeys(random: (length: number) => Uint8Array, peerKey: Uint8Array): Agreement {
  return redraw(
    () => {
      const pair = drawOnce(random);
      return { publicKey: pair.publicKey, secret: agreeSecret(pair, peerKey) };
    },
    (agreement) => agreement.publicKey[0] !== 0 && agreement.secret[0] !== 0,
    (agreement) => agreement.secret.fill(0),
  );
}

/** Both ciphers at the first byte behind the handshake; wipes the secret. RTMPE 1.1 */
export function deriveCiphers(secret: Uint8Array, clientKey: Uint8Array, serverKey: Uint8Array): Ciphers {
  const ciphers = { toServer: cipher(secret, serverKey), toClient: cipher(secret, clientKey) };
  secret.fill(0);
  return ciphers;
}

// RFC 2409 6.2, the second Oakley group; the generator is 2.
const prime = Buffer.from(
  'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed' +
    'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff',
  'hex',
);
const primeLessOne = Buffer.from(prime).fill(0xfe, publicKeyLength - 1);
const one = new Uint8Array(publicKeyLength).fill(1, publicKeyLength - 1);

/** Ample for this group and half as dear as a full one (RTMPE 3). */
const exponentLength = 32;

/** How often a key is drawn before one with leading zeros will do: a chance of 2^-56. */
const drawLimit = 8;

let dh: DiffieHellman | undefined;

// One object for the whole process: its constructor tests the prime for 40-70 ms (RTMPE 3).
function group(): DiffieHellman {
  return (dh ??= createDiffieHellman(prime, 2));
}

function assertPublicKey(peerKey: Uint8Array): void {
  if (!isPublicKey(peerKey)) {
    throw new ProtocolError('HANDSHAKE_PUBLIC_KEY_INVALID', 'The public key is degenerate.', {
      clause: 'RTMPE 1.1',
    });
  }
}

function drawOnce(random: (length: number) => Uint8Array): KeyPair {
  const exponent = random(exponentLength);
  const shared = group();
  shared.setPrivateKey(exponent); // Without this generateKeys() would hand out the last connection's key.
  shared.generateKeys();
  const publicKey = padded(shared.getPublicKey());
  shared.setPrivateKey(one);
  return { publicKey, exponent };
}

function redraw<Drawn>(
  draw: () => Drawn,
  fits: (drawn: Drawn) => boolean,
  drop: (drawn: Drawn) => void,
): Drawn {
  for (let draws = 1; ; draws += 1) {
    const drawn = draw();
    if (fits(drawn) || draws === drawLimit) return drawn;
    drop(drawn);
  }
}

// Node strips leading zeros of public keys; the wire wants 128 bytes. Wipes what it was given. RTMPE 1.3
function padded(number: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(publicKeyLength);
  bytes.set(number, publicKeyLength - number.length);
  number.fill(0);
  return bytes;
}

// A direction is keyed with the public key of the side that receives. RTMPE 1.1
function cipher(secret: Uint8Array, receiverKey: Uint8Array): Rc4 {
  const hash = createHmac('sha256', secret).update(receiverKey).digest();
  const rc4 = new Rc4(hash.subarray(0, 16));
  rc4.discard(packetLength);
  hash.fill(0);
  return rc4;
}
