// The receiving half of a connection: deciphers when the handshake agreed on it, reads chunks into messages,
// and keeps what arrives while a request waits for its answer. pure.
import { type ChunkLimits, limitsAfterAuth, limitsBeforeAuth } from '../chunk/chunk-limits.ts';
import { ChunkReader } from '../chunk/chunk-reader.ts';
import type { Message } from '../chunk/message.ts';
import { ProtocolError } from '../errors.ts';
import type { Rc4 } from '../handshake/rc4.ts';

/** Bytes that may wait for an answer: a read or two that were under way when the transport was paused. */
const mostHeldBytes = 512 * 1024;
const nothing = new Uint8Array(0);

// Who borrows bytes never writes to them, so plain text goes to a scratch that all connections share.
let scratch = nothing;

export class MessageInput {
  /** Set when the handshake agreed on encryption. */
  decipher: Rc4 | undefined;
  /** Bytes received so far, for Acknowledgements. */
  received = 0;
  readonly #reader: ChunkReader;
  readonly #trusted: ChunkLimits;
  #halted = false;
  #held: Uint8Array = nothing;

  /** `messageSize` is the largest message of a peer that has shown a good key, in bytes. */
  constructor(messageSize: number, onMessage: (message: Message) => void) {
    const unfinishedBytes = Math.max(limitsAfterAuth.unfinishedBytes, messageSize);
    this.#trusted = { ...limitsAfterAuth, messageSize, unfinishedBytes };
    this.#reader = new ChunkReader(limitsBeforeAuth, onMessage);
  }

  /** The peer has shown a good key: real frames are large. */
  trust(): void {
    this.#reader.limits = this.#trusted;
  }

  /** Stops behind the message that is being delivered; what follows waits for proceed(). */
  halt(): void {
    this.#halted = true;
    this.#reader.halt();
  }

  /** @throws ProtocolError; the connection is then dead. */
  receive(borrowed: Uint8Array): void {
    this.received += borrowed.length;
    const bytes = this.decipher === undefined ? borrowed : decipherToScratch(this.decipher, borrowed);
    if (this.#halted) this.#hold(bytes);
    else this.#read(bytes);
  }

  /** Reads on with what had to wait. @throws ProtocolError */
  proceed(): void {
    const held = this.#held;
    this.#held = nothing;
    this.#halted = false;
    this.#read(held); // even if empty: the reader may hold some bytes itself
  }

  #read(bytes: Uint8Array): void {
    const consumed = this.#reader.read(bytes);
    if (consumed < bytes.length) this.#hold(bytes.subarray(consumed));
  }

  #hold(bytes: Uint8Array): void {
    const length = this.#held.length + bytes.length;
    if (length > mostHeldBytes) {
      throw new ProtocolError('COMMAND_OUT_OF_STATE', 'too much was sent before a request was answered');
    }
    const joined = new Uint8Array(length);
    joined.set(this.#held);
    joined.set(bytes, this.#held.length);
    this.#held = joined;
  }
}

function decipherToScratch(decipher: Rc4, bytes: Uint8Array): Uint8Array {
  if (scratch.length < bytes.length) scratch = new Uint8Array(bytes.length);
  const plain = scratch.subarray(0, bytes.length);
  decipher.apply(bytes, plain);
  return plain;
}
