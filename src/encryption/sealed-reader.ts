// Reads an encrypted recording as if it were the plain one: any part of it, finished or still growing. Finds the
// records by the index of a finished file, else one by one. Leaves out how the bytes of the file are got.
import type { KeyObject } from 'node:crypto';
import { readUint32 } from '../bytes/big-endian.ts';
import { ResourceError } from '../errors.ts';
import {
  fileKeyOf,
  headIsGenuine,
  indexPosition,
  indexTailLength,
  keyIdOf,
  longestRecord,
  openRecord,
  readIndex,
  readSealedHead,
  recordOverhead,
  sealedHeadLength,
} from './sealed-format.ts';

/** The stored file. */
export interface StoredBytes {
  /** Bytes from `position`, fewer at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  size(): Promise<number>;
}

interface Entry {
  /** Of the record in the file. */
  readonly position: number;
  /** Of its plain bytes in the recording. */
  readonly offset: number;
  readonly length: number;
}

export class SealedReader {
  readonly salt: Uint8Array;
  readonly #stored: StoredBytes;
  readonly #fileKey: KeyObject;
  readonly #entries: Entry[] = [];
  /** Where in the file the next record is looked for. */
  #next = sealedHeadLength;
  #plainLength = 0;
  #finished = false;
  /** The record that was opened last: reads are mostly in order, and smaller than a record. */
  #opened: { readonly number: number; readonly plain: Uint8Array } | undefined;

  private constructor(stored: StoredBytes, salt: Uint8Array, fileKey: KeyObject) {
    this.#stored = stored;
    this.salt = salt;
    this.#fileKey = fileKey;
  }

  /**
   * Undefined when the file does not begin like an encrypted one. Throws ResourceError ENCRYPTION_KEY_WRONG when it was
   * encrypted with another key, RECORDING_DAMAGED when its head was changed.
   */
  static async open(stored: StoredBytes, key: KeyObject | undefined): Promise<SealedReader | undefined> {
    const bytes = await stored.read(0, sealedHeadLength);
    const head = readSealedHead(bytes);
    if (head === undefined) return undefined;
    if (key === undefined || keyIdOf(key) !== head.keyId) throw wrongKey(head.keyId, key);
    const fileKey = fileKeyOf(key, head.salt);
    if (!headIsGenuine(bytes, fileKey)) throw damaged('its first 64 bytes were changed');
    const reader = new SealedReader(stored, head.salt, fileKey);
    await reader.refresh();
    return reader;
  }

  /** Plain bytes that are there, as of the last refresh. */
  get plainLength(): number {
    return this.#plainLength;
  }

  /** Of the plain bytes in each record. */
  get lengths(): readonly number[] {
    return this.#entries.map(({ length }) => length);
  }

  /** Looks for records that came since. */
  async refresh(): Promise<void> {
    if (this.#finished || (await this.#readIndex())) return;
    const size = await this.#stored.size();
    while (this.#next + recordOverhead <= size) {
      const length = readUint32(await this.#stored.read(this.#next, 4), 0);
      if (length === 0 || length > longestRecord || this.#next + recordOverhead + length > size) return;
      this.#add(length);
    }
  }

  /** Plain bytes `start` to `end` (not included), in pieces. Throws ResourceError RECORDING_DAMAGED. */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    let position = start;
    const last = Math.min(end, this.#plainLength);
    while (position < last) {
      const number = this.#find(position);
      const entry = this.#entries[number];
      if (entry === undefined) return;
      const plain = await this.#open(number, entry);
      const from = position - entry.offset;
      const to = Math.min(entry.length, last - entry.offset);
      yield plain.subarray(from, to);
      position = entry.offset + to;
    }
  }

  /**
   * Counts the records from the end that are not genuine (a tail full of zeros after a power cut) and forgets them.
   * Answers the plain bytes that remain.
   */
  async dropDamagedTail(): Promise<number> {
    for (;;) {
      const number = this.#entries.length - 1;
      const entry = this.#entries[number];
      if (entry === undefined) return 0;
      const record = await this.#stored.read(entry.position, entry.length + recordOverhead);
      if (openRecord(this.#fileKey, { number, offset: entry.offset }, record) !== undefined) {
        return this.#plainLength;
      }
      this.#entries.pop();
      this.#next = entry.position;
      this.#plainLength = entry.offset;
    }
  }

  async #readIndex(): Promise<boolean> {
    const size = await this.#stored.size();
    if (size < sealedHeadLength + indexTailLength) return false;
    const position = indexPosition(await this.#stored.read(size - indexTailLength, indexTailLength));
    if (position === undefined || position < this.#next || position > size) return false;
    const lengths = readIndex(await this.#stored.read(position, size - position));
    if (lengths === undefined) return false;
    const stored = lengths.reduce((sum, length) => sum + length + recordOverhead, sealedHeadLength);
    if (stored !== position) return false;
    for (const length of lengths.slice(this.#entries.length)) this.#add(length);
    this.#finished = true;
    return true;
  }

  #add(length: number): void {
    this.#entries.push({ position: this.#next, offset: this.#plainLength, length });
    this.#next += recordOverhead + length;
    this.#plainLength += length;
  }

  /** Number of the record that holds a plain byte. */
  #find(position: number): number {
    let low = 0;
    let high = this.#entries.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#entries[middle]?.offset ?? Infinity) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #open(number: number, { position, offset, length }: Entry): Promise<Uint8Array> {
    // The head is written anew while the recording grows, so it is never kept.
    if (number > 0 && this.#opened?.number === number) return this.#opened.plain;
    const record = await this.#stored.read(position, length + recordOverhead);
    const plain =
      record.length === length + recordOverhead
        ? openRecord(this.#fileKey, { number, offset }, record)
        : undefined;
    if (plain === undefined) throw damaged(`bytes ${offset} to ${offset + length} do not decrypt`);
    this.#opened = { number, plain };
    return plain;
  }
}

function wrongKey(keyId: string, key: KeyObject | undefined): ResourceError {
  const given = key === undefined ? 'no key is configured' : `the configured key has id ${keyIdOf(key)}`;
  return new ResourceError(
    'ENCRYPTION_KEY_WRONG',
    `the recording was encrypted with key ${keyId}; ${given}`,
    {
      hint: 'Give the key that was used then: recorder.encryption in the configuration.',
    },
  );
}

function damaged(how: string): ResourceError {
  return new ResourceError('RECORDING_DAMAGED', `the encrypted recording is damaged: ${how}`, {
    hint: 'What lies before and behind the damage can still be read; restore the file from a copy if there is one.',
  });
}
