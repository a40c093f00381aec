// The server's side of the handshake: C0 C1 in, S0 S1 S2 out, C2 in (RTMP 5.2; RTMPE 1.1, 1.2). Plain RTMP with and
// without digest, and RTMPE of types 6, 8 and 9. Deadlines and who may speak what are the door's affair. pure.
import { timingSafeEqual } from 'node:crypto';
import { ProtocolError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { findDigest, isSigned, publicKeyIn, writeDigest, writeSignature } from './digest.ts';
import { clientKeys, serverKeys } from './genuine-keys.ts';
import type { HandshakeOptions, HandshakeResult, HandshakeVersion } from './handshake-packet.ts';
import {
  HandshakeReader,
  echoOf,
  isHandshakeVersion,
  newPacket,
  packetLength,
  secondWordOffset,
} from './handshake-packet.ts';
import type { Ciphers } from './key-exchange.ts';
import { agreeKeys, deriveCiphers } from './key-exchange.ts';

export type { HandshakeResult, HandshakeVersion } from './handshake-packet.ts';

// Clients only look at S1's digest when the first byte is at least 3 (RTMPE 1.2).
const serverVersion = [3, 5, 1, 1];
const noVersion = [0, 0, 0, 0];

/** What C2 is judged by when the session is encrypted. */
interface Expected {
  readonly s1: Uint8Array;
  readonly s1Digest: Digest;
  readonly ciphers: Ciphers;
}

export class ServerHandshake {
  readonly #options: HandshakeOptions;
  readonly #reader: HandshakeReader;
  #version: HandshakeVersion = 3;
  #digest = false;
  #expected: Expected | undefined;
  #output: Uint8Array[] = [];
  #result: HandshakeResult | undefined;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#reader = new HandshakeReader({
      version: (byte) => this.#readC0(byte),
      first: (c1) => this.#answer(c1),
      second: (c2) => this.#readC2(c2),
    });
  }

  /** Set when C2 was accepted. */
  get result(): HandshakeResult | undefined {
    return this.#result;
  }

  /**
   * Returns how many bytes were of the handshake: all, until C2 ends. Keeps no reference to `borrowed`.
   * Throws ProtocolError; the connection is then dead.
   */
  receive(borrowed: Uint8Array): number {
    return this.#reader.receive(borrowed);
  }

  /** S0 S1 S2 in one array once C1 came, else nothing; it is the caller's then. */
  takeOutput(): readonly Uint8Array[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  #readC0(byte: number): void {
    if (!isHandshakeVersion(byte)) {
      throw new ProtocolError('HANDSHAKE_VERSION_UNSUPPORTED', `C0 is ${byte}.`, { clause: 'RTMP 5.2.2' });
    }
    this.#version = byte;
  }

  #answer(c1: Uint8Array): void {
    // A plain client without version has no digest: spare the search. RTMP 5.2.3
    const mayHaveDigest = this.#version !== 3 || c1.subarray(secondWordOffset, 8).some((byte) => byte !== 0);
    const c1Digest = mayHaveDigest ? findDigest(c1, clientKeys) : undefined;
    if (c1Digest !== undefined) this.#answerDigest(c1, c1Digest);
    else if (this.#version === 3) this.#answerSimply(c1);
    else {
      // Never the plain handshake instead: who asked for RTMPE gets it or nothing. RTMPE 2
      throw new ProtocolError('HANDSHAKE_DIGEST_MISMATCH', 'C1 has no valid digest.', {
        clause: 'RTMPE 1.1',
      });
    }
  }

  #answerSimply(c1: Uint8Array): void {
    this.#send(newPacket(this.#options, noVersion), echoOf(c1, this.#options.time));
  }

  #answerDigest(c1: Uint8Array, c1Digest: Digest): void {
    const s1 = newPacket(this.#options, serverVersion);
    // Always DK: FFmpeg as a publisher reads the key there without looking. RTMPE 1.2
    const ciphers = this.#version === 3 ? undefined : this.#exchangeKeys(c1, c1Digest, s1);
    const s1Digest = writeDigest(s1, 'DK', serverKeys);
    if (ciphers !== undefined) this.#expected = { s1, s1Digest, ciphers };
    this.#digest = true;

    const s2 = Uint8Array.from(this.#options.random(packetLength));
    writeSignature(s2, serverKeys, c1Digest, this.#version);
    this.#send(s1, s2);
  }

  #exchangeKeys(c1: Uint8Array, c1Digest: Digest, s1: Uint8Array): Ciphers {
    const clientKey = publicKeyIn(c1, c1Digest.layout);
    const { publicKey, secret } = agreeKeys(this.#options.random, clientKey);
    publicKeyIn(s1, 'DK').set(publicKey);
    return deriveCiphers(secret, clientKey, publicKey);
  }

  #send(s1: Uint8Array, s2: Uint8Array): void {
    const output = new Uint8Array(1 + packetLength * 2);
    output[0] = this.#version; // S0 is what C0 asked for; 6 is never answered with 8 or 9. RTMPE 1.2
    output.set(s1, 1);
    output.set(s2, 1 + packetLength);
    this.#output.push(output);
  }

  #readC2(c2: Uint8Array): void {
    const expected = this.#expected;
    this.#expected = undefined;
    if (expected === undefined) {
      // Plain clients echo whatever they like: not judged. WIRE 2
      this.#result = { version: this.#version, digest: this.#digest, encrypted: false };
      return;
    }
    const { s1, s1Digest, ciphers } = expected;
    // FFmpeg as a publisher echoes S1 instead of signing. RTMPE 1.2
    if (!isSigned(c2, clientKeys, s1Digest, this.#version) && !timingSafeEqual(c2, s1)) {
      throw new ProtocolError('HANDSHAKE_SIGNATURE_MISMATCH', 'C2 is neither signed nor S1.', {
        clause: 'RTMPE 1.1',
      });
    }
    this.#result = {
      version: this.#version,
      digest: true,
      encrypted: true,
      decipher: ciphers.toServer,
      encipher: ciphers.toClient,
    };
  }
}
