// Recordings encrypted where they lie, as their operator meets them: written, killed, mended, fetched whole and in
// part, checked and listed anew with the right key; named as what they are with another one, or none.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { firstDifference, type Frame, framesIn } from '../support/media.ts';
import { PacedEncoder } from '../support/paced-encoder.ts';
import { expectSoundFile, makeSample, probe } from '../support/real-clients.ts';
import { runReal } from '../support/real-process.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const keyFile = join(folder, 'recordings.key');
const rightKey = randomBytes(32).toString('hex');
const server = new ServerProcess({
  folder,
  settings: { 'recorder.encryption': { keyFile }, 'recorder.reconnectWindow': '30s' },
});
const show = join(folder, 'show.flv');
let frames: readonly Frame[] = [];
let streamKey = '';
let recordings: readonly RecordingAnswer[] = [];

beforeAll(async () => {
  writeFileSync(keyFile, rightKey, { mode: 0o600 });
  frames = framesIn(await makeSample(folder, 'h264 and aac', 4));
  await server.start();
  streamKey = (await server.createKey('live/board-room')).key;
});
afterAll(() => server.discard());

async function publish(milliseconds: number): Promise<PacedEncoder> {
  const encoder = new PacedEncoder({ port: server.port, name: streamKey, frames });
  await encoder.published;
  await server.growingRecording('live/board-room', milliseconds);
  return encoder;
}

const beginsWith = ({ path }: RecordingAnswer) => readFileSync(path).toString('latin1', 0, 8);

it('a kill costs no more than without encryption, and the repaired file comes out as plain FLV', async () => {
  const first = await publish(1500);
  server.process.kill('SIGKILL');
  await server.process.ended;
  await first.hangUp();
  await server.start();
  const second = await publish(800);
  await second.finish();
  recordings = await server.finishedRecordings('live/board-room', 2);
  const [before, after] = recordings;
  expect(recordings.map(({ state }) => state)).toEqual(['recovered', 'complete']);
  expect(recordings.map(beginsWith)).toEqual(['PSEALED1', 'PSEALED1']);
  for (const [recording, { sent }] of [
    [before!, first],
    [after!, second],
  ] as const) {
    const copy = join(folder, `${recording.id}.flv`);
    await server.json('recording', 'get', recording.id, '-o', copy);
    expectSoundFile(copy);
    const kept = framesIn(copy);
    expect(firstDifference(kept, sent.slice(0, kept.length))).toBeUndefined();
    const lost = (sent.at(-1)?.timestamp ?? 0) - (kept.at(-1)?.timestamp ?? 0);
    expect(lost).toBeLessThanOrEqual(350);
    expect(readFileSync(copy)).toHaveLength(recording.bytes ?? 0);
  }
  await server.json('recording', 'get', after!.id, '--event', '-o', show);
  expect((await probe(show)).streams).toHaveLength(2);
});

it('any range over HTTP is that range of the plain file', async () => {
  const { token } = await server.createToken('recordings:read');
  const { id } = recordings[0]!;
  const plain = readFileSync(join(folder, `${id}.flv`));
  for (const [from, to] of [
    [0, 99],
    [32_768 - 10, 32_768 + 10],
    [plain.length - 5000, plain.length - 1],
    [0, plain.length - 1],
  ] as const) {
    const output = join(folder, 'range');
    const url = `https://localhost:${server.port}/api/v1/recordings/${id}/file`;
    const args = [
      '-sS',
      '--fail',
      '-m',
      '20',
      '--cacert',
      server.caFile,
      '-r',
      `${from}-${to}`,
      '-o',
      output,
    ];
    const { code, stderr } = await runReal('curl', [...args, '-H', `Authorization: Bearer ${token}`, url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(Buffer.compare(readFileSync(output), plain.subarray(from, to + 1))).toBe(0);
  }
});

it('is signed as the plain file, and listed anew without its database', async () => {
  recordings = await eventually('checksums', async () => {
    const all = await server.recordings();
    return all.every(({ sha256 }) => sha256 !== null) ? all : undefined;
  });
  for (const { id, sha256 } of recordings) {
    const plain = readFileSync(join(folder, `${id}.flv`));
    expect(createHash('sha256').update(plain).digest('hex')).toBe(sha256);
  }
  expect(await server.cli('recording', 'verify')).toMatchObject({ code: 0 });
  await server.stop();
  for (const end of ['', '-wal', '-shm']) rmSync(join(folder, `data/penstock.sqlite${end}`), { force: true });
  expect(await server.cli('recording', 'reindex')).toMatchObject({ code: 0 });
  expect(await server.json('recording', 'list')).toEqual(recordings);
  expect(await server.cli('recording', 'verify')).toMatchObject({ code: 0 });
});

it('with another key the server records, and says at once that the old recordings cannot be read', async () => {
  writeFileSync(keyFile, randomBytes(32).toString('hex'));
  await server.start();
  const [doubt, ...others] = server.logged('encryption-key.doubted');
  expect(doubt).toMatchObject({ level: 'error', code: 'ENCRYPTION_KEY_WRONG', hint: expect.any(String) });
  expect(others).toEqual([]);
  const { id } = recordings[0]!;
  const refused = await server.cli('recording', 'get', id, '-o', join(folder, 'x.flv'));
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('ENCRYPTION_KEY_WRONG');
  expect(refused.stderr).toMatch(/was encrypted with key [0-9a-f]{16}; the configured key has id/);
  const verified = await server.cli('recording', 'verify', id);
  expect([verified.code, verified.stdout]).toEqual([1, expect.stringContaining('unreadable')]);
  streamKey = (await server.createKey('live/board-room')).key;
  await (await publish(500)).finish();
  const [fresh] = (await server.finishedRecordings('live/board-room', 3)).slice(-1);
  await server.json('recording', 'get', fresh!.id, '-o', join(folder, 'fresh.flv'));
  expectSoundFile(join(folder, 'fresh.flv'));
});

it('a kill with one key and a start with another leaves the file as it is, until its key is there again', async () => {
  const encoder = await publish(800);
  const { id, path } = await server.growingRecording('live/board-room', 800);
  server.process.kill('SIGKILL');
  await server.process.ended;
  await encoder.hangUp();
  const key = readFileSync(keyFile);
  const left = readFileSync(path);
  writeFileSync(keyFile, rightKey);
  await server.start();
  expect(server.logged('encryption-key.doubted')).toHaveLength(1);
  expect(await server.event('recovery.failed')).toMatchObject({
    recording: id,
    code: 'ENCRYPTION_KEY_WRONG',
  });
  expect(Buffer.compare(readFileSync(path), left)).toBe(0);
  await server.stop();
  writeFileSync(keyFile, key);
  await server.start();
  const found = (await server.settledRecordings()).find((recording) => recording.id === id);
  expect(found).toMatchObject({ state: 'recovered' });
  await server.stop();
});

it('without its key file the server does not start, and says which file it wants', async () => {
  rmSync(keyFile);
  const { code, stderr } = await server.launch().finish(10_000);
  expect(code).not.toBe(0);
  expect(stderr).toContain('ENCRYPTION_KEY_UNUSABLE');
  expect(stderr).toContain(keyFile);
});
