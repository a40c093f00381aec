// The client's side of the handshake: C0 C1 out, S0 S1 in, C2 out, S2 in (RTMP 5.2; RTMPE 1.1). For relays, for the
// load generator and as the peer in tests; what only tests want is said so. pure.
import { ProtocolError } from '../errors.ts';
import type { Digest, Layout } from './digest.ts';
import { findDigest, isSigned, publicKeyIn, writeDigest, writeSignature } from './digest.ts';
import { clientKeys, serverKeys } from './genuine-keys.ts';
import type { HandshakeOptions, HandshakeResult, HandshakeVersion } from './handshake-packet.ts';
import { HandshakeReader, echoOf, isHandshakeVersion, newPacket, packetLength } from './handshake-packet.ts';
import type { Ciphers, KeyPair } from './key-exchange.ts';
import { agreeSecret, deriveCiphers, drawKeyPair } from './key-exchange.ts';

export interface ClientHandshakeOptions extends HandshakeOptions {
  /** C0; of 6, 8 and 9 the server may answer any. */
  readonly version: HandshakeVersion;
  /** For version 3: whether C1 carries a digest; 'simple' unless told. RTMPE always does. */
  readonly kind?: 'simple' | 'digest';
  /** Where C1 has its digest; 'KD' unless told, as librtmp and FFmpeg have it (RTMPE 1.2). */
  readonly layout?: Layout;
  /** 'echo' answers with S1 as it came, as FFmpeg does when it publishes (RTMPE 1.2); for tests. */
  readonly c2?: 'signed' | 'echo';
}

// As FFmpeg and librtmp have them (RTMPE 1.2, WIRE 2).
const encryptedVersion = [128, 0, 3, 2];
const digestVersion = [9, 0, 124, 2];
const noVersion = [0, 0, 0, 0];

export class ClientHandshake {
  readonly #options: ClientHandshakeOptions;
  readonly #reader: HandshakeReader;
  readonly #c1Digest: Digest | undefined;
  readonly #keyPair: KeyPair | undefined;
  #version: HandshakeVersion;
  #digest = false;
  #ciphers: Ciphers | undefined;
  #output: Uint8Array[] = [];
  #result: HandshakeResult | undefined;

  constructor(options: ClientHandshakeOptions) {
    this.#options = options;
    this.#version = options.version;
    this.#reader = new HandshakeReader({
      version: (byte) => this.#readS0(byte),
      first: (s1) => this.#answer(s1),
      second: (s2) => this.#readS2(s2),
    });
    const encrypted = options.version !== 3;
    if (encrypted) this.#keyPair = drawKeyPair(options.random);
    if (encrypted || options.kind === 'digest') {
      const layout = options.layout ?? 'KD';
      const c1 = newPacket(options, encrypted ? encryptedVersion : digestVersion);
      if (this.#keyPair !== undefined) publicKeyIn(c1, layout).set(this.#keyPair.publicKey);
      this.#c1Digest = writeDigest(c1, layout, clientKeys);
      this.#output.push(Uint8Array.of(options.version), c1);
    } else {
      this.#output.push(Uint8Array.of(options.version), newPacket(options, noVersion));
    }
  }

  /** Set when S2 was accepted. */
  get result(): HandshakeResult | undefined {
    return this.#result;
  }

  /**
   * Returns how many bytes were of the handshake: all, until S2 ends. Keeps no reference to `borrowed`.
   * Throws ProtocolError; the connection is then dead.
   */
  receive(borrowed: Uint8Array): number {
    return this.#reader.receive(borrowed);
  }

  /** C0 and C1 from the beginning, C2 once S1 came; they are the caller's then. */
  takeOutput(): readonly Uint8Array[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  #readS0(byte: number): void {
    // Another type of RTMPE is what some servers answer (RTMPE 1.2); plain instead of RTMPE never is, nor the reverse.
    if (!isHandshakeVersion(byte) || (byte === 3) !== (this.#version === 3)) {
      throw new ProtocolError('HANDSHAKE_VERSION_UNSUPPORTED', `S0 is ${byte}.`, { clause: 'RTMP 5.2.2' });
    }
    this.#version = byte;
  }

  #answer(s1: Uint8Array): void {
    const s1Digest = this.#c1Digest === undefined ? undefined : findDigest(s1, serverKeys);
    this.#digest = s1Digest !== undefined;
    if (this.#keyPair !== undefined) {
      if (s1Digest === undefined) {
        throw new ProtocolError('HANDSHAKE_DIGEST_MISMATCH', 'S1 has no valid digest.', {
          clause: 'RTMPE 1.1',
        });
      }
      const serverKey = publicKeyIn(s1, s1Digest.layout);
      const secret = agreeSecret(this.#keyPair, serverKey);
      this.#ciphers = deriveCiphers(secret, this.#keyPair.publicKey, serverKey);
    }
    this.#output.push(this.#c2For(s1, s1Digest));
  }

  #c2For(s1: Uint8Array, s1Digest: Digest | undefined): Uint8Array {
    if (this.#options.c2 === 'echo') return new Uint8Array(s1);
    if (s1Digest === undefined) return echoOf(s1, this.#options.time);
    const c2 = Uint8Array.from(this.#options.random(packetLength));
    writeSignature(c2, clientKeys, s1Digest, this.#version);
    return c2;
  }

  #readS2(s2: Uint8Array): void {
    const ciphers = this.#ciphers;
    if (ciphers === undefined) {
      // Plain servers echo whatever they like: not judged.
      this.#result = { version: this.#version, digest: this.#digest, encrypted: false };
      return;
    }
    if (this.#c1Digest === undefined || !isSigned(s2, serverKeys, this.#c1Digest, this.#version)) {
      throw new ProtocolError('HANDSHAKE_SIGNATURE_MISMATCH', 'S2 is not signed.', { clause: 'RTMPE 1.1' });
    }
    this.#ciphers = undefined;
    this.#result = {
      version: this.#version,
      digest: true,
      encrypted: true,
      decipher: ciphers.toClient,
      encipher: ciphers.toServer,
    };
  }
}
