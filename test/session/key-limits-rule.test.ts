// What a key allows of a session, driven by figures alone.
import { describe, expect, it } from 'vitest';
import { codecRefusal, KeyLimitsRule } from '../../src/session/key-limits-rule.ts';

const megabit = 1_000_000;

/** Sends at a steady rate, looked at twice a second, and answers after how many ms it is too much. */
function lasts(rule: KeyLimitsRule, bitsPerSecond: number, most = 3_600_000): number | undefined {
  for (let now = 500; now <= most; now += 500)
    if (rule.breach(now, (now * bitsPerSecond) / 8000) !== undefined) return now;
  return undefined;
}

describe('the limits of a key', () => {
  it('are none for a key without any', () => {
    expect(KeyLimitsRule.of({}, 0)).toBeUndefined();
  });

  it('let the allowed bitrate through for ever, and more than it only for a while', () => {
    const rule = () => new KeyLimitsRule({ maxBitrate: 2 * megabit }, 0);
    expect(lasts(rule(), 2 * megabit)).toBeUndefined();
    expect(lasts(rule(), 4 * megabit)).toBe(10_500);
    expect(lasts(rule(), 20 * megabit)).toBe(1500);
    expect(lasts(rule(), 2.2 * megabit)).toBeGreaterThan(60_000);
  });

  it('forgive the burst of an encoder whose network stood still, and a quiet hour buys no more than that', () => {
    const second = (2 * megabit) / 8;
    const rule = new KeyLimitsRule({ maxBitrate: 2 * megabit }, 0);
    expect(rule.breach(3_600_000, 0)).toBeUndefined();
    expect(rule.breach(3_600_500, 10 * second)).toBeUndefined();
    expect(rule.breach(3_600_500, 11 * second)).toMatchObject({
      code: 'BITRATE_EXCEEDED',
      message: expect.stringContaining('2000 kbit/s'),
    });
  });

  it('end a session when its time is up, whatever it sends', () => {
    const rule = new KeyLimitsRule({ maxSession: 60_000 }, 1000);
    expect(rule.breach(60_999, 1e12)).toBeUndefined();
    expect(rule.breach(61_000, 1e12)).toMatchObject({
      code: 'SESSION_TOO_LONG',
      message: expect.stringContaining('(60 s)'),
    });
  });

  it('name the codec that was sent and those that may be', () => {
    expect(codecRefusal(['h264', 'aac'], 'hevc').message).toMatch(/codec hevc is not allowed.*h264, aac\.$/);
    expect(codecRefusal(['aac'], undefined).message).toMatch(/^The codec of this stream is not allowed/);
  });
});
