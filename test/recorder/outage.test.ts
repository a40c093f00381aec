import { describe, expect, it } from 'vitest';
import { ResourceError } from '../../src/errors.ts';
import { Outage, reportFailure } from '../../src/recorder/outage.ts';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { MemoryRecording } from '../support/memory-recording.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';

const { retryInterval, longestRetryInterval } = recorderLimits;
const full = new ResourceError('DISK_FULL', 'no space left', { hint: 'make room' });

function setUp() {
  const made: MemoryRecording[] = [];
  let tries = 0;
  let fails = false;
  const outage = new Outage(async () => {
    tries += 1;
    if (fails) throw full;
    const recording = new MemoryRecording();
    made.push(recording);
    return recording;
  });
  /** Ticks once a second from `from` on; at which seconds was it tried? */
  const pass = async (from: number, seconds: number) => {
    const at: number[] = [];
    for (let second = 0; second <= seconds; second += 1) {
      const before = tries;
      outage.tick(from + second * 1000);
      await settled();
      if (tries > before) at.push(second);
    }
    return at;
  };
  return { outage, made, pass, fail: (yes: boolean) => void (fails = yes) };
}

describe('an outage', () => {
  it('of a broken disk is tried at once, of a full one after a while, then less and less often', async () => {
    const { outage, pass, fail } = setUp();
    fail(true);
    outage.begin(0, full);
    expect([outage.active, outage.code]).toEqual([true, 'DISK_FULL']);
    expect(await pass(0, 200)).toEqual([5, 10, 20, 40, 80, 140, 200]);
    const other = setUp();
    other.outage.begin(0, new Error('EIO'));
    expect(await other.pass(0, 10)).toEqual([0]);
    expect(other.outage.code).toBeUndefined();
  });

  it('has a file ready once there is one, and hands it over once', async () => {
    const { outage, made, pass } = setUp();
    outage.begin(0, full);
    expect(outage.readySince(0)).toBeUndefined();
    await pass(0, 20);
    // Opened at the first attempt; seen at the tick after it, which is when a frame could have gone there.
    expect([made.length, outage.readySince(20_000)]).toEqual([1, 20_000 - retryInterval - 1000]);
    expect([outage.end(20_000), outage.active, outage.end(20_000)]).toEqual([made[0], false, undefined]);
    await outage.close();
    expect(made[0]!.outcome).toBeUndefined();
  });

  it('that follows soon upon another is tried less often, one that follows late is a new one', async () => {
    const { outage, pass } = setUp();
    outage.begin(0, new Error('EIO'));
    expect(await pass(0, 5)).toEqual([0]);
    outage.end(1000);
    outage.begin(2000, new Error('EIO'));
    expect(await pass(2000, 20)).toEqual([5]);
    outage.end(8000);
    outage.begin(9000, new Error('EIO'));
    expect(await pass(9000, 20)).toEqual([10]);
    outage.end(20_000);
    outage.begin(20_001 + longestRetryInterval, new Error('EIO'));
    expect(await pass(20_001 + longestRetryInterval, 5)).toEqual([0]);
  });

  it('can be tried on request, whose answer is the error', async () => {
    const { outage, fail, made } = setUp();
    outage.begin(0, full);
    fail(true);
    await expect(outage.retry(1)).rejects.toBe(full);
    fail(false);
    await Promise.all([outage.retry(2), outage.retry(3)]);
    expect(made).toHaveLength(1);
  });

  it('that is closed leaves no file behind, even one that is just being opened', async () => {
    const { outage, made } = setUp();
    outage.begin(0, new Error('EIO'));
    outage.tick(0);
    await outage.close();
    expect(made.map(({ outcome }) => outcome)).toEqual(['discarded']);
  });
});

describe('a failure', () => {
  it('is reported with a hint, or as a mistake of ours', () => {
    const log = new RecordedLog();
    reportFailure(log, full, new MemoryRecording());
    reportFailure(log, new TypeError('oops'), undefined);
    expect(log.of('recording.failed')).toMatchObject([
      { code: 'DISK_FULL', hint: 'make room', bug: undefined, bytes: 0 },
      { reason: 'oops', bug: true },
    ]);
  });
});
