// What both sides of a handshake share: the packets, how they are gathered from a byte stream, and what a
// handshake results in (RTMP 5.2, RTMPE 1.1). pure.
import type { Rc4 } from './rc4.ts';

/** C0: 3 is plain RTMP; 6 is RTMPE; 8 and 9 are RTMPE with signatures masked by XTEA or Blowfish. */
export type HandshakeVersion = 3 | 6 | 8 | 9;

export interface HandshakeOptions {
  /** So many bytes that nobody can guess, in an array of their own: exponents are wiped in it. */
  readonly random: (length: number) => Uint8Array;
  /** ms, 32 bits: our clock as the peer sees it. */
  readonly time: number;
}

export interface HandshakeResult {
  readonly version: HandshakeVersion;
  /** The peer's first packet carried a valid digest. */
  readonly digest: boolean;
  readonly encrypted: boolean;
  /** Peer → us, for the first byte behind the handshake on; only when encrypted. */
  readonly decipher?: Rc4;
  /** Us → peer, for the first byte behind the handshake on; only when encrypted. */
  readonly encipher?: Rc4;
}

/** C1, S1, C2 and S2 are all of this length in bytes. RTMP 5.2.3, 5.2.4 */
export const packetLength = 1536;

/** Where the version of C1 and S1 is, and in C2 and S2 the time at which the peer's packet was read. */
export const secondWordOffset = 4;

export function isHandshakeVersion(byte: number): byte is HandshakeVersion {
  return byte === 3 || byte === 6 || byte === 8 || byte === 9;
}

/** A C1 or S1 without digest: time, four bytes of version, filler. RTMP 5.2.3 */
export function newPacket(options: HandshakeOptions, version: readonly number[]): Uint8Array {
  const packet = new Uint8Array(packetLength);
  writeWord(packet, 0, options.time);
  packet.set(version, secondWordOffset);
  packet.set(options.random(packetLength - 8), 8);
  return packet;
}

/** The C2 or S2 that echoes the peer's first packet. RTMP 5.2.4 */
export function echoOf(peerPacket: Uint8Array, time: number): Uint8Array {
  const packet = new Uint8Array(peerPacket); // A copy: slice() of a Buffer is none.
  writeWord(packet, secondWordOffset, time);
  return packet;
}

/** What either side is told by its reader. A packet is borrowed: valid during the call. */
export interface HandshakeParts {
  version(byte: number): void;
  first(packet: Uint8Array): void;
  second(packet: Uint8Array): void;
}

/**
 * Gathers the version byte and the two packets that either side receives. Holds 1,536 bytes from the first byte of
 * the first packet to the end of the second, or to the first error that `parts` throws; then it takes nothing more.
 */
export class HandshakeReader {
  readonly #parts: HandshakeParts;
  #next: keyof HandshakeParts | undefined = 'version';
  #packet: Uint8Array | undefined;
  #filled = 0;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
  }

  /** Returns how many bytes were of the handshake; they were copied. */
  receive(borrowed: Uint8Array): number {
    let consumed = 0;
    try {
      while (this.#next !== undefined && consumed < borrowed.length) {
        consumed +=
          this.#next === 'version' ? this.#readVersion(borrowed, consumed) : this.#gather(borrowed, consumed);
      }
    } catch (error) {
      this.#close();
      throw error;
    }
    return consumed;
  }

  #readVersion(borrowed: Uint8Array, from: number): number {
    this.#parts.version(borrowed[from] as number);
    this.#next = 'first';
    return 1;
  }

  #gather(borrowed: Uint8Array, from: number): number {
    const packet = (this.#packet ??= new Uint8Array(packetLength));
    const piece = borrowed.subarray(from, from + packetLength - this.#filled);
    packet.set(piece, this.#filled);
    this.#filled += piece.length;
    if (this.#filled === packetLength) this.#finish(packet);
    return piece.length;
  }

  #finish(packet: Uint8Array): void {
    this.#filled = 0;
    if (this.#next === 'first') {
      this.#parts.first(packet);
      this.#next = 'second';
    } else {
      this.#parts.second(packet);
      this.#close();
    }
  }

  #close(): void {
    this.#next = undefined;
    this.#packet = undefined;
  }
}

function writeWord(packet: Uint8Array, offset: number, word: number): void {
  new DataView(packet.buffer, packet.byteOffset).setUint32(offset, word); // Big-endian, modulo 2^32.
}
