// What becomes of recordings at rest, with the tools that others would use: segments and their event, SHA-256 and
// signatures checked by openssl, damage found and mended, the list rebuilt after the database is gone.
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { firstDifference, framesIn } from '../support/media.ts';
import { ffmpegArguments, makeSample, probe } from '../support/real-clients.ts';
import { runReal } from '../support/real-process.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Answer extends RecordingAnswer {
  readonly event: string;
  readonly segment: number;
  readonly locked: boolean;
}

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder, settings: { 'recorder.segment.maxDuration': '2s' } });
const publicKey = join(folder, 'data/evidence-key.pub.pem');
let sample = '';
let segments: readonly Answer[] = [];

beforeAll(async () => {
  sample = await makeSample(folder, 'h264 and aac', 6);
  await server.start();
  const { key } = await server.createKey('live/show');
  await runReal('ffmpeg', ffmpegArguments(sample, `rtmps://localhost:${server.port}/live/${key}`));
  segments = await eventually('signed segments', async () => {
    const all = await server.json<Answer[]>('recording', 'list');
    return all.length > 1 && all.every(({ sha256 }) => sha256 !== null) ? all : undefined;
  });
});
afterAll(() => server.discard());

describe('recordings at rest', () => {
  it('an event of several segments comes out as one file, frame by frame what was sent', async () => {
    const [first] = segments;
    expect(segments.map(({ event, segment }) => [event, segment])).toEqual(
      segments.map((_, index) => [first!.id, index + 1]),
    );
    for (const { path, durationMs } of segments) {
      expect(Number((await probe(path)).format.duration)).toBeCloseTo((durationMs ?? 0) / 1000, 1);
    }
    const output = join(folder, 'event.flv');
    await server.json('recording', 'get', segments[1]!.id, '--event', '-o', output);
    expect(firstDifference(framesIn(sample), framesIn(output))).toBeUndefined();
    expect(Number((await probe(output)).format.duration)).toBeCloseTo(6, 0);
  });

  it('each has a SHA-256 and a manifest whose signature openssl checks', async () => {
    for (const { path, sha256 } of segments) {
      expect(sha256).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'));
      const signature = ['-in', `${path}.manifest.json`, '-sigfile', `${path}.manifest.sig`];
      const check = ['pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', publicKey, ...signature];
      expect(await runReal('openssl', check)).toMatchObject({ code: 0 });
    }
    expect(await server.cli('recording', 'verify')).toMatchObject({ code: 0 });
  });

  it('a changed bit is found, by the server and far from it', async () => {
    const { id, path } = segments[1]!;
    const original = readFileSync(path);
    const changed = Buffer.from(original);
    changed[original.length - 2000]! ^= 1;
    writeFileSync(path, changed);
    const found = await server.cli('recording', 'verify', '--json');
    expect(found.code).toBe(1);
    const statuses = (JSON.parse(found.stdout) as { id: string; status: string }[]).map((one) => [
      one.id,
      one.status,
    ]);
    expect(statuses).toEqual(segments.map((one) => [one.id, one.id === id ? 'altered' : 'ok']));

    const away = temporaryFolder();
    const [file, key] = [join(away, 'film.flv'), join(away, 'key.pem')];
    copyFileSync(publicKey, key);
    for (const end of ['', '.manifest.json', '.manifest.sig']) copyFileSync(path + end, file + end);
    const offline = ['recording', 'verify', '--file', file, '--public-key', key];
    expect(await server.cli(...offline)).toMatchObject({ code: 1 });
    writeFileSync(file, original);
    expect(await server.cli(...offline)).toMatchObject({ code: 0 });
    expect(await server.cli('recording', 'verify', '--file', file)).toMatchObject({ code: 2 });
    writeFileSync(path, original);
  });

  it('a torn file of anybody is mended, and plays', async () => {
    const torn = join(folder, 'torn.flv');
    writeFileSync(torn, readFileSync(sample).subarray(0, -1000));
    const mended = await server.json<{ output: string; cutBytes: number }>('recording', 'repair', torn);
    expect(mended.output).toBe(join(folder, 'torn.repaired.flv'));
    expect(mended.cutBytes).toBeGreaterThan(0);
    const frames = framesIn(mended.output);
    expect(firstDifference(framesIn(sample).slice(0, frames.length), frames)).toBeUndefined();
    expect(Number((await probe(mended.output)).format.duration)).toBeGreaterThan(5);
    writeFileSync(torn, 'no film');
    const refused = await server.cli('recording', 'repair', torn, '-o', join(folder, 'x.flv'));
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('is no FLV file');
  });

  it('what is locked stays', async () => {
    const { id } = segments[0]!;
    await server.json('recording', 'lock', id);
    expect(await server.cli('recording', 'delete', id)).toMatchObject({ code: 2 });
    expect(await server.json('recording', 'prune', '--dry-run')).toEqual([]);
    await server.json('recording', 'unlock', id, '--event');
  });

  it('the list is rebuilt from the files, but not beside a server', async () => {
    for (const verb of ['reindex', 'repair']) {
      const refused = await server.cli('recording', verb);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('DATA_FOLDER_IN_USE')]);
    }
    await server.stop();
    for (const end of ['', '-wal', '-shm'])
      rmSync(join(folder, `data/penstock.sqlite${end}`), { force: true });
    expect(await server.json('recording', 'list')).toEqual([]);
    expect(await server.cli('recording', 'reindex')).toMatchObject({ code: 0 });
    expect(await server.json('recording', 'list')).toEqual(segments);
    expect(await server.cli('recording', 'verify')).toMatchObject({ code: 0 });
  });
});
