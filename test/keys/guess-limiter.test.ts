// Guessing, slowed down: who is locked out, for how long, and who is not.
import { describe, expect, it } from 'vitest';
import { GuessLimiter } from '../../src/keys/guess-limiter.ts';
import { keysLimits } from '../../src/keys/keys-limits.ts';
import { FakeClock } from '../support/fake-clock.ts';

const setUp = () => {
  const clock = new FakeClock();
  const limiter = new GuessLimiter(clock);
  const failTimes = (count: number, address = '203.0.113.7') =>
    Array.from({ length: count }, () => limiter.fail(address, 1)).filter((lockout) => lockout !== undefined);
  return { clock, limiter, failTimes };
};

describe('GuessLimiter', () => {
  it('locks an address out at the tenth failure in a minute, for a minute', () => {
    const { clock, limiter, failTimes } = setUp();
    expect(failTimes(9)).toEqual([]);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(false);
    expect(failTimes(1)).toEqual([60_000]);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(true);
    expect(limiter.isLockedOut('203.0.113.8')).toBe(false);
    clock.advance(59_999);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(true);
    clock.advance(1);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(false);
  });

  it('doubles each further lockout up to an hour, and forgives after an hour of quiet', () => {
    const { clock, failTimes } = setUp();
    const lockouts: number[] = [];
    for (let round = 0; round < 8; round++) {
      const [lockout = 0] = failTimes(10);
      lockouts.push(lockout / 60_000);
      clock.advance(lockout + 60_000);
    }
    expect(lockouts).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    clock.advance(keysLimits.longestLockout);
    expect(failTimes(10)).toEqual([60_000]);
  });

  it('leaves alone who fails now and then', () => {
    const { clock, failTimes } = setUp();
    for (let count = 0; count < 100; count++) {
      expect(failTimes(1)).toEqual([]);
      clock.advance(6_001);
    }
  });

  it('does not lengthen a lockout by what was under way when it began', () => {
    const { clock, limiter, failTimes } = setUp();
    expect(failTimes(200)).toEqual([60_000]);
    clock.advance(60_000);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(false);
    expect(failTimes(9)).toEqual([]);
  });

  it('weighs failures', () => {
    const { limiter } = setUp();
    const lockouts = Array.from({ length: 40 }, () => limiter.fail('a', keysLimits.malformedWeight));
    expect(lockouts.findIndex((lockout) => lockout !== undefined)).toBe(39);
  });

  it('counts a /64 of IPv6 as one address, and an IPv4-mapped address as IPv4', () => {
    const { limiter } = setUp();
    for (let host = 1; host <= 10; host++) limiter.fail(`2001:db8:0:1::${host}`, 1);
    expect(limiter.isLockedOut('2001:db8:0:1:ffff::1')).toBe(true);
    expect(limiter.isLockedOut('2001:db8:0:2::1')).toBe(false);
    for (let count = 0; count < 10; count++) limiter.fail('::ffff:203.0.113.7', 1);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(true);
  });

  it('is not troubled when the wall clock is set', () => {
    const { clock, limiter, failTimes } = setUp();
    failTimes(10);
    clock.setNow(clock.now() + 86_400_000);
    expect(limiter.isLockedOut('203.0.113.7')).toBe(true);
  });

  it('remembers a bounded number of addresses and forgets the quietest first', () => {
    const { limiter, failTimes } = setUp();
    failTimes(10, '192.0.2.1');
    failTimes(10, '192.0.2.2');
    limiter.fail('192.0.2.1', 1);
    for (let count = 0; count < keysLimits.guessingAddresses - 1; count++) {
      limiter.fail(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`, 1);
    }
    expect(limiter.size).toBe(keysLimits.guessingAddresses);
    expect(limiter.isLockedOut('192.0.2.1')).toBe(true);
    expect(limiter.isLockedOut('192.0.2.2')).toBe(false);
  });
});
