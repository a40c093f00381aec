import { describe, expect, it } from 'vitest';
import { ReadPacer, type PacedConnection } from '../../src/transport/read-pacer.ts';
import { FakeClock } from '../support/fake-clock.ts';

const fullSpeed = 256 * 1024;

interface FakeConnection extends PacedConnection {
  reading: boolean;
  /** How often it was stopped. */
  stops: number;
}

function connection(): FakeConnection {
  return {
    moved: 0,
    paused: false,
    reading: true,
    stops: 0,
    start() {
      this.reading = true;
    },
    stop() {
      this.reading = false;
      this.stops += 1;
    },
  };
}

/** A pacer with so many connections. The reads of a turn are over when the test says so. */
function paced(count: number, interval = 100) {
  const clock = new FakeClock();
  const waiting: (() => void)[] = [];
  const pacer = new ReadPacer(clock, interval, (callback) => void waiting.push(callback));
  const connections = Array.from({ length: count }, () => connection());
  for (const each of connections) pacer.add(each);
  const readsOver = () => {
    for (const callback of waiting.splice(0)) callback();
  };
  return {
    clock,
    pacer,
    connections,
    readsOver,
    reading: () => connections.filter(({ reading }) => reading).length,
  };
}

describe('few connections', () => {
  it('read at once: no timer, no stop', () => {
    const { clock, reading, readsOver } = paced(8);
    clock.advance(1000);
    readsOver();
    expect([clock.timers, reading()]).toEqual([0, 8]);
  });

  it('so do many, when the interval is 0', () => {
    const { clock, reading } = paced(50, 0);
    expect([clock.timers, reading()]).toEqual([0, 50]);
  });
});

describe('nine connections', () => {
  it('read together, once for each interval', () => {
    const { clock, reading, readsOver } = paced(9);
    expect([clock.timers, reading()]).toEqual([1, 9]);
    for (let turn = 0; turn < 3; turn += 1) {
      clock.advance(99);
      expect(reading()).toBe(turn === 0 ? 9 : 0);
      clock.advance(1);
      expect(reading()).toBe(9); // until the reads of this turn are over
      readsOver();
      expect(reading()).toBe(0);
    }
  });

  it('do not stop who moves at full speed, as long as it does', () => {
    const { clock, connections, readsOver } = paced(9);
    const fast = connections[3]!;
    for (let turn = 0; turn < 3; turn += 1) {
      fast.moved += fullSpeed;
      for (const other of connections) if (other !== fast) other.moved += fullSpeed - 1;
      clock.advance(100);
      readsOver();
      expect([fast.stops, connections[4]!.stops]).toEqual([0, turn + 1]);
    }
    clock.advance(100);
    readsOver();
    expect(fast.stops).toBe(1);
  });

  it('leave who is paused alone', () => {
    const { clock, connections, readsOver, pacer } = paced(10);
    const held = connections[0]!;
    held.paused = true;
    held.stop();
    clock.advance(100);
    expect(held.reading).toBe(false);
    readsOver();
    pacer.remove(held);
    expect(held.reading).toBe(false);
  });

  it('all read again when there are fewer, and nothing is left behind', () => {
    const { clock, connections, readsOver, pacer, reading } = paced(9);
    clock.advance(100);
    readsOver();
    const [leaving, paused] = connections as [FakeConnection, FakeConnection];
    paused.paused = true;
    pacer.remove(leaving);
    expect(leaving.reading).toBe(true);
    expect([clock.timers, reading()]).toEqual([0, 8]); // all but the paused one
    clock.advance(1000);
    expect(reading()).toBe(8);
  });

  it('are not stopped by a turn that was under way when gathering ended', () => {
    const { clock, connections, readsOver, pacer, reading } = paced(9);
    clock.advance(100);
    pacer.remove(connections[0]!);
    readsOver();
    expect(reading()).toBe(9);
  });

  it('count once, however often they are added or removed', () => {
    const { clock, connections, pacer, readsOver, reading } = paced(9);
    pacer.add(connections[0]!);
    pacer.remove(connections[0]!);
    expect(clock.timers).toBe(0);
    pacer.remove(connections[0]!);
    pacer.add(connections[0]!);
    expect(clock.timers).toBe(1);
    clock.advance(100);
    readsOver();
    expect(reading()).toBe(0);
  });

  it('let one that leaves while it is stopped read: it may have last words to hear', () => {
    const { clock, connections, pacer, readsOver, reading } = paced(12);
    clock.advance(100);
    readsOver();
    pacer.remove(connections[5]!);
    expect([connections[5]!.reading, reading()]).toEqual([true, 1]);
  });
});
