import { describe, expect, it } from 'vitest';
import {
  bitString,
  bmp,
  boolean,
  context,
  contextConstructed,
  der,
  empty,
  encoded,
  integer,
  octets,
  oid,
  sequence,
  set,
  time,
  utf8,
} from '../../src/certificates/der-writer.ts';

describe('DER', () => {
  // Bytes by hand from X.690 8.
  it.each([
    ['SEQUENCE and SET', sequence(set(), empty()), '300431000500'],
    ['INTEGER', integer(Uint8Array.of(0x00, 0x87)), '02020087'],
    ['BOOLEAN', sequence(boolean(true), boolean(false)), '30060101ff010100'],
    ['OBJECT IDENTIFIER', oid('1.2.840.113549.1.5.13'), '06092a864886f70d01050d'],
    ['OCTET STRING', octets(Uint8Array.of(0xff, 0x80)), '0402ff80'],
    ['BIT STRING', bitString(Uint8Array.of(0x06), 1), '03020106'],
    ['UTF8String', utf8('é'), '0c02c3a9'],
    ['BMPString', bmp('aé'), '1e04006100e9'],
    ['a tagged primitive', context(6, Uint8Array.of(0x61)), '860161'],
    ['a tagged value', contextConstructed(0, empty()), 'a0020500'],
    ['what is DER already', encoded(Uint8Array.of(0x05, 0x00)), '0500'],
    ['UTCTime', time(Date.UTC(2049, 11, 31, 23, 59, 59)), '170d3439313233313233353935395a'],
    ['GeneralizedTime', time(Date.UTC(2050, 0, 1)), '180f32303530303130313030303030305a'],
  ])('%s', (_, value, hex) => {
    expect(der(value).toString('hex')).toBe(hex);
  });
});
