import { describe, expect, it } from 'vitest';
import { sniff } from '../../src/transport/sniff-rule.ts';

describe('the first byte', () => {
  const kinds = Array.from({ length: 256 }, (_, byte) => sniff(byte));
  const bytesOf = (kind: string) => kinds.flatMap((each, byte) => (each === kind ? [byte] : []));

  it('is of TLS, RTMP, RTMPE or HTTP, and of nothing else', () => {
    expect(bytesOf('tls')).toEqual([0x16]);
    expect(bytesOf('rtmp')).toEqual([3]);
    expect(bytesOf('rtmpe')).toEqual([6, 8, 9]);
    expect(String.fromCharCode(...bytesOf('http'))).toBe('ABCDEFGHIJKLMNOPQRSTUVWXYZ');
    expect(bytesOf('unknown')).toHaveLength(256 - 1 - 1 - 3 - 26);
  });
});
