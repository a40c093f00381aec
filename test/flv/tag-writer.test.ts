import { describe, expect, it } from 'vitest';
import { fileHeader, tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { TagType } from '../../src/flv/tag.ts';
import { toHex } from '../support/vectors.ts';

describe('writeTag', () => {
  it('writes header, extended timestamp, body and PreviousTagSize', () => {
    const target = new Uint8Array(3 + tagSize(2)).fill(0xee);
    expect(writeTag(target, 3, TagType.Video, 0x12345678, Uint8Array.of(0xaa, 0xbb))).toBe(target.length);
    expect(toHex(target)).toBe('eeeeee0900000234567812000000aabb0000000d');
  });

  it('writes an empty body and the last timestamp of 24 bits', () => {
    const target = new Uint8Array(tagSize(0));
    writeTag(target, 0, TagType.Audio, 0xffffff, new Uint8Array(0));
    expect(toHex(target)).toBe('08000000ffffff000000000000000b');
  });
});

describe('fileHeader', () => {
  it('says what tracks there are', () => {
    expect(toHex(fileHeader(true, true))).toBe('464c5601050000000900000000');
    expect(fileHeader(true, false)[4]).toBe(4);
    expect(fileHeader(false, true)[4]).toBe(1);
  });
});
