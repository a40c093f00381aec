import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import {
  agreeKeys,
  agreeSecret,
  deriveCiphers,
  drawKeyPair,
  isPublicKey,
  prepareKeyExchange,
} from '../../src/handshake/key-exchange.ts';
import { seededRandom } from '../support/seeded-random.ts';

// RFC 2409 6.2 by its formula, with pi to 896 bits of fraction: not the digits the code has.
const pi =
  0x3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377be5466cf34e90c6cc0ac29b7c97c50dd3f84d5b5b54709179216d5d98979fb1bd1310ba698dfb5ac2ffd72dbd01adfb7b8e1afed6a267e96ba7c9045f12c7f9924a19947b3916cf7n;
const p = (1n << 1024n) - (1n << 960n) - 1n + (1n << 64n) * ((pi >> 2n) + 129093n);

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base % p, left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % p;
    square = (square * square) % p;
  }
  return result;
}

const bytesOf = (value: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(value.toString(16).padStart(256, '0'), 'hex'));
const valueOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

// Found by trying: against `peer`, the first gives a public key that begins with a zero byte, the second a secret.
const peerExponent = 12345678901234567890n ** 3n;
const peer = bytesOf(power(2n, peerExponent));
const publicKeyShort = '906d76c3e72e3928e7f5b0b0105dbb0d5077fdbe04d2471eed2f66f637105671';
const secretShort = '5d0bf57e8c6db1a8e05582cca5481833a2984e3347210c43bb4fbd150e8e4592';
const neither = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';

/** Deals the exponents in turn, the last one again and again, and counts. */
function dealt(...exponents: readonly string[]): {
  random: (length: number) => Uint8Array;
  draws: () => number;
} {
  let draws = 0;
  return {
    random: (length) => {
      expect(length).toBe(32);
      const exponent = exponents[Math.min(draws, exponents.length - 1)] as string;
      draws += 1;
      return Uint8Array.from(Buffer.from(exponent, 'hex'));
    },
    draws: () => draws,
  };
}

describe('the key exchange', () => {
  it('agrees on g^ab mod p of the second Oakley group', () => {
    prepareKeyExchange();
    const random = seededRandom('key exchange');
    const client = drawKeyPair(random);
    const clientExponent = valueOf(client.exponent);
    expect(client.publicKey).toEqual(bytesOf(power(2n, clientExponent)));

    const server = agreeKeys(random, client.publicKey);
    const secret = agreeSecret(client, server.publicKey);
    expect(secret).toEqual(server.secret);
    expect(valueOf(secret)).toBe(power(valueOf(server.publicKey), clientExponent));
  });

  it('does not mix up connections that are under way at the same time', () => {
    const random = seededRandom('two at once');
    const one = drawKeyPair(random);
    const two = drawKeyPair(random);
    const [toOne, toTwo] = [agreeKeys(random, one.publicKey), agreeKeys(random, two.publicKey)];
    expect(toOne.publicKey).not.toEqual(toTwo.publicKey);
    expect(agreeSecret(one, toOne.publicKey)).toEqual(toOne.secret);
    expect(agreeSecret(two, toTwo.publicKey)).toEqual(toTwo.secret);
  });

  it('draws again until neither public key nor secret begins with a zero byte', () => {
    expect(power(2n, BigInt(`0x${publicKeyShort}`)) >> 1016n).toBe(0n);
    expect(power(valueOf(peer), BigInt(`0x${secretShort}`)) >> 1016n).toBe(0n);

    const { random, draws } = dealt(publicKeyShort, secretShort, neither);
    const { publicKey, secret } = agreeKeys(random, peer);
    expect(draws()).toBe(3);
    expect(valueOf(publicKey)).toBe(power(2n, BigInt(`0x${neither}`)));
    expect(valueOf(secret)).toBe(power(valueOf(publicKey), peerExponent));

    const client = dealt(publicKeyShort, neither);
    expect(drawKeyPair(client.random).publicKey).toEqual(publicKey);
    expect(client.draws()).toBe(2);
  });

  it('gives up drawing after eight, and pads on the left', () => {
    const short = dealt(publicKeyShort);
    const agreement = agreeKeys(short.random, peer);
    expect(short.draws()).toBe(8);
    expect(agreement.publicKey).toEqual(bytesOf(power(2n, BigInt(`0x${publicKeyShort}`))));

    const shortSecret = dealt(secretShort);
    expect(agreeKeys(shortSecret.random, peer).secret).toEqual(
      bytesOf(power(valueOf(peer), BigInt(`0x${secretShort}`))),
    );
    expect(shortSecret.draws()).toBe(8);
  });

  it('refuses keys outside 2..p-2 and nothing else', () => {
    const random = seededRandom('degenerate');
    for (const value of [0n, 1n, p - 1n, p, p + 1n, (1n << 1024n) - 1n]) {
      const key = bytesOf(value);
      expect(isPublicKey(key)).toBe(false);
      expect(() => agreeKeys(random, key)).toThrow(ProtocolError);
      const pair = drawKeyPair(random);
      expect(() => agreeSecret(pair, key)).toThrow(
        expect.objectContaining({ code: 'HANDSHAKE_PUBLIC_KEY_INVALID' }) as Error,
      );
      expect(pair.exponent).toEqual(new Uint8Array(32));
    }
    for (const value of [2n, 256n, p - 2n, 1n << 1016n]) {
      expect(isPublicKey(bytesOf(value))).toBe(true);
      expect(agreeKeys(random, bytesOf(value)).secret).toHaveLength(128);
    }
    expect(isPublicKey(bytesOf(2n).subarray(1))).toBe(false);
  });

  it('wipes exponents and secrets once they were used', () => {
    const exponents: Uint8Array[] = [];
    const drawn = seededRandom('wiped');
    const random = (length: number): Uint8Array => {
      const bytes = drawn(length);
      exponents.push(bytes);
      return bytes;
    };
    const { publicKey, secret } = agreeKeys(random, peer);
    expect(secret.some((byte) => byte !== 0)).toBe(true);
    const { toServer, toClient } = deriveCiphers(secret, peer, publicKey);
    expect(secret).toEqual(new Uint8Array(128));
    for (const exponent of exponents) expect(exponent).toEqual(new Uint8Array(32));

    const [up, down] = [new Uint8Array(16), new Uint8Array(16)];
    toServer.apply(up, up);
    toClient.apply(down, down);
    expect(up).not.toEqual(down);
  });
});
