import { describe, expect, it } from 'vitest';
import type { Publisher } from '../../src/hub/publication.ts';
import { createStreamHub } from '../../src/hub/stream-hub.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { createRecorder } from '../../src/recorder/recorder.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryRecording } from '../support/memory-recording.ts';
import { avcTag, streamTags } from '../support/media-tags.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { testOrigin } from '../support/test-origin.ts';
import { settled } from '../support/settled.ts';

const publisher: Publisher = {
  label: 's1',
  keyId: 'key00001' as KeyId,
  origin: testOrigin,
  pause: () => {},
  resume: () => {},
  evict: () => {},
  tell: () => {},
};

async function setUp() {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const hub = createStreamHub({ clock, log });
  const made: MemoryRecording[] = [];
  let create = async (stream: StreamName) => {
    const recording = new MemoryRecording(String(made.length).padStart(16, '0'), stream);
    made.push(recording);
    return recording;
  };
  const recorder = createRecorder({
    hub,
    archive: { create: ({ stream }) => create(stream) },
    clock,
    log,
    flushInterval: 250,
    syncInterval: 5000,
    reconnectWindow: 30_000,
    segment: { maxDuration: null, maxSize: null },
  });
  await recorder.start();
  const publish = (name: string) => hub.publish(`live/${name}` as StreamName, publisher);
  return {
    clock,
    hub,
    log,
    made,
    recorder,
    publish,
    onCreate: (other: typeof create) => void (create = other),
  };
}

describe('the recorder', () => {
  it('has its file open before the publisher is told, and lists what it records', async () => {
    const { publish, recorder, log, clock } = await setUp();
    expect(clock.timers).toBe(0);
    const publication = await publish('a');
    publication.write(avcTag('key', 0));
    publication.write(avcTag('inter', 40));
    clock.advance(50);
    await settled();
    const [active] = recorder.active;
    expect(active).toMatchObject({ stream: 'live/a', startedAt: publication.startedAt, durationMs: 80 });
    expect(active!.bytes).toBeGreaterThan(32 * 1024);
    expect(log.events).toEqual(['recording.started']);
    await publication.end('unpublished');
    expect([recorder.active, clock.timers]).toEqual([[], 0]);
  });

  it('refuses the publisher when there is no file', async () => {
    const { publish, hub, recorder, onCreate } = await setUp();
    onCreate(() => Promise.reject(new Error('EACCES')));
    await expect(publish('a')).rejects.toThrow('EACCES');
    expect([hub.publications, recorder.active]).toEqual([[], []]);
  });

  it('discards the file of a publisher that was replaced while it was opened', async () => {
    const { publish, made, recorder } = await setUp();
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => publish('a')));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(made.map(({ outcome }) => outcome)).toEqual([...Array<string>(4).fill('discarded'), undefined]);
    expect(recorder.active.map(({ id }) => id)).toEqual([made[4]!.id]);
  });

  it('flushes few recordings every 50 ms', async () => {
    const { publish, made, clock } = await setUp();
    const publication = await publish('a');
    for (let at = 1; at <= 5; at += 1) {
      publication.write(avcTag('inter', at));
      clock.advance(50);
      await settled();
      expect(made[0]!.appends).toHaveLength(at);
    }
  });

  it('flushes many once per flush interval, in turn', async () => {
    const { publish, made, clock } = await setUp();
    const publications = [];
    for (let at = 0; at < 20; at += 1) publications.push(await publish(`s${at}`));
    const perTick: number[] = [];
    let before = 0;
    for (let tick = 0; tick < 10; tick += 1) {
      for (const publication of publications) publication.write(avcTag('inter', tick * 50));
      clock.advance(50);
      await settled();
      const writes = made.reduce((sum, { appends }) => sum + appends.length, 0);
      perTick.push(writes - before);
      before = writes;
    }
    expect(perTick).toEqual(Array<number>(10).fill(4));
    expect(made.map(({ appends }) => appends.length)).toEqual(Array<number>(20).fill(2));
  });

  it('syncs each once per sync interval, only when something was written, two at a time', async () => {
    const { publish, made, clock } = await setUp();
    const publications = [];
    for (let at = 0; at < 5; at += 1) publications.push(await publish(`s${at}`));
    const syncs = () => made.map(({ syncs }) => syncs);
    for (const publication of publications.slice(1)) publication.write(avcTag('inter', 0));
    for (let tick = 0; tick < 99; tick += 1) {
      clock.advance(50);
      await settled();
    }
    expect(syncs()).toEqual([0, 0, 0, 0, 0]);
    clock.advance(50);
    await settled();
    expect(syncs()).toEqual([0, 1, 1, 0, 0]);
    clock.advance(50);
    await settled();
    expect(syncs()).toEqual([0, 1, 1, 1, 1]);
    clock.advance(20_000);
    await settled();
    expect(syncs()).toEqual([0, 1, 1, 1, 1]);
  });

  it('lets the stream live when its disk fails', async () => {
    const { publish, made, clock, hub, log, recorder } = await setUp();
    const [a, b] = [await publish('a'), await publish('b')];
    made[0]!.room = 0;
    for (let at = 0; at < 10; at += 1) {
      a.write(avcTag('inter', at));
      b.write(avcTag('inter', at));
      clock.advance(50);
      await settled();
    }
    expect(hub.publications).toEqual([a, b]);
    expect(recorder.active).toMatchObject([
      { stream: 'live/a', state: 'failed', trouble: 'DISK_FULL', dropped: 10 },
      { stream: 'live/b', state: 'recording', trouble: undefined, dropped: 0 },
    ]);
    expect(log.events.filter((event) => event === 'recording.failed')).toHaveLength(1);
    await a.end('unpublished');
    await b.end('unpublished');
    expect(streamTags(made[1]!.file)).toHaveLength(10);
  });

  it('seals everything when it stops, and takes nothing new', async () => {
    const { publish, made, recorder, clock, onCreate, log } = await setUp();
    const publication = await publish('a');
    publication.write(avcTag('key', 0));
    let opened: (recording: MemoryRecording) => void = () => {};
    onCreate(() => new Promise((resolve) => (opened = resolve)));
    const late = publish('b').catch((error: unknown) => error);
    const stopping = recorder.stop();
    const stillborn = new MemoryRecording('00000000000000zz');
    opened(stillborn);
    await stopping;
    expect(await late).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect([made[0]!.outcome, stillborn.outcome, clock.timers]).toEqual(['sealed', 'discarded', 0]);
    await recorder.stop();
    await publish('c');
    expect(made).toHaveLength(1);
    expect(log.of('recording.sealed')).toMatchObject([{ reason: 'shutdown' }]);
  });
});
