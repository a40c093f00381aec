import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PublicationClock } from '../../src/connection/publication-clock.ts';

describe('media', () => {
  it('follows any walk of steps below 2^31, through every wrap and back', () => {
    const steps = fc.array(fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }), { maxLength: 50 });
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), steps, (first, walk) => {
        const clock = new PublicationClock();
        expect(clock.media(first)).toBe(0);
        let at = 0;
        for (const each of walk) {
          at += each;
          expect(clock.media((((first + at) % 2 ** 32) + 2 ** 32) % 2 ** 32)).toBe(at);
        }
      }),
      { seed: 20261122, numRuns: 200 },
    );
  });
});

describe('data', () => {
  it('before any media is 0 and sets nothing', () => {
    const clock = new PublicationClock();
    expect(clock.data(70_000)).toBe(0);
    expect(clock.media(50_000)).toBe(0);
    expect(clock.data(50_030)).toBe(30);
    expect(clock.media(50_040)).toBe(40);
  });

  it('goes through a wrap with the media, and does not move them', () => {
    const clock = new PublicationClock();
    clock.media(0xffff_fff0);
    expect(clock.data(9)).toBe(25);
    expect(clock.data(0xffff_0000)).toBe(0);
    expect(clock.media(4)).toBe(20);
  });

  it('stamped 0 is now, however far along the media are', () => {
    const clock = new PublicationClock();
    clock.media(3_000_000_000);
    clock.media(3_000_000_500);
    expect(clock.data(0)).toBe(500);
  });
});
