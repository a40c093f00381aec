import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  fileKeyOf,
  headIsGenuine,
  keyIdOf,
  openRecord,
  readIndex,
  readSealedHead,
  recordOverhead,
  sealedHeadLength,
  sealRecord,
  writeIndex,
  writeSealedHead,
} from '../../src/encryption/sealed-format.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const salt = Buffer.alloc(16, 2);
const fileKey = fileKeyOf(key, salt);
const nonce = Buffer.alloc(12, 3);
const plain = Buffer.from('one tag and another');

describe('the head of an encrypted recording', () => {
  it('names its key without telling it, and shows every change', () => {
    const head = writeSealedHead(key, fileKey, salt);
    expect(head.length).toBe(sealedHeadLength);
    expect(readSealedHead(head)).toEqual({ salt: Uint8Array.from(salt), keyId: keyIdOf(key) });
    expect(keyIdOf(key)).not.toBe(keyIdOf(createSecretKey(Buffer.alloc(32, 9))));
    expect(headIsGenuine(head, fileKey)).toBe(true);
    for (const at of [0, 8, 24, 31, 32, 63]) {
      const changed = Uint8Array.from(head);
      changed[at]! ^= 1;
      expect(headIsGenuine(changed, fileKey)).toBe(false);
    }
    expect(readSealedHead(Buffer.from('FLV'))).toBeUndefined();
  });
});

describe('a sealed record', () => {
  it('opens where it was sealed, and nowhere else', () => {
    const record = sealRecord(fileKey, { number: 4, offset: 1000 }, plain, nonce);
    expect(record.length).toBe(plain.length + recordOverhead);
    expect(Buffer.from(openRecord(fileKey, { number: 4, offset: 1000 }, record)!)).toEqual(plain);
    expect(openRecord(fileKey, { number: 5, offset: 1000 }, record)).toBeUndefined();
    expect(openRecord(fileKey, { number: 4, offset: 1001 }, record)).toBeUndefined();
    const other = fileKeyOf(key, Buffer.alloc(16, 7));
    expect(openRecord(other, { number: 4, offset: 1000 }, record)).toBeUndefined();
  });

  it('does not open with one bit changed behind its length', () => {
    const record = sealRecord(fileKey, { number: 0, offset: 0 }, plain, nonce);
    for (let at = 4; at < record.length; at += 1) {
      const changed = Uint8Array.from(record);
      changed[at]! ^= 0x10;
      expect(openRecord(fileKey, { number: 0, offset: 0 }, changed)).toBeUndefined();
    }
  });
});

describe('the index', () => {
  it('gives back the lengths, and is none when it is cut or longer than it says', () => {
    const index = writeIndex([32_768, 5, 262_144], 400_000);
    expect(readIndex(index)).toEqual([32_768, 5, 262_144]);
    expect(readIndex(index.subarray(4))).toBeUndefined();
    expect(readIndex(index.subarray(0, -4))).toBeUndefined();
    expect(readIndex(Buffer.alloc(24))).toEqual([]);
  });
});
