import { describe, expect, it } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { slabSize, SlabPool } from '../../src/recorder/slab-pool.ts';
import { WriteQueue } from '../../src/recorder/write-queue.ts';
import { MemoryRecording } from '../support/memory-recording.ts';
import { readTags } from '../support/media-tags.ts';
import { settled } from '../support/settled.ts';

function setUp() {
  const disk = new MemoryRecording();
  const pool = new SlabPool();
  const told: string[] = [];
  let busy = false;
  const queue: WriteQueue = new WriteQueue({
    pool,
    append: (bytes) => disk.append(bytes),
    changed: () => {
      if (queue.full !== busy) told.push(queue.full ? 'busy' : 'free');
      busy = queue.full;
    },
    failed: (error) => void told.push(`failed ${(error as { code?: string }).code}`),
  });
  let count = 0;
  /** Tags that fill a slab by a third each. */
  const put = (tags: number, size = Math.floor(slabSize / 3) - 15) => {
    for (; tags > 0; tags -= 1) {
      queue.putTag(TagType.Video, count, new Uint8Array(size).fill(count));
      count += 1;
    }
  };
  return { disk, pool, queue, put, told };
}

/** Timestamps of the tags on the disk; there must be nothing but whole tags. */
function timestampsOn(disk: MemoryRecording): number[] {
  const padded = Buffer.concat([Buffer.alloc(1), disk.file]);
  const { tags, reader } = readTags(padded, 1);
  expect(reader.wholeBytes).toBe(padded.length);
  return tags.map(({ timestamp }) => timestamp);
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

describe('the write queue', () => {
  it('takes a slab at the first tag, writes when it is full, at a tag boundary', async () => {
    const { disk, pool, put, queue } = setUp();
    expect(pool.inUse).toBe(0);
    put(3);
    await settled();
    expect([disk.appends, pool.inUse]).toEqual([[], 1]);
    put(1);
    await settled();
    expect(timestampsOn(disk)).toEqual([0, 1, 2]);
    queue.flush();
    await settled();
    expect([timestampsOn(disk), pool.inUse]).toEqual([upTo(4), 0]);
    queue.flush();
    await queue.drain();
    expect(disk.appends).toHaveLength(2);
  });

  it('flushes behind a write that is under way', async () => {
    const { disk, queue, put } = setUp();
    disk.stall();
    put(1, 10);
    queue.flush();
    put(1, 10);
    queue.flush();
    put(1, 10);
    disk.step();
    await settled();
    disk.step();
    await settled();
    expect(timestampsOn(disk)).toEqual([0, 1, 2]);
  });

  it('is busy when one slab is written and another full, and free when one of them is', async () => {
    const { disk, pool, put, told } = setUp();
    disk.stall();
    put(6);
    expect(told).toEqual([]);
    put(1);
    expect(told).toEqual(['busy']);
    put(20); // the rest of one read: taken, but told only once
    expect([told, pool.inUse]).toEqual([['busy'], 9]);
    for (let left = 7; left > 0; left -= 1) {
      expect(told).toEqual(['busy']);
      disk.step();
      await settled();
    }
    expect(told).toEqual(['busy', 'free']);
    disk.unstall();
    await settled();
    expect([timestampsOn(disk), pool.inUse]).toEqual([upTo(24), 1]);
  });

  it('writes a tag that is larger than a slab, in its place, without keeping its memory', async () => {
    const { disk, pool, put, queue } = setUp();
    put(1, 10);
    put(1, 8 * 1024 * 1024);
    put(1, 10);
    await queue.drain();
    expect(timestampsOn(disk)).toEqual([0, 1, 2]);
    expect([pool.inUse, pool.idle]).toEqual([0, 2]);
  });

  it('tells what waits, in this queue and in all, and how far the disk is', async () => {
    const { disk, pool, put, queue } = setUp();
    disk.stall();
    put(1, 8 * 1024 * 1024);
    put(1, 8 * 1024 * 1024);
    expect(queue.full).toBe(true); // as many bytes as two slabs
    expect([queue.waiting, pool.waiting]).toEqual([16 * 1024 * 1024 + 30, 16 * 1024 * 1024 + 30]);
    expect([queue.written, queue.writtenEnd]).toEqual([0, undefined]);
    disk.step();
    await settled();
    expect([queue.written, queue.writtenEnd]).toEqual([1, 0]);
    put(3, 10);
    disk.unstall();
    await queue.drain();
    expect([queue.written, queue.writtenEnd, queue.waiting, pool.waiting]).toEqual([3, 4, 0, 0]);
  });

  it('fails once, gives everything back and takes nothing more', async () => {
    const { disk, pool, put, queue, told } = setUp();
    disk.room = slabSize;
    disk.stall();
    put(12);
    expect(told).toEqual(['busy']);
    disk.unstall();
    await settled();
    expect(told).toEqual(['busy', 'failed DISK_FULL']);
    put(5);
    queue.flush();
    await queue.drain();
    expect([timestampsOn(disk), pool.inUse, pool.waiting]).toEqual([upTo(3), 0, 0]);
    expect(queue.lostTags).toBe(9); // of twelve
  });

  it('closes only when no write is under way', async () => {
    const { disk, pool, put, queue } = setUp();
    disk.stall();
    put(8);
    let closed = false;
    void queue.close().then(() => (closed = true));
    await settled();
    expect([closed, pool.inUse]).toEqual([false, 1]);
    disk.unstall();
    await settled();
    expect([closed, pool.inUse, timestampsOn(disk)]).toEqual([true, 0, [0, 1, 2]]);
  });
});
