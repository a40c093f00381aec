import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProxyHeader } from '../../src/door/proxy-header.ts';

const text = (line: string) => Buffer.from(line, 'latin1');
const signature = '0d0a0d0a000d0a515549540a';
const version2 = (rest: string) => Buffer.from(signature + rest.replaceAll(' ', ''), 'hex');
const client4 = { address: '203.0.113.7', port: 50_122 };

const good: readonly [name: string, bytes: Buffer, source: unknown][] = [
  ['1, TCP4', text('PROXY TCP4 203.0.113.7 192.0.2.1 50122 1935\r\n'), client4],
  [
    '1, TCP6',
    text('PROXY TCP6 2001:db8::7 2001:db8::1 50122 1935\r\n'),
    { address: '2001:db8::7', port: 50_122 },
  ],
  ['1, UNKNOWN', text('PROXY UNKNOWN\r\n'), undefined],
  ['1, UNKNOWN with addresses', text('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), undefined],
  ['2, TCP over IPv4', version2('21 11 000c cb007107 c0000201 c3ca 078f'), client4],
  ['2, with a TLV', version2('21 11 0011 cb007107 c0000201 c3ca 078f 04 0002 abcd'), client4],
  [
    '2, TCP over IPv6',
    version2(`21 21 0024 20010db8000000000000000000000007 20010db8000000000000000000000001 c3ca 078f`),
    { address: '2001:db8:0:0:0:0:0:7', port: 50_122 },
  ],
  ['2, LOCAL', version2('20 00 0000'), undefined],
  ['2, a Unix socket', version2(`21 31 0002 0000`), undefined],
];

describe('PROXY header', () => {
  it.each(good)('version %s', (_, bytes, source) => {
    const header = { kind: 'header', length: bytes.length, source };
    expect(parseProxyHeader(bytes)).toEqual(header);
    expect(parseProxyHeader(Buffer.concat([bytes, Buffer.from([3, 1, 2])]))).toEqual(header);
    for (let length = 0; length < bytes.length; length++) {
      expect(parseProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toEqual({ kind: 'incomplete' });
    }
  });

  it.each([
    ['RTMP', Buffer.from([3, 0, 0])],
    ['TLS', Buffer.from([0x16, 3, 1])],
    ['HTTP', text('GET / HTTP/1.1\r\n')],
    ['a v4 address as TCP6', text('PROXY TCP6 203.0.113.7 192.0.2.1 50122 1935\r\n')],
    ['no address', text('PROXY TCP4 localhost 192.0.2.1 50122 1935\r\n')],
    ['a port too high', text('PROXY TCP4 203.0.113.7 192.0.2.1 65536 1935\r\n')],
    ['a leading zero', text('PROXY TCP4 203.0.113.7 192.0.2.1 0123 1935\r\n')],
    ['a bare line feed', text('PROXY TCP4 203.0.113.7 192.0.2.1 50122 1935\n')],
    ['too many words', text('PROXY TCP4 203.0.113.7 192.0.2.1 50122 1935 x\r\n')],
    ['a line without end', text(`PROXY TCP4 ${'1'.repeat(200)}`)],
    ['version 3', version2('31 11 000c cb007107 c0000201 c3ca 078f')],
    ['a command nobody knows', version2('22 11 000c cb007107 c0000201 c3ca 078f')],
    ['addresses cut short', version2('21 11 0004 cb007107')],
    ['an endless body', version2('21 11 ffff')],
  ])('refuses %s', (_, bytes) => {
    expect(parseProxyHeader(bytes)).toEqual({ kind: 'invalid' });
  });

  it('reads any bytes without harm', () => {
    expect(() =>
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 300 }),
          fc.constantFrom('', 'PROXY ', 'PROXY TCP4 '),
          fc.boolean(),
          (tail, words, binary) => {
            const bytes = Buffer.concat([binary ? Buffer.from(signature, 'hex') : text(words), tail]);
            const header = parseProxyHeader(bytes);
            return header.kind !== 'header' || header.length <= bytes.length;
          },
        ),
        { seed: 7, numRuns: 2000 },
      ),
    ).not.toThrow();
  });
});
