// A server runs for months: what came and went must leave nothing behind but files. Thousands of short publications,
// each with its own stream, ended in every way.
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { ResourceError } from '../../src/errors.ts';
import type { EndReason } from '../../src/hub/publication.ts';
import { createStreamHub } from '../../src/hub/stream-hub.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { createRecorder } from '../../src/recorder/recorder.ts';
import { openTestArchive } from '../support/archive.ts';
import { aacTag, avcTag } from '../support/media-tags.ts';
import { settled } from '../support/settled.ts';
import { testOrigin } from '../support/test-origin.ts';

const rounds = 900;

/** Bytes, without what nobody refers to. */
function usedMemory(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

it(`${rounds} publications leave no timer, no open file and no memory`, { timeout: 60_000 }, async () => {
  const { archive, clock, log } = await openTestArchive();
  const { timers } = clock;
  const hub = createStreamHub({ clock, log });
  let broken = false;
  const recorder = createRecorder({
    hub,
    archive: {
      create: async (request) => {
        const recording = await archive.create(request);
        if (!broken) return recording;
        recording.append = () =>
          Promise.reject(new ResourceError('DISK_FULL', 'no space left', { hint: 'make room' }));
        return recording;
      },
    },
    clock,
    log,
    flushInterval: 250,
    syncInterval: 5000,
    reconnectWindow: 30_000,
    segment: { maxDuration: null, maxSize: null },
  });
  await recorder.start();
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();

  const ways: readonly EndReason[] = ['unpublished', 'publisher-lost', 'kicked', 'revoked', 'limited'];
  const publishOnce = async (round: number): Promise<void> => {
    broken = round % 7 === 0;
    const publication = await hub.publish(`live/s${round}` as StreamName, {
      label: 's',
      keyId: 'key00001' as KeyId,
      origin: testOrigin,
      pause: () => undefined,
      resume: () => undefined,
      evict: () => undefined,
      tell: () => undefined,
    });
    if (round % 5 !== 0) {
      for (const tag of [avcTag('header', 0), aacTag('header', 0), avcTag('key', 0), aacTag('frame', 5)])
        publication.write(tag);
    }
    await publication.end(ways[round % ways.length] ?? 'unpublished');
    log.lines.length = 0;
  };
  for (let round = 0; round < rounds / 3; round += 1) await publishOnce(round);
  clock.advance(60_000);
  while (archive.openCount > 0) await settled();
  const heapUsed = usedMemory();
  for (let round = rounds / 3; round < rounds; round += 1) {
    await publishOnce(round);
    if (round % 50 === 0) clock.advance(31_000); // those that were lost are not awaited any longer
  }
  clock.advance(60_000);
  while (archive.openCount > 0) await settled();

  expect([recorder.active, recorder.waitingBytes, hub.publications]).toEqual([[], 0, []]);
  expect(clock.timers).toBe(timers);
  expect(openFiles()).toBeLessThanOrEqual(before + 2); // the database may have opened its log
  expect(usedMemory() - heapUsed).toBeLessThan(3_000_000);
  const entries = await archive.list();
  expect(entries.every(({ state }) => state === 'complete')).toBe(true);
  expect(entries.length).toBeGreaterThan(rounds / 2);
  await recorder.stop();
});
