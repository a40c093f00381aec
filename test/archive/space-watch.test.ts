import { describe, expect, it } from 'vitest';
import { nextSpaceState, SpaceWatch, type SpaceState } from '../../src/archive/space-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';

describe('the space on the volume', () => {
  it('goes down at one mark and comes back at a higher one', () => {
    const way: [free: number, state: SpaceState][] = [
      [201, 'ample'],
      [199, 'low'],
      [240, 'low'],
      [100, 'low'],
      [99, 'stop'],
      [110, 'stop'],
      [125, 'low'],
      [249, 'low'],
      [250, 'ample'],
      [50, 'stop'],
      [Infinity, 'ample'],
    ];
    let state: SpaceState = 'ample';
    for (const [free, expected] of way) {
      state = nextSpaceState(state, free, 100);
      expect([free, state]).toEqual([free, expected]);
    }
    expect(nextSpaceState('ample', 0, 0)).toBe('ample');
  });

  it('is looked at every few seconds, told when it changes, and logged once', async () => {
    const clock = new FakeClock();
    const log = new RecordedLog();
    let free = 1000;
    const watch = new SpaceWatch({ measure: async () => free, minFreeSpace: 100, clock, log });
    const told: unknown[] = [];
    watch.onChange((state, bytes) => told.push([state, bytes]));
    await watch.start();
    for (free of [150, 140, 90, 80, 140, 150, 900]) {
      clock.advance(5000);
      await settled();
    }
    expect(told).toEqual([
      ['low', 150],
      ['stop', 90],
      ['low', 140],
      ['ample', 900],
    ]);
    expect(log.events).toEqual(['space.nearly-used', 'space.exhausted', 'space.regained']);
    watch.stop();
    expect(clock.timers).toBe(0);
    const idle = new SpaceWatch({ measure: async () => 0, minFreeSpace: 0, clock, log });
    await idle.start();
    expect([idle.state, clock.timers]).toEqual(['ample', 0]);
  });
});
