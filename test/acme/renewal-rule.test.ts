import { assert, double, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acmeLimits } from '../../src/acme/acme-limits.ts';
import { type AcmeState, emptyState } from '../../src/acme/acme-state.ts';
import {
  chooseRenewal,
  expectedRequests,
  forget,
  retryDelay,
  spacingOf,
  waitBefore,
} from '../../src/acme/renewal-rule.ts';

const hour = 3_600_000;
const day = 24 * hour;
const now = Date.UTC(2026, 10, 22);
const lifetime = { serial: 'AA', notBefore: now, notAfter: now + 90 * day };
const window = { start: now + 50 * day, end: now + 52 * day };

describe('the time of renewal', () => {
  it('is two thirds of the life, a little sooner for some', () => {
    expect(chooseRenewal(lifetime, undefined, 0, undefined, () => 0).at).toBe(now + 60 * day);
    expect(chooseRenewal(lifetime, undefined, 0, undefined, () => 0.999).at).toBeGreaterThan(now + 57 * day);
    const short = { serial: 'AA', notBefore: now, notAfter: now + 6 * day };
    expect(chooseRenewal(short, undefined, 0, undefined, () => 0).at).toBe(now + 4 * day);
  });

  it('lies in the window that the authority suggests, and stays until that moves', () => {
    const chosen = chooseRenewal(lifetime, window, 7, undefined, () => 0.5);
    expect(chosen).toEqual({ serial: 'AA', at: now + 51 * day, checkAt: 7, window });
    expect(chooseRenewal(lifetime, window, 8, chosen, () => 0)).toEqual({ ...chosen, checkAt: 8 });
    const moved = { start: now - day, end: now };
    expect(chooseRenewal(lifetime, moved, 8, chosen, () => 0).at).toBe(now - day);
    expect(chooseRenewal({ ...lifetime, serial: 'BB' }, window, 8, chosen, () => 0).at).toBe(window.start);
  });

  it('is never so late that one failure would be fatal', () => {
    const late = { start: now + 200 * day, end: now + 201 * day };
    expect(chooseRenewal(lifetime, late, 0, undefined, () => 0).at).toBe(now + 81 * day);
  });
});

describe('an attempt', () => {
  const names = 'a.example';
  const wait = (state: Partial<AcmeState>, asked = false) =>
    waitBefore({ ...emptyState, ...state }, names, now, asked);

  it('may begin when nothing speaks against it', () => {
    expect(wait({})).toBeUndefined();
    expect(wait({ nextAttemptAt: now, notBefore: now })).toBeUndefined();
  });

  it('waits after a failure, unless the operator asks; for the authority in any case', () => {
    expect(wait({ nextAttemptAt: now + 5 })).toEqual({ waiting: 'backoff', until: now + 5 });
    expect(wait({ nextAttemptAt: now + 5 }, true)).toBeUndefined();
    expect(wait({ notBefore: now + 5 }, true)).toEqual({ waiting: 'authority', until: now + 5 });
  });

  it('waits when an hour has seen as many validations in vain as it may', () => {
    const most = acmeLimits.failedValidationsPerHour;
    const validations = Array.from({ length: most }, (_, index) => now - index * 60_000);
    expect(wait({ validations }, true)).toEqual({
      waiting: 'validations',
      until: now - (most - 1) * 60_000 + hour,
    });
    expect(wait({ validations: validations.slice(1) }, true)).toBeUndefined();
  });

  it('waits when a week has seen as many certificates of the same names as it may', () => {
    const issue = (at: number, life = 90 * day) => ({ names, at, life });
    const issued = [issue(now - 6 * day), issue(now - 5 * day), issue(now - 2 * day), issue(now - day)];
    expect(wait({ issued }, true)).toEqual({ waiting: 'certificates', until: now + day });
    expect(wait({ issued: issued.map((one) => ({ ...one, names: 'b.example' })) })).toBeUndefined();
    expect(wait({ issued: issued.map(({ at }) => issue(at, day)) })).toBeUndefined(); // lives of a day
  });

  it('is not held up for ever by a clock that was set back', () => {
    const validations = Array.from({ length: 9 }, () => now + 1000 * day);
    expect(wait({ validations })).toEqual({ waiting: 'validations', until: now + hour });
    const later = { nextAttemptAt: now + 365 * day, notBefore: now + 365 * day };
    expect(forget({ ...emptyState, ...later }, now)).toMatchObject({
      nextAttemptAt: now + day,
      notBefore: now + day,
    });
  });
});

describe('failures', () => {
  it('are spaced wider each time, with jitter, up to the limit', () => {
    const middle = () => 0.5;
    expect([1, 2, 3].map((failures) => retryDelay(failures, middle))).toEqual([60_000, 120_000, 240_000]);
    assert(
      property(nat(10_000), double({ min: 0, max: 0.999, noNaN: true }), (failures, dice) => {
        const delay = retryDelay(failures, () => dice);
        expect(delay).toBeGreaterThanOrEqual(acmeLimits.shortestRetry * 0.75);
        expect(delay).toBeLessThanOrEqual(acmeLimits.longestRetry * 1.25);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('pay for their requests by waiting', () => {
    expect(spacingOf(10)).toBe(120_000);
    expect(expectedRequests(2, 1)).toBeGreaterThanOrEqual(10); // what pebble sees of two names
  });

  it('are forgotten when they are too old to count', () => {
    const state = {
      ...emptyState,
      validations: [now - 2 * hour, now - 60_000],
      issued: [
        { names: 'a', at: now - 8 * day, life: 1 },
        { names: 'a', at: now - day, life: 1 },
      ],
    };
    expect(forget(state, now)).toMatchObject({ validations: [now - 60_000], issued: [{ at: now - day }] });
  });
});
