import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { blowfishKeys, clientKeys, serverKeys, xteaKeys } from '../../src/handshake/genuine-keys.ts';

function sha256(parts: readonly Uint8Array[]): string {
  return createHash('sha256').update(Buffer.concat(parts)).digest('hex');
}

// The sums are of the same bytes in librtmp as Debian ships it.
describe('the genuine keys', () => {
  it('have the lengths and bytes that every RTMPE implementation has', () => {
    expect([clientKeys.digest.length, clientKeys.signature.length]).toEqual([30, 62]);
    expect([serverKeys.digest.length, serverKeys.signature.length]).toEqual([36, 68]);
    expect(sha256([clientKeys.signature, serverKeys.signature])).toBe(
      '8731836c658f34ac6b7cfd28d310947b29ec6e83f92d80af1f657769c2cc7674',
    );
    expect(xteaKeys.map((key) => key.length)).toEqual(Array(16).fill(16));
    expect(sha256(xteaKeys)).toBe('2c8e4e5a7423fe4dfc73ca679e23b522f9dee5d751ed43de7f0a46ec995777db');
    expect(blowfishKeys.map((key) => key.length)).toEqual(Array(16).fill(24));
    expect(sha256(blowfishKeys)).toBe('2c0dbb1da99c3efd100bfa376ffc1f7769c1219f0e9167c3df1312d1bfe14094');
  });
});
