import { describe, expect, it } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { BackPressure } from '../../src/recorder/back-pressure.ts';
import { recorderLimits } from '../../src/recorder/recorder-limits.ts';
import { RecordingWriter } from '../../src/recorder/recording-writer.ts';
import { SlabPool } from '../../src/recorder/slab-pool.ts';
import { MemoryRecording } from '../support/memory-recording.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';

function setUp() {
  const disk = new MemoryRecording();
  const pool = new SlabPool();
  const log = new RecordedLog();
  const told: string[] = [];
  const writers = new Set<RecordingWriter>();
  const pressure = new BackPressure({
    pool,
    log,
    writers,
    recording: () => 'r1' as RecordingId,
    dropping: () => void told.push('dropping'),
  });
  const subscription = (name: string) => ({
    hold: () => void told.push(`hold ${name}`),
    release: () => void told.push(`release ${name}`),
    cancel: () => {},
  });
  const changed = () => pressure.look();
  const writer = new RecordingWriter({ recording: disk, pool, log, changed, closed: () => {} });
  writers.add(writer);
  const put = (bytes: number) => writer.put(TagType.Audio, 'audio', 0, new Uint8Array(bytes));
  pressure.steer(subscription('a'));
  return { disk, log, told, pressure, writer, put, subscription };
}

const mebibyte = 1024 * 1024;

describe('back pressure', () => {
  it('holds and releases as the disk goes, without a line for what is usual', async () => {
    const { disk, log, told, put } = setUp();
    disk.stall();
    put(mebibyte);
    expect(told).toEqual(['hold a']);
    disk.unstall();
    await settled();
    expect([told, log.events]).toEqual([['hold a', 'release a'], []]);
  });

  it('holds whoever comes while it lasts', () => {
    const { disk, told, put, pressure, subscription } = setUp();
    disk.stall();
    pressure.steer(undefined);
    put(mebibyte);
    expect(told).toEqual([]);
    pressure.steer(subscription('b'));
    expect(told).toEqual(['hold b']);
  });

  it('tells of a stall once, with figures at its end', async () => {
    const { disk, log, told, put, pressure } = setUp();
    disk.stall();
    put(mebibyte);
    pressure.look(recorderLimits.heldTime);
    put(recorderLimits.bufferedBytes);
    pressure.look(1000);
    expect([told, pressure.stalled]).toEqual([['hold a', 'release a', 'hold a'], true]);
    pressure.look(1000 + recorderLimits.stallTime);
    pressure.look(1050 + recorderLimits.stallTime);
    expect(told).toEqual(['hold a', 'release a', 'hold a', 'release a', 'dropping']);
    pressure.dropped += 9;
    expect(pressure.rejoin()).toBe(false);
    disk.unstall();
    await settled();
    pressure.look(20_500);
    expect([pressure.rejoin(), pressure.stalled]).toEqual([true, false]);
    expect(log.lines.map(({ event, fields }) => [event, fields])).toEqual([
      ['recording.stalled', { recording: 'r1' }],
      ['recording.unstalled', { recording: 'r1', stalledMs: 20_000, dropped: 9 }],
    ]);
  });

  it('ends when the disk fails altogether', async () => {
    const { disk, told, put, pressure, writer } = setUp();
    disk.stall();
    put(recorderLimits.waitingBytes + 1);
    expect(told).toEqual(['dropping']);
    disk.room = 0;
    disk.unstall();
    await writer.settle();
    pressure.giveUp();
    expect(pressure.stalled).toBe(false);
  });
});
