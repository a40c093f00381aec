// kill -9, fifty times over: four encoders publish, one of them perhaps saying goodbye, and the process is killed at a
// random moment, now and then once more while it mends what the last kill left. Nothing may be lost but the last
// moments, nothing overwritten, nothing unlisted.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { firstDifference, type Frame, framesIn } from '../support/media.ts';
import { readTags } from '../support/media-tags.ts';
import { PacedEncoder } from '../support/paced-encoder.ts';
import { expectSoundFile, makeSample, probe } from '../support/real-clients.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const kills = 50;
const streams = ['one', 'two', 'three', 'four'] as const;
/** Milliseconds that a kill may cost: flushInterval and 100. */
const mayCost = 350;

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder });
const random = seededRandom('fifty kills');
const keys = new Map<string, string>();
let sample: readonly Frame[] = [];

beforeAll(async () => {
  sample = framesIn(await makeSample(folder, 'h264 and aac', 4));
  await server.start();
  for (const name of streams) keys.set(name, (await server.createKey(`live/${name}`)).key);
});
afterAll(() => server.discard());

/** A whole number below `end`. */
function below(end: number): number {
  return (readUint32(random(4)) / 2 ** 32) * end;
}

function readUint32(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE();
}

/** One life of the process and its end. Answers what each stream had sent. */
async function liveAndDie(round: number): Promise<ReadonlyMap<string, readonly Frame[]>> {
  const moment = below(1400);
  const leaving = round % 3 === 0 ? streams[round % 4] : undefined;
  const encoders = streams.map((name) => {
    const goodbye = name === leaving ? { goodbyeAt: Math.max(0, moment - below(40)) } : {};
    const encoder = new PacedEncoder({
      port: server.port,
      name: keys.get(name) ?? '',
      frames: sample,
      ...goodbye,
    });
    return { stream: `live/${name}`, encoder };
  });
  await Promise.all(encoders.map(({ encoder }) => encoder.published));
  await new Promise((resolve) => setTimeout(resolve, moment));
  server.process.kill('SIGKILL');
  const sent = new Map(encoders.map(({ stream, encoder }) => [stream, encoder.sent]));
  await server.process.ended;
  await Promise.all(encoders.map(({ encoder }) => encoder.hangUp()));
  return sent;
}

/** Starts again, in some rounds only after being killed at a random moment of the mending. */
async function comeBack(round: number): Promise<void> {
  if (round % 5 === 4) {
    const started = server.launch();
    await new Promise((resolve) => setTimeout(resolve, 150 + below(400)));
    started.kill('SIGKILL');
    await started.ended;
  }
  await server.start();
}

function expectKept(recording: RecordingAnswer, sent: readonly Frame[]): void {
  const kept = framesIn(recording.path); // throws unless it ends on a whole tag
  expect(firstDifference(kept, sent.slice(0, kept.length))).toBeUndefined();
  const [last, lastSent] = [kept.at(-1)?.timestamp ?? 0, sent.at(-1)?.timestamp ?? 0];
  expect(lastSent - last).toBeLessThanOrEqual(mayCost);
  expectSoundFile(recording.path);
  const { tags } = readTags(readFileSync(recording.path));
  expect(tags[0]?.type).toBe(TagType.ScriptData);
  expect(recording).toMatchObject({ bytes: statSync(recording.path).size });
}

it(`survives ${kills} kills at random moments of four recordings`, { timeout: 400_000 }, async () => {
  const known = new Map<
    string,
    { readonly path: string; readonly changedAt: number; readonly bytes: number }
  >();
  for (let round = 0; round < kills; round += 1) {
    const sent = await liveAndDie(round);
    await comeBack(round);
    const recordings = await server.settledRecordings();
    const fresh = recordings.filter(({ id }) => !known.has(id));
    for (const [stream, frames] of sent) {
      // A stream of which not a whole flush interval came may have left nothing.
      const mine = fresh.filter((recording) => recording.stream === stream);
      const late = (frames.at(-1)?.timestamp ?? 0) > mayCost;
      expect({ round, stream, files: mine.length }).toEqual({ round, stream, files: late ? 1 : mine.length });
      for (const recording of mine) expectKept(recording, frames);
    }
    for (const { id, path } of fresh) {
      const { mtimeMs, size } = statSync(path);
      known.set(id, { path, changedAt: mtimeMs, bytes: size });
    }
    const one = fresh[round % Math.max(1, fresh.length)];
    if (round % 5 === 0 && one !== undefined) await probe(one.path); // decodes every frame, without a complaint
  }
  const listed = await server.recordings();
  expect(listed.map(({ id }) => id).toSorted()).toEqual([...known.keys()].toSorted());
  for (const { path, changedAt, bytes } of known.values()) {
    expect(statSync(path)).toMatchObject({ mtimeMs: changedAt, size: bytes });
  }
  expect(known.size).toBeGreaterThan(kills * 2);
});

interface EventAnswer extends RecordingAnswer {
  readonly event: string;
  readonly gaps: readonly { readonly at: number; readonly missing: number; readonly reason: string }[];
}

it.each(['waits for its encoder', 'is being written'])(
  'a kill while a recording %s: the encoder that comes back continues the event',
  async (moment) => {
    const own = new ServerProcess({
      folder: temporaryFolder(),
      settings: { 'recorder.reconnectWindow': '30s' },
    });
    onTestFinished(() => own.discard());
    await own.start();
    const { key } = await own.createKey('live/one');
    const begin = async (): Promise<PacedEncoder> => {
      const encoder = new PacedEncoder({ port: own.port, name: key, frames: sample });
      await encoder.published;
      await own.growingRecording('live/one', 800);
      return encoder;
    };
    const first = await begin();
    if (moment === 'waits for its encoder') {
      await first.hangUp();
      await own.event('recording.interrupted');
      await own.growingRecording('live/one', first.sent.at(-1)?.timestamp ?? 0); // it was flushed
    }
    own.process.kill('SIGKILL');
    await own.process.ended;
    await first.hangUp();
    await own.start();
    const second = await begin();
    await second.finish();
    const [before, after, ...others] = (await own.finishedRecordings('live/one', 2)) as EventAnswer[];
    expect(others).toEqual([]);
    expect([before?.state, after?.state, after?.id]).toEqual(['recovered', 'complete', `${before?.event}-2`]);
    expectKept(before!, first.sent);
    const kept = framesIn(before!.path);
    const waited = moment === 'waits for its encoder';
    expect(kept.length).toBeGreaterThanOrEqual(waited ? first.sent.length : 1);
    expect(firstDifference(second.sent, framesIn(after!.path))).toBeUndefined();
    expect(after?.gaps).toMatchObject([{ at: 0, reason: 'reconnect' }]);
    expect(after?.gaps[0]?.missing).toBeGreaterThan(200);
    expect(after?.gaps[0]?.missing).toBeLessThan(30_000);
    const show = join(own.folder, 'show.flv');
    await own.json('recording', 'get', before!.id, '--event', '-o', show);
    expectSoundFile(show);
    expect((await probe(show)).streams).toHaveLength(2);
    const media = framesIn(show).filter(({ payload }) => payload[1] !== 0);
    const sent = [...kept, ...second.sent].filter(({ payload }) => payload[1] !== 0);
    expect(media.map(({ payload }) => payload)).toEqual(sent.map(({ payload }) => payload));
  },
);
