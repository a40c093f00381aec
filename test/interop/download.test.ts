// Recordings leave: curl with the development CA fetches them whole, in part and again, and hears in problem
// documents why it may not.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { firstDifference, framesIn } from '../support/media.ts';
import { ffmpegArguments, makeSample, publishWithFfmpeg } from '../support/real-clients.ts';
import { runReal } from '../support/real-process.ts';
import { type RecordingAnswer, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder });
let sample = '';
let token = '';
let recording: RecordingAnswer;
let bytes: Buffer;

beforeAll(async () => {
  sample = await makeSample(folder, 'h264 and aac', 20);
  await server.start();
  token = (await server.createToken('recordings:read')).token;
  const { key } = await server.createKey('live/camera-1');
  await runReal('ffmpeg', ffmpegArguments(sample, `rtmps://localhost:${server.port}/live/${key}`));
  recording = await server.finishedRecording('live/camera-1');
  bytes = readFileSync(recording.path);
});
afterAll(() => server.discard());

interface Answer {
  readonly exit: number | null;
  readonly status: number;
  /** By lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** Where the body was written. */
  readonly file: string;
  readonly body: Buffer;
}

let answers = 0;

/** curl, with the token and the CA unless told otherwise; the path below /api/v1/. */
async function curl(
  path: string,
  args: readonly string[] = [],
  { bearer = token, file = join(folder, `answer-${++answers}`), ca = server.caFile } = {},
): Promise<Answer> {
  const head = join(folder, `head-${answers}`);
  for (const place of [head, file]) writeFileSync(place, '', { flag: 'a' });
  const url = path.includes('://') ? path : `https://localhost:${server.port}/api/v1/${path}`;
  const authorization = bearer === '' ? [] : ['-H', `Authorization: Bearer ${bearer}`];
  const trust = ca === '' ? [] : ['--cacert', ca];
  const output = ['-sS', '-m', '20', '-D', head, '-o', file];
  const { code } = await runReal('curl', [...output, ...trust, ...authorization, ...args, url]);
  const [first = '', ...lines] = readFileSync(head, 'latin1').split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const [name = '', ...value] = line.split(': ');
    return [name.toLowerCase(), value.join(': ')];
  });
  return {
    exit: code,
    status: Number(first.split(' ')[1]),
    headers: new Map(headers),
    file,
    body: readFileSync(file),
  };
}

const fileOf = ({ id }: RecordingAnswer) => `recordings/${id}/file`;

/** What a problem document says. RFC 9457. */
function problemOf({ headers, body }: Answer): Record<string, unknown> {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

describe('curl fetches a finished recording', () => {
  it.each([['1.2'], ['1.3']])('whole, under TLS %s', async (version) => {
    const answer = await curl(fileOf(recording), ['--tls-max', version, `--tlsv${version}`]);
    expect(answer).toMatchObject({ exit: 0, status: 200 });
    expect(answer.body.equals(bytes)).toBe(true);
    expect(answer.headers.get('content-length')).toBe(String(bytes.length));
    expect(answer.headers.get('content-type')).toBe('video/x-flv');
    expect(answer.headers.get('accept-ranges')).toBe('bytes');
    expect(answer.headers.get('content-disposition')).toMatch(
      /^attachment; filename="live_camera-1_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.flv"$/,
    );
  });

  it('in ranges', async () => {
    for (const [range, start, end] of [
      ['0-0', 0, 1],
      ['32768-40000', 32_768, 40_001],
      ['-1000', bytes.length - 1000, bytes.length],
      [`${bytes.length - 5}-`, bytes.length - 5, bytes.length],
    ] as const) {
      const { status, body, headers } = await curl(fileOf(recording), ['-r', range]);
      expect(status).toBe(206);
      expect(headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${bytes.length}`);
      expect(body.equals(bytes.subarray(start, end))).toBe(true);
    }
    const beyond = await curl(fileOf(recording), ['-r', `${bytes.length}-`]);
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
    problemOf(beyond);
  });

  it('and goes on where it was interrupted', async () => {
    const file = join(folder, 'resumed.flv');
    writeFileSync(file, bytes.subarray(0, 100_000));
    const { exit, status } = await curl(fileOf(recording), ['-C', '-'], { file });
    expect({ exit, status }).toEqual({ exit: 0, status: 206 });
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('only when it has changed, and by its headers alone', async () => {
    const head = await curl(fileOf(recording), ['-I']);
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(bytes.length));
    const etag = head.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[^"]+"$/);
    const same = await curl(fileOf(recording), ['-H', `If-None-Match: ${etag}`]);
    expect(same).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    const half = ['-H', `If-Range: ${etag}`, '-r', '0-9'];
    expect(await curl(fileOf(recording), half)).toMatchObject({ status: 206, body: bytes.subarray(0, 10) });
    const other = await curl(fileOf(recording), ['-H', 'If-Range: "other"', '-r', '0-9']);
    expect(other.status).toBe(200);
    expect(other.body.equals(bytes)).toBe(true);
  });

  it('as the list of the API has it', async () => {
    const { status, body } = await curl('recordings');
    expect(status).toBe(200);
    const { items } = JSON.parse(body.toString()) as { items: Record<string, unknown>[] };
    const { path, ...rest } = recording;
    expect(items).toContainEqual({ ...rest, path: path.split('/recordings/')[1] });
  });
});

describe('curl is refused', () => {
  it('without a token, with a wrong one, and with one that was revoked: 401', async () => {
    const revoked = await server.createToken('recordings:read');
    await server.cli('token', 'revoke', revoked.id);
    const wrong = `${token.slice(0, -6)}000000`;
    for (const bearer of ['', 'nonsense', wrong, revoked.token]) {
      const answer = await curl(fileOf(recording), [], { bearer });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="penstock"/);
      expect(problemOf(answer)).toMatchObject({
        status: 401,
        detail: expect.stringContaining('token') as string,
      });
    }
  });

  it('with a token that lacks the scope: 403, which names it', async () => {
    const { token: bearer } = await server.createToken('keys:read');
    const answer = await curl(fileOf(recording), [], { bearer });
    expect(answer.status).toBe(403);
    expect(problemOf(answer)).toMatchObject({
      status: 403,
      detail: 'The token lacks the scope recordings:read.',
    });
  });

  it('where nothing is: 404', async () => {
    for (const path of ['recordings/0000000000000000/file', 'recordings/..%2f..%2fpepper/file', 'nonsense']) {
      const answer = await curl(path);
      expect(answer.status).toBe(404);
      problemOf(answer);
    }
  });

  it('over clear HTTP, in words that name the right door', async () => {
    const answer = await curl(`http://localhost:${server.port}/api/v1/${fileOf(recording)}`);
    expect(answer.status).toBe(421);
    expect(answer.body.toString()).toContain(`use https://127.0.0.1:${server.port}`);
  });

  it('by itself, when it does not know the CA', async () => {
    expect(await curl(fileOf(recording), [], { ca: '' })).toMatchObject({ exit: 60 });
  });
});

describe('curl fetches a recording in progress', () => {
  it('as far as it is safely written, whole tags all of it', async () => {
    const { key } = await server.createKey('live/now');
    publishWithFfmpeg(sample, `rtmps://localhost:${server.port}/live/${key}`, { live: true });
    const started = await server.process.until('live/now', () =>
      server.logged('recording.started').find(({ stream }) => stream === 'live/now'),
    );
    const path = `recordings/${String(started['recording'])}/file`;
    let size = 0;
    const downloads = await eventually('100 kB of it', async () => {
      const { status, body, headers, file } = await curl(path);
      expect(status).toBe(200);
      expect(headers.get('etag')).toBeUndefined(); // another moment, another content
      expect(body.length).toBeGreaterThanOrEqual(size);
      size = body.length;
      const frames = size === 0 ? [] : framesIn(file); // throws unless it ends on a whole tag
      expect(firstDifference(framesIn(sample).slice(0, frames.length), frames)).toBeUndefined();
      return size >= 100_000 ? answers : undefined;
    });
    expect(downloads).toBeGreaterThan(1);
  });
});

describe('everything that the server said meanwhile', () => {
  it('holds no token and no key', () => {
    expect(server.log).toContain('download.finished');
    for (const secret of server.secrets) expect(server.log).not.toContain(secret.slice(13));
  });
});
