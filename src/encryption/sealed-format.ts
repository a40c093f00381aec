// Recordings encrypted at rest: the form of such a file. It holds an FLV file as a sequence of records, each sealed
// on its own with AES-256-GCM (NIST SP 800-38D), so that a kill tears off one record at most, a part can be read
// without the rest, and a file in the making can be followed. Knows bytes only: no files, no keys' whereabouts.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';

// The form of the file; integers are unsigned, big-endian:
//
//   head    "PSEALED1"  8 | salt 16 | key id 8 | HMAC-SHA-256 of these 32 bytes under the file's key 32
//   record  length of the plain bytes 4 | nonce 12 | ciphertext | tag 16, any number; the first is the FLV head
//   end     0 4 | number of records 4 | their lengths 4 each | position of this end 8 | "PSINDEX1" 8
//
// The end is written when the recording is finished; without it records are found one by one. The file's key is
// HKDF-SHA-256 of the configured key and the salt (RFC 5869), so that no two files share one; a record authenticates
// its number and its place too, so none can be moved, copied or left out in the middle. A tail that is cut off shows
// in the signed manifest, not here.

const sealedMagic = 'PSEALED1';
const indexMagic = 'PSINDEX1';
/** Bytes in front of the first record. */
export const sealedHeadLength = 64;
export const saltLength = 16;
export const nonceLength = 12;
const tagLength = 16;
const lengthLength = 4;
/** Bytes that a record adds to what is in it. */
export const recordOverhead = lengthLength + nonceLength + tagLength;
/** Bytes in a record at most; a longer one is no record. */
export const longestRecord = 16 * 1024 * 1024;
/** Bytes behind the lengths in the end of a finished file. */
export const indexTailLength = 16;

/** Names a key without telling anything of it: 16 hex digits. */
export function keyIdOf(key: KeyObject): string {
  const hash = createHash('sha256').update('penstock recording key id').update(key.export());
  return hash.digest('hex').slice(0, 16);
}

export interface SealedHead {
  readonly salt: Uint8Array;
  /** Of the key that the file was encrypted with. */
  readonly keyId: string;
}

/** The file's own key. `salt` of 16 bytes. */
export function fileKeyOf(key: KeyObject, salt: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, salt, 'penstock recording', 32)));
}

export function writeSealedHead(key: KeyObject, fileKey: KeyObject, salt: Uint8Array): Uint8Array {
  const named = Buffer.concat([Buffer.from(sealedMagic, 'latin1'), salt, Buffer.from(keyIdOf(key), 'hex')]);
  return Buffer.concat([named, createHmac('sha256', fileKey).update(named).digest()]);
}

/** Undefined for bytes that do not begin an encrypted recording. */
export function readSealedHead(bytes: Uint8Array): SealedHead | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (head.length < sealedHeadLength || head.toString('latin1', 0, 8) !== sealedMagic) return undefined;
  return { salt: Uint8Array.from(head.subarray(8, 24)), keyId: head.toString('hex', 24, 32) };
}

/** Whether the head was written with this key of the file and nobody has changed it. */
export function headIsGenuine(bytes: Uint8Array, fileKey: KeyObject): boolean {
  const expected = createHmac('sha256', fileKey).update(bytes.subarray(0, 32)).digest();
  return timingSafeEqual(expected, bytes.subarray(32, sealedHeadLength));
}

/** `number` counts the records from 0, `offset` the plain bytes in front of this one. */
export interface RecordPlace {
  readonly number: number;
  readonly offset: number;
}

/** `nonce` of 12 random bytes: it must never come twice under one key of a file. */
export function sealRecord(
  fileKey: KeyObject,
  { number, offset }: RecordPlace,
  plain: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', fileKey, nonce);
  cipher.setAAD(placeBytes(number, offset, plain.length));
  const length = Buffer.alloc(lengthLength);
  length.writeUInt32BE(plain.length);
  const ciphertext = cipher.update(plain);
  cipher.final();
  return Buffer.concat([length, nonce, ciphertext, cipher.getAuthTag()]);
}

/** Of the whole record. Undefined when it is damaged, in another place than it was sealed for, or of another key. */
export function openRecord(
  fileKey: KeyObject,
  { number, offset }: RecordPlace,
  record: Uint8Array,
): Uint8Array | undefined {
  const ciphertextEnd = record.length - tagLength;
  const nonce = record.subarray(lengthLength, lengthLength + nonceLength);
  const decipher = createDecipheriv('aes-256-gcm', fileKey, nonce, { authTagLength: tagLength });
  decipher.setAAD(placeBytes(number, offset, record.length - recordOverhead));
  decipher.setAuthTag(record.subarray(ciphertextEnd));
  const plain = decipher.update(record.subarray(lengthLength + nonceLength, ciphertextEnd));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}

/** The end of a finished file, with the plain lengths of all records; `position`: where it begins. */
export function writeIndex(lengths: readonly number[], position: number): Uint8Array {
  const bytes = Buffer.alloc(8 + lengths.length * 4 + indexTailLength);
  bytes.writeUInt32BE(lengths.length, 4);
  for (const [index, length] of lengths.entries()) bytes.writeUInt32BE(length, 8 + index * 4);
  bytes.writeBigUInt64BE(BigInt(position), bytes.length - indexTailLength);
  bytes.write(indexMagic, bytes.length - 8, 'latin1');
  return bytes;
}

/** Where the index begins, from the last 16 bytes of a file; undefined when it has none. */
export function indexPosition(tail: Uint8Array): number | undefined {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length);
  if (bytes.length !== indexTailLength || bytes.toString('latin1', 8) !== indexMagic) return undefined;
  const position = bytes.readBigUInt64BE();
  return position <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(position) : undefined;
}

/** Lengths of the records from the index, read from its position to the end of the file; undefined: no index. */
export function readIndex(bytes: Uint8Array): readonly number[] | undefined {
  const index = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (index.length < 8 + indexTailLength || index.readUInt32BE() !== 0) return undefined;
  const count = index.readUInt32BE(4);
  if (index.length !== 8 + count * 4 + indexTailLength) return undefined;
  return Array.from({ length: count }, (_, number) => index.readUInt32BE(8 + number * 4));
}

function placeBytes(number: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeBigUInt64BE(BigInt(number));
  bytes.writeBigUInt64BE(BigInt(offset), 8);
  bytes.writeUInt32BE(length, 16);
  return bytes;
}
