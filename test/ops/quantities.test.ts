// Quantities people write: every accepted spelling, and everything that must not be guessed at.
import { describe, expect, it } from 'vitest';
import { assert as assertProperty, integer, property } from 'fast-check';
import {
  formatBitrate,
  formatSize,
  formatDuration,
  formatInstant,
  parseBitrate,
  parseDuration,
  parseInstant,
  parseSize,
} from '../../src/ops/quantities.ts';

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['8h', 28_800_000],
    ['30d', 2_592_000_000],
    ['1.5h', 5_400_000],
    ['0.1s', 100],
    ['0', 0],
    ['0s', 0],
  ])('%s', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each([
    '',
    '30',
    '-5s',
    '+5s',
    '5 hours',
    '5M',
    '0.5ms',
    '1e3s',
    '5s ',
    ' 5s',
    '5s5m',
    '٣s',
    '.5s',
    '5.s',
    's',
  ])('refuses %j', (text) => expect(parseDuration(text)).toBeUndefined());

  it('refuses what a number cannot hold exactly', () => {
    expect(parseDuration('999999999999999d')).toBeUndefined();
  });
});

describe('parseSize', () => {
  it.each([
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['1GiB', 1_073_741_824],
    ['2TiB', 2_199_023_255_552],
    ['1.5KiB', 1536],
    ['500MB', 500_000_000],
    ['4096', 4096],
    ['10 GB', 10_000_000_000],
    ['0', 0],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', '64k', '64kib', '-1', '1.5', '1,5GiB', 'GiB', '1 000', '1constructor', '1__proto__'])(
    'refuses %j',
    (text) => expect(parseSize(text)).toBeUndefined(),
  );
});

describe('parseBitrate', () => {
  it.each([
    ['12M', 12_000_000],
    ['800k', 800_000],
    ['800K', 800_000],
    ['2.5Mbps', 2_500_000],
    ['12Mbit/s', 12_000_000],
    ['6000000', 6_000_000],
    ['1G', 1_000_000_000],
  ])('%s', (text, bits) => expect(parseBitrate(text)).toBe(bits));

  it.each(['', '12m', '12MB', '12MiB', 'fast', '-1M', 'bps'])('refuses %j', (text) =>
    expect(parseBitrate(text)).toBeUndefined(),
  );
});

describe('parseInstant', () => {
  it.each([
    ['2026-12-24', Date.UTC(2026, 11, 24)],
    ['2026-12-24T18:00Z', Date.UTC(2026, 11, 24, 18)],
    ['2026-12-24T18:00:30.5+01:00', Date.UTC(2026, 11, 24, 17, 0, 30, 500)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
  ])('%s', (text, instant) => expect(parseInstant(text)).toBe(instant));

  it.each([
    '',
    '2026-02-31',
    '2026-02-30T10:00Z',
    '2026-12-24T18:00',
    '24.12.2026',
    '2026-13-01',
    '2026-12-24T25:00Z',
    '1766600000',
    'tomorrow',
  ])('refuses %j', (text) => expect(parseInstant(text)).toBeUndefined());
});

describe('formatInstant', () => {
  it('is read back, and is null for nothing', () => {
    expect(formatInstant(Date.UTC(2026, 11, 24, 18))).toBe('2026-12-24T18:00:00.000Z');
    expect(parseInstant(formatInstant(1_797_000_000_123) ?? '')).toBe(1_797_000_000_123);
    expect(formatInstant(undefined)).toBeNull();
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [999, '0s'],
    [12_345, '12s'],
    [300_000, '5m'],
    [3_605_000, '1h'],
    [3_725_000, '1h 2m'],
    [2_591_999_000, '29d 23h'],
  ])('%d', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));

  it('is read back to within its smaller unit', () => {
    assertProperty(
      property(integer({ min: 1000, max: 1e12 }), (milliseconds) => {
        const read = formatDuration(milliseconds)
          .split(' ')
          .reduce((sum, part) => sum + (parseDuration(part) ?? Number.NaN), 0);
        expect(read).toBeLessThanOrEqual(milliseconds);
        expect(milliseconds - read).toBeLessThan(Math.max(milliseconds / 10, 3_600_000));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('formatBitrate', () => {
  it.each([
    [12_000_000, '12 Mbit/s'],
    [2_540_000, '2.5 Mbit/s'],
    [800_000, '800 kbit/s'],
    [12, '12 bit/s'],
  ])('%d', (bits, text) => expect(formatBitrate(bits)).toBe(text));
});

describe('formatSize', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1.5 * 2 ** 30, '1.5 GiB'],
    [2 ** 50, '1024.0 TiB'],
  ])('%d', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});
