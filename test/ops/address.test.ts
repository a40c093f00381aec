// Addresses and blocks: compared with node's own BlockList and with the URL parser's RFC 5952 text.
import { BlockList, isIP } from 'node:net';
import { array, assert as assertProperty, integer, ipV4, ipV6, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressGroup,
  blockContains,
  formatAddressBlock,
  parseAddress,
  parseAddressBlock,
} from '../../src/ops/address.ts';

const runs = { seed: 1, numRuns: 500 };

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1', 4, 0x7f000001n],
    ['255.255.255.255', 4, 0xffffffffn],
    ['::', 6, 0n],
    ['::1', 6, 1n],
    ['1::', 6, 1n << 112n],
    ['2001:DB8::a:1', 6, 0x20010db8000000000000000000_0a0001n],
    ['fe80::1%eth0', 6, 0xfe80_0000_0000_0000_0000_0000_0000_0001n],
    ['::ffff:10.1.2.3', 4, 0x0a010203n],
    ['::ffff:a01:203', 4, 0x0a010203n],
    ['64:ff9b::10.1.2.3', 6, 0x0064ff9b_0000_0000_0000_0000_0a010203n],
  ] as const)('%s', (text, family, value) => expect(parseAddress(text)).toEqual({ family, value }));

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '010.0.0.1',
    '1.2.3.256',
    '0x7f.0.0.1',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    '1.2.3.4::',
    '::1.2.3.4:1',
    'localhost',
    '10.0.0.1%eth0',
    '1:2:3:4:5:6:7:8::x',
  ])('refuses %j', (text) => expect(parseAddress(text)).toBeUndefined());

  it('agrees with node about what is an address', () => {
    const text = array(
      string({
        unit: integer({ min: 0, max: 17 }).map((index) => '0123456789abcdef:.'[index]!),
        maxLength: 12,
      }),
      { maxLength: 2 },
    );
    assertProperty(
      property(text, (parts) => {
        const candidate = parts.join('::');
        expect(parseAddress(candidate) !== undefined).toBe(isIP(candidate) !== 0);
      }),
      runs,
    );
  });
});

describe('address blocks', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3/32', '10.1.2.3'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8:1:2:3:4:5:6/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['::ffff:10.9.9.9/104', '10.0.0.0/8'],
  ])('%s is %s', (text, canonical) => {
    const block = parseAddressBlock(text);
    expect(block && formatAddressBlock(block)).toBe(canonical);
  });

  it.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/ 8',
    '::ffff:0:0/95',
    '10/8',
    'fe80::%eth0/64',
  ])('refuses %j', (text) => expect(parseAddressBlock(text)).toBeUndefined());

  it('contains what node says it contains', () => {
    const near = (text: string, other: string, prefix: number) => {
      const family = text.includes(':') ? 'ipv6' : 'ipv4';
      const list = new BlockList();
      list.addSubnet(text, prefix, family);
      const block = parseAddressBlock(`${text}/${prefix}`)!;
      for (const candidate of [text, other]) {
        expect(blockContains(block, parseAddress(candidate)!)).toBe(list.check(candidate, family));
      }
    };
    assertProperty(
      property(ipV4(), integer({ min: 0, max: 255 }), integer({ min: 1, max: 32 }), (text, octet, prefix) =>
        near(text, text.replace(/\d+$/, String(octet)), prefix),
      ),
      runs,
    );
    const groups = array(integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 });
    assertProperty(
      property(groups, integer({ min: 0, max: 7 }), integer({ min: 1, max: 128 }), (parts, at, prefix) => {
        const hex = parts.map((part) => part.toString(16));
        near(hex.join(':'), hex.with(at, '1').join(':'), prefix);
      }),
      runs,
    );
  });

  it('does not mix families', () => {
    expect(blockContains(parseAddressBlock('::/0')!, parseAddress('10.0.0.1')!)).toBe(false);
    expect(blockContains(parseAddressBlock('0.0.0.0/0')!, parseAddress('::1')!)).toBe(false);
    expect(blockContains(parseAddressBlock('10.0.0.0/8')!, parseAddress('::ffff:10.2.3.4')!)).toBe(true);
  });

  it('writes IPv6 as RFC 5952 and the URL standard do', () => {
    const sparse = array(integer({ min: 0, max: 3 }), { minLength: 8, maxLength: 8 });
    assertProperty(
      property(sparse, (parts) => {
        const text = parts.map((part) => Math.max(0, part - 1).toString(16)).join(':');
        const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        expect(formatAddressBlock(parseAddressBlock(text)!)).toBe(host);
      }),
      runs,
    );
    assertProperty(
      property(ipV6(), (text) => {
        const block = parseAddressBlock(text)!;
        expect(parseAddressBlock(formatAddressBlock(block))).toEqual(block);
      }),
      runs,
    );
  });
});

describe('addressGroup', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['somewhere', 'somewhere'],
  ])('%s counts as %s', (text, group) => expect(addressGroup(text)).toBe(group));
});
