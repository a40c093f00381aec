// The files of recordings as everybody but the disk sees them: plain FLV, whether or not the operator wants them
// encrypted where they lie. The form of an encrypted file is in encryption/; here it meets files.
import type { KeyObject } from 'node:crypto';
import { SealedReader } from '../encryption/sealed-reader.ts';
import { SealedWriter } from '../encryption/sealed-writer.ts';
import { headLength } from '../flv/file-head.ts';
import type { StreamName } from '../ops/names.ts';
import {
  createRecordingFile,
  openForReading,
  type RecordingFile,
  reopenRecordingFile,
} from './recording-file.ts';

/** What is read of a file: a FileHandle is one. */
export interface StoredFile {
  read<T extends Uint8Array>(
    buffer: T,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number; readonly buffer: T }>;
  stat(): Promise<{ readonly size: number; readonly mtimeMs: number }>;
  close(): Promise<void>;
}

/** How recordings are encrypted. */
export interface VaultEncryption {
  /** 32 bytes. */
  readonly key: KeyObject;
  /** Which streams' recordings are encrypted from now on; files that exist are what they are. */
  readonly applies: (stream: StreamName) => boolean;
  readonly random: (length: number) => Uint8Array;
}

export class RecordingVault {
  /** The recordings folder. */
  readonly folder: string;
  readonly #encryption: VaultEncryption | undefined;

  constructor(folder: string, encryption?: VaultEncryption) {
    this.folder = folder;
    this.#encryption = encryption;
  }

  /** Makes the file `path` + `.part`. Throws ResourceError. */
  async create(stream: StreamName, path: string): Promise<RecordingFile> {
    const file = await createRecordingFile(this.folder, path);
    const encryption = this.#encryption;
    return encryption?.applies(stream) === true ? new EncryptedFile(file, encryption) : file;
  }

  /** Opens `path`, `.part` or not. Throws the error of the file system (ENOENT…), ResourceError for the wrong key. */
  async open(path: string): Promise<StoredFile> {
    const stored = await openForReading(this.folder, path);
    return (await this.#decrypted(stored)) ?? stored;
  }

  /** Opens `path` + `.part` for repair, without what is torn of an encrypted file. Throws ResourceError. */
  async reopen(path: string): Promise<{ readonly file: RecordingFile; readonly stored: StoredFile }> {
    const { file, handle } = await reopenRecordingFile(this.folder, path);
    try {
      const decrypted = await this.#decrypted(handle);
      if (decrypted === undefined || this.#encryption === undefined) return { file, stored: handle };
      await decrypted.dropDamagedTail();
      const encrypted = new EncryptedFile(file, this.#encryption, decrypted.records);
      await encrypted.cutTail();
      return { file: encrypted, stored: decrypted };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #decrypted(stored: StoredFile): Promise<DecryptedFile | undefined> {
    try {
      return await DecryptedFile.open(stored, this.#encryption?.key);
    } catch (error) {
      await stored.close();
      throw error;
    }
  }
}

/** Writes a recording through to an encrypted file. */
class EncryptedFile implements RecordingFile {
  readonly #file: RecordingFile;
  readonly #writer: SealedWriter;

  /** `file`: empty, or one whose records `resumed` tells. */
  constructor(
    file: RecordingFile,
    parts: Pick<VaultEncryption, 'key' | 'random'>,
    resumed?: { readonly salt: Uint8Array; readonly lengths: readonly number[] },
  ) {
    this.#file = file;
    const { key, random } = parts;
    this.#writer = new SealedWriter({ key, random, headLength }, resumed);
  }

  get length(): number {
    return this.#writer.plainLength;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const sealed = this.#writer.append(bytes);
    // The head of the file goes with the first record, so that a file is empty or has both.
    const isFirst = this.#file.length === 0;
    await this.#file.append(isFirst ? Buffer.concat([this.#writer.head, sealed.bytes]) : sealed.bytes);
    sealed.appended();
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset !== 0) throw new RangeError('only the head of a recording is patched');
    const sealed = this.#writer.patchHead(bytes);
    await this.#file.patch(sealed.position, sealed.bytes);
  }

  async truncate(length: number): Promise<void> {
    await this.#file.truncate(this.#writer.truncate(length));
  }

  /** What follows the last whole record is torn, or the index of a file that was killed while it took its name. */
  async cutTail(): Promise<void> {
    await this.truncate(this.length);
  }

  datasync(): Promise<void> {
    return this.#file.datasync();
  }

  async seal(): Promise<void> {
    await this.#file.append(this.#writer.index());
    await this.#file.seal();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  discard(): Promise<void> {
    return this.#file.discard();
  }
}

/** Reads an encrypted file as the FLV file that it holds. */
class DecryptedFile implements StoredFile {
  readonly #stored: StoredFile;
  readonly #reader: SealedReader;

  private constructor(stored: StoredFile, reader: SealedReader) {
    this.#stored = stored;
    this.#reader = reader;
  }

  /** Undefined for a plain file. Throws ResourceError ENCRYPTION_KEY_WRONG or RECORDING_DAMAGED. */
  static async open(stored: StoredFile, key: KeyObject | undefined): Promise<DecryptedFile | undefined> {
    const reader = await SealedReader.open(
      {
        read: (position, length) => readFrom(stored, position, length),
        size: async () => (await stored.stat()).size,
      },
      key,
    );
    return reader === undefined ? undefined : new DecryptedFile(stored, reader);
  }

  /** Of its records, for a repair that goes on writing. */
  get records(): { readonly salt: Uint8Array; readonly lengths: readonly number[] } {
    const { salt, lengths } = this.#reader;
    return { salt, lengths };
  }

  /** Forgets what a power cut left of records that were never whole. */
  async dropDamagedTail(): Promise<void> {
    await this.#reader.dropDamagedTail();
  }

  async read<T extends Uint8Array>(
    buffer: T,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number; buffer: T }> {
    let bytesRead = 0;
    for await (const piece of this.#reader.read(position, position + length)) {
      buffer.set(piece, offset + bytesRead);
      bytesRead += piece.length;
    }
    return { bytesRead, buffer };
  }

  /** `size` of the FLV file; looks for what was appended since. */
  async stat(): Promise<{ readonly size: number; readonly mtimeMs: number }> {
    await this.#reader.refresh();
    const { mtimeMs } = await this.#stored.stat();
    return { size: this.#reader.plainLength, mtimeMs };
  }

  close(): Promise<void> {
    return this.#stored.close();
  }
}

async function readFrom(stored: StoredFile, position: number, length: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await stored.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
