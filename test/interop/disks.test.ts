// Disks that are full, that turn read-only, that are gone: the recording ends on a whole tag, the stream goes on, the
// neighbour on another volume notices nothing, everybody who should hear of it does, and recording resumes by itself.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { firstDifference, type Frame, framesIn, syntheticFrames } from '../support/media.ts';
import { PacedEncoder } from '../support/paced-encoder.ts';
import { expectSoundFile } from '../support/real-clients.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { breakVolume, mountAgain, mountImage, mountMemory, unmount } from '../support/volume.ts';

/** Every payload differs from every other; about 140 kB/s. */
const frames = syntheticFrames('disks', 60);
const headers = 2;

/** A server with an encoder on the volume that will fail, and a neighbour on another one. */
async function stage(prepare: (volume: string) => Promise<void> | void) {
  const server = new ServerProcess({
    folder: temporaryFolder(),
    settings: { 'recorder.syncInterval': '200ms' },
  });
  onTestFinished(() => server.discard());
  const volume = join(server.folder, 'data/recordings/live/victim');
  await prepare(volume);
  await server.start();
  const publish = async (name: string): Promise<PacedEncoder> => {
    const { key } = await server.createKey(`live/${name}`);
    const encoder = new PacedEncoder({ port: server.port, name: key, frames });
    onTestFinished(() => encoder.hangUp());
    await encoder.published;
    return encoder;
  };
  return { server, volume, victim: await publish('victim'), neighbour: await publish('neighbour') };
}

/** Resolves when the encoder has been told so. */
async function told(encoder: PacedEncoder, code: string): Promise<void> {
  await eventually(code, async () => (encoder.notices.includes(code) ? true : undefined));
}

/** The first frame of a file among those sent, and the one behind its last; they must be all of those between. */
function partOf(sent: readonly Frame[], { path }: RecordingAnswer): readonly [number, number] {
  expectSoundFile(path);
  const kept = framesIn(path).slice(headers);
  const first = sent.findIndex(({ payload }) => Buffer.compare(payload, kept[0]?.payload ?? payload) === 0);
  const part = sent.slice(first, first + kept.length);
  const start = part[0]?.timestamp ?? 0;
  const moved = part.map((frame) => ({ ...frame, timestamp: frame.timestamp - start }));
  expect(firstDifference(moved, kept)).toBeUndefined();
  return [first, first + kept.length];
}

async function recordingsOf(server: ServerProcess, stream: string): Promise<readonly RecordingAnswer[]> {
  return (await server.settledRecordings()).filter((recording) => recording.stream === stream);
}

/** Both encoders end; the neighbour's file holds all it sent, and nobody was told anything about it. */
async function finish(server: ServerProcess, victim: PacedEncoder, neighbour: PacedEncoder): Promise<void> {
  await Promise.all([victim.finish(), neighbour.finish()]);
  expect(neighbour.notices.filter((code) => code.startsWith('NetStream.Record'))).toEqual([]);
  const whole = await server.finishedRecording('live/neighbour');
  expect(whole.state).toBe('complete');
  expect(firstDifference(neighbour.sent, framesIn(whole.path))).toBeUndefined();
}

it('a full volume costs the tags of its time, and is said once', async () => {
  let ballast = '';
  const { server, victim, neighbour } = await stage(async (volume) => {
    await mountMemory(volume, 1024);
    ballast = join(volume, 'ballast');
    writeFileSync(ballast, Buffer.alloc(600 * 1024));
  });
  const failed = await server.event('recording.failed');
  expect(failed).toMatchObject({ level: 'error', stream: 'live/victim', code: 'DISK_FULL' });
  await told(victim, 'NetStream.Record.Failed');
  const streams = await server.json<readonly { stream: string }[]>('stream', 'list');
  expect(streams.map(({ stream }) => stream).toSorted()).toEqual(['live/neighbour', 'live/victim']);

  rmSync(ballast);
  await told(victim, 'NetStream.Record.Start');
  await new Promise((resolve) => setTimeout(resolve, 1500)); // something to record
  await finish(server, victim, neighbour);
  expect(server.logged('recording.failed')).toHaveLength(1);

  const [before, after, ...others] = await recordingsOf(server, 'live/victim');
  expect(others).toEqual([]);
  expect([before?.state, after?.state]).toEqual(['recovered', 'complete']);
  expect(after?.id).toBe(`${before?.id}-2`);
  const [from, lost] = partOf(victim.sent, before!);
  const [resumed, end] = partOf(victim.sent, after!);
  expect([from, end]).toEqual([headers, victim.sent.length]);
  expect(after).toMatchObject({ gaps: [{ at: 0, reason: 'disk', dropped: resumed - lost }] });
  expect(frames[resumed]?.payload[0]).toBe(0x17); // a key frame
});

it('a volume that turns read-only is left, and used again once it is mounted anew', async () => {
  let image = '';
  const { server, volume, victim, neighbour } = await stage(async (folder) => {
    image = join(temporaryFolder(), 'image');
    await mountImage(folder, image);
  });
  await server.growingRecording('live/victim', 2000);
  await breakVolume(volume);
  const failed = await server.event('recording.failed');
  expect(failed).toMatchObject({ stream: 'live/victim', code: 'RECORDING_WRITE_FAILED' });
  expect(failed['reason']).toContain('EROFS');
  await told(victim, 'NetStream.Record.Failed');

  await unmount(volume);
  await mountAgain(volume, image);
  await told(victim, 'NetStream.Record.Start');
  await new Promise((resolve) => setTimeout(resolve, 1500)); // something to record
  await finish(server, victim, neighbour);
  // What could not be mended on a volume that takes nothing is mended beside the server now.
  const [before, after, ...others] = await recordingsOf(server, 'live/victim');
  expect(others).toEqual([]);
  expect([before?.state, after?.state]).toEqual(['recovered', 'complete']);
  expect(partOf(victim.sent, before!)[0]).toBe(headers);
  expect(partOf(victim.sent, after!)[1]).toBe(victim.sent.length);
});

it('a volume that goes away is left, and what was on it is listed again, whole, once it is back', async () => {
  let image = '';
  const { server, volume, victim, neighbour } = await stage(async (folder) => {
    image = join(temporaryFolder(), 'image');
    await mountImage(folder, image);
  });
  const gone = await server.growingRecording('live/victim', 2000);
  await unmount(volume);
  expect(await server.event('recording.failed')).toMatchObject({ recording: gone.id });
  await told(victim, 'NetStream.Record.Start'); // in the folder that the volume had covered
  await finish(server, victim, neighbour);
  await mountAgain(volume, image);
  const back = await eventually('the recording that was away', async () =>
    (await server.recordings()).find(({ id }) => id === gone.id),
  );
  expect(back).toMatchObject({ state: 'recovered', keyId: gone.keyId });
  const [from, to] = partOf(victim.sent, back);
  expect(from).toBe(headers);
  expect(victim.sent[to - 1]?.timestamp).toBeGreaterThan(2000);
});

it('a folder that is removed under a recording is made again for the rest of it', async () => {
  const { server, volume, victim, neighbour } = await stage(() => undefined);
  const gone = await server.growingRecording('live/victim', 1000);
  rmSync(volume, { recursive: true });
  expect(await server.event('recording.failed')).toMatchObject({ stream: 'live/victim', recording: gone.id });
  await told(victim, 'NetStream.Record.Start');
  await new Promise((resolve) => setTimeout(resolve, 1500)); // something to record
  await finish(server, victim, neighbour);
  const [kept, ...others] = await recordingsOf(server, 'live/victim');
  expect(others).toEqual([]); // the one whose file is gone is no recording any more
  expect(kept?.id).toBe(`${gone.id}-2`);
  expect(partOf(victim.sent, kept!)[1]).toBe(victim.sent.length);
});
