// Turns the appends of a recording into the bytes of an encrypted file. The first bytes, which are overwritten when
// the recording ends, are a record of their own. Leaves out the file.
import type { KeyObject } from 'node:crypto';
import {
  fileKeyOf,
  nonceLength,
  recordOverhead,
  saltLength,
  sealedHeadLength,
  sealRecord,
  writeIndex,
  writeSealedHead,
} from './sealed-format.ts';

export interface SealedWriterOptions {
  /** The configured key, 32 bytes. */
  readonly key: KeyObject;
  /** Plain bytes at the beginning that may be patched. */
  readonly headLength: number;
  readonly random: (length: number) => Uint8Array;
}

export class SealedWriter {
  /** What the file begins with, before anything is appended. */
  readonly head: Uint8Array;
  readonly #options: SealedWriterOptions;
  readonly #fileKey: KeyObject;
  readonly #lengths: number[];
  #plainLength: number;
  #storedLength: number;

  /** `resumed`: a file that was scanned for its records, whose salt and lengths are given. */
  constructor(
    options: SealedWriterOptions,
    resumed?: { readonly salt: Uint8Array; readonly lengths: readonly number[] },
  ) {
    this.#options = options;
    const salt = resumed?.salt ?? options.random(saltLength);
    this.#fileKey = fileKeyOf(options.key, salt);
    this.head = writeSealedHead(options.key, this.#fileKey, salt);
    this.#lengths = [...(resumed?.lengths ?? [])];
    this.#plainLength = this.#lengths.reduce((sum, length) => sum + length, 0);
    this.#storedLength = sealedHeadLength + this.#plainLength + this.#lengths.length * recordOverhead;
  }

  /** Plain bytes so far. */
  get plainLength(): number {
    return this.#plainLength;
  }

  /** Where in the file the next append goes; its head counts. */
  get storedLength(): number {
    return this.#storedLength;
  }

  /**
   * The bytes to append to the file for these plain ones. Call `appended` when they are there: until then the writer
   * stays where it was, and a failed append may be tried again.
   */
  append(plain: Uint8Array): { readonly bytes: Uint8Array; readonly appended: () => void } {
    const cut = Math.min(plain.length, Math.max(0, this.#options.headLength - this.#plainLength));
    const pieces = [plain.subarray(0, cut), plain.subarray(cut)].filter(({ length }) => length > 0);
    let { length: number } = this.#lengths;
    let offset = this.#plainLength;
    const records = pieces.map((piece) => {
      const record = sealRecord(this.#fileKey, { number, offset }, piece, this.#options.random(nonceLength));
      number += 1;
      offset += piece.length;
      return record;
    });
    const bytes = records.length === 1 && records[0] !== undefined ? records[0] : Buffer.concat(records);
    return {
      bytes,
      appended: () => {
        this.#lengths.push(...pieces.map(({ length }) => length));
        this.#plainLength = offset;
        this.#storedLength += bytes.length;
      },
    };
  }

  /** Replaces the first record, which must have been appended with the same length. */
  patchHead(plain: Uint8Array): { readonly position: number; readonly bytes: Uint8Array } {
    if (plain.length !== this.#lengths[0]) throw new RangeError('only the whole head can be patched');
    const nonce = this.#options.random(nonceLength);
    const bytes = sealRecord(this.#fileKey, { number: 0, offset: 0 }, plain, nonce);
    return { position: sealedHeadLength, bytes };
  }

  /** Forgets records behind `plainLength`, which must be the end of one; answers where the file is to be cut. */
  truncate(plainLength: number): number {
    let kept = this.#lengths.length;
    let length = this.#plainLength;
    while (length > plainLength) {
      kept -= 1;
      length -= this.#lengths[kept] ?? 0;
    }
    if (length !== plainLength) throw new RangeError('an encrypted file is cut between records');
    this.#lengths.length = kept;
    this.#plainLength = length;
    this.#storedLength = sealedHeadLength + length + kept * recordOverhead;
    return this.#storedLength;
  }

  /** What makes the file complete, appended last. */
  index(): Uint8Array {
    return writeIndex(this.#lengths, this.#storedLength);
  }
}
