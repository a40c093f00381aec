import { describe, expect, it } from 'vitest';
import { readUint16, readUint24, readUint32 } from '../../src/bytes/big-endian.ts';

describe('big-endian integers', () => {
  const bytes = Uint8Array.of(0xee, 0xff, 0xfe, 0xfd, 0xfc);

  it('are read from their offset, most significant byte first, without a sign', () => {
    expect(readUint16(bytes, 1)).toBe(0xff_fe);
    expect(readUint24(bytes, 1)).toBe(0xff_fe_fd);
    expect(readUint32(bytes, 1)).toBe(0xff_fe_fd_fc);
    expect(readUint32(Uint8Array.of(0, 0, 1, 2), 0)).toBe(258);
  });
});
