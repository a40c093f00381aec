import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import type { SpaceState } from '../../src/archive/space-watch.ts';
import { RetentionKeeper, type RetentionSettings } from '../../src/retention/retention-keeper.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';
import { RecordedAudit } from '../support/recorded-audit.ts';

const start = Date.UTC(2026, 10, 22, 13, 5, 9);
const none: RetentionSettings = {
  maxAge: null,
  maxTotalSize: null,
  maxStreamSize: null,
  deleteWhenFull: false,
  streams: {},
};
const minute = 60_000;

/** `count` recordings a minute apart, finished, and a keeper of them on a volume that the test fills. */
async function setUp(count: number, settings: Partial<RetentionSettings>) {
  const { archive, clock, folder, log } = await openTestArchive();
  const ids: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const { recording, writer } = await beginRecording(archive, someTags(2), start + at * minute);
    await writer.end('unpublished');
    ids.push(recording.id);
  }
  const audit = new RecordedAudit();
  let listener: ((state: SpaceState, free: number) => void) | undefined;
  const volume = { state: 'ample' as SpaceState, roomAfter: Infinity };
  const keeper = new RetentionKeeper({
    archive: {
      list: () => archive.list(),
      remove: async (id) => {
        volume.roomAfter -= 1;
        return archive.remove(id);
      },
      get spaceState() {
        return volume.state;
      },
      measureSpace: async () => {
        if (volume.roomAfter <= 0) volume.state = 'ample';
        return volume.state;
      },
      onSpace: (told) => {
        listener = told;
        return () => (listener = undefined);
      },
    },
    settings: { ...none, ...settings },
    audit,
    clock,
    log,
    source: 'server',
  });
  const left = async (wanted: number) => {
    const end = Date.now() + 5000;
    let there = (await archive.list()).length;
    while (there !== wanted && Date.now() < end) {
      await new Promise((resolve) => setImmediate(resolve));
      there = (await archive.list()).length;
    }
    return (await archive.list()).map(({ id }) => ids.indexOf(id));
  };
  const space = (state: SpaceState) => {
    volume.state = state;
    listener?.(state, 0);
  };
  return { archive, audit, clock, folder, ids, keeper, left, log, space, volume };
}

const pathsOf = async (archive: Archive) => (await archive.list()).map((entry) => archive.pathOf(entry));

describe('the keeper of retention', () => {
  it('deletes at the start and every few minutes, with a line in log and audit log each', async () => {
    const { archive, audit, clock, keeper, left, log, ids } = await setUp(3, { maxAge: 10 * minute });
    const paths = await pathsOf(archive);
    const others = clock.timers;
    clock.advance(9 * minute);
    await keeper.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await left(3)).toEqual([0, 1, 2]);
    clock.advance(5 * minute);
    expect(await left(0)).toEqual([]);
    expect(paths.some((path) => existsSync(path))).toBe(false);
    expect(log.of('recording.expired').map(({ recording, reason }) => [recording, reason])).toEqual(
      ids.map((id) => [id, 'max-age']),
    );
    expect(audit.lines[0]).toMatchObject({ action: 'recording.expired', source: 'server' });
    expect(audit.lines).toHaveLength(3);
    await keeper.stop();
    expect(clock.timers).toBe(others);
  });

  it('when the volume is nearly full deletes the oldest until there is room, where that is wished', async () => {
    const { keeper, left, log, space, volume } = await setUp(5, { deleteWhenFull: true });
    await keeper.start();
    volume.roomAfter = 2;
    space('low');
    expect(await left(3)).toEqual([2, 3, 4]);
    expect(log.of('recording.expired').map(({ reason }) => reason)).toEqual(['disk-full', 'disk-full']);
    await keeper.stop();
  });

  it('and otherwise only what is too old, at once', async () => {
    const { clock, keeper, left, space } = await setUp(3, { maxAge: 2 * minute });
    await keeper.start();
    clock.setNow(clock.now() + 3 * minute); // what ends when no round is due
    space('stop');
    expect(await left(0)).toEqual([]);
    await keeper.stop();
  });

  it('goes on behind one that cannot be deleted, and stops where none may go', async () => {
    const { archive, clock, keeper, left, log, space, ids } = await setUp(3, { deleteWhenFull: true });
    await archive.catalogue.update(ids[0] as never, { locked: true });
    const path = archive.pathOf((await archive.list())[1]!);
    const { mkdirSync, rmSync } = await import('node:fs');
    rmSync(path);
    mkdirSync(path); // unlink does not remove folders
    await keeper.start();
    space('stop');
    expect(await left(2)).toEqual([0, 1]);
    expect(log.of('retention.failed')).toMatchObject([{ recording: ids[1], code: 'RECORDING_WRITE_FAILED' }]);
    rmSync(path, { recursive: true });
    clock.advance(30_000);
    expect(await left(1)).toEqual([0]);
    await keeper.stop();
  });
});
