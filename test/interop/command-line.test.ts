// The command line as processes beside a running server: what scripts rely on (--json, exit codes, stderr), and
// that the server follows within a second.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { firstDifference, framesIn } from '../support/media.ts';
import { makeSample, publishWithFfmpeg } from '../support/real-clients.ts';
import { type Finished, type RealProcess, runReal } from '../support/real-process.ts';
import { type RecordingAnswer, scriptPath, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder });
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
const keyId = expect.stringMatching(/^[0-9a-z]{8}$/) as string;
let sample = '';

beforeAll(async () => {
  sample = await makeSample(folder, 'h264 and aac', 40);
  await server.start();
});
afterAll(() => server.discard());

/** Publishes in real time until something ends it; resolves when frames are on disk. */
async function onAir(
  stream: string,
): Promise<{ encoder: RealProcess; id: string; recording: RecordingAnswer }> {
  const { id, key } = await server.createKey(stream);
  const url = `rtmps://localhost:${server.port}/${stream.split('/')[0]}/${key}`;
  const encoder = publishWithFfmpeg(sample, url, { live: true });
  return { encoder, id, recording: await server.growingRecording(stream, 1000) };
}

/** A command that must fail with this code, nothing on stdout and one sentence and a hint on stderr. */
async function failureOf(code: number, ...args: string[]): Promise<string> {
  const finished = await server.cli(...args);
  expect(finished).toMatchObject({ code, stdout: '' });
  expect(finished.stderr).not.toMatch(/\n\s+at |bug/);
  return finished.stderr;
}

describe('penstock key', () => {
  it('create answers the key once, with a server URL for each open door', async () => {
    const made = await server.json('key', 'create', 'live/shape', '--expires', '30d', '--note', 'front gate');
    const at = (door: string) =>
      expect.stringMatching(new RegExp(`^${door}://127\\.0\\.0\\.1:\\d+/live$`)) as string;
    expect(made).toEqual({
      id: keyId,
      stream: 'live/shape',
      role: 'publish',
      key: expect.stringMatching(/^psk_[0-9a-z]{8}_[0-9a-z]{30}$/) as string,
      server: { rtmps: at('rtmps'), rtmpe: at('rtmpe'), rtmp: at('rtmp') },
      expiresAt: instant,
      settings: {
        url: expect.stringMatching(/^rtmps:\/\/127\.0\.0\.1:\d+\/live\/psk_/) as string,
        obs: { server: at('rtmps'), key: expect.any(String) as string },
        ffmpeg: expect.stringContaining('ffmpeg') as string,
        gstreamer: expect.stringContaining('rtmp2sink') as string,
      },
    });
    const { key } = made as { key: string };
    const { stdout } = await server.cli('key', 'list');
    expect(stdout).toContain('front gate');
    for (const verb of [['list'], ['list', '--json']]) {
      expect((await server.cli('key', ...verb)).stdout).not.toContain(key.slice(13));
    }
  });

  it('list and show tell who used a key, and never the key', async () => {
    const { id, key } = await server.createKey('live/used');
    const before = await server.json<Record<string, unknown>[]>('key', 'list');
    expect(before.find((one) => one['id'] === id)).toEqual({
      id,
      stream: 'live/used',
      role: 'publish',
      server: expect.any(Object) as object,
      expiresAt: null,
      state: 'active',
      lastUsedAt: null,
      lastUsedFrom: null,
    });
    const { encoder } = await onAirWith(key, 'live');
    const shown = await server.json<Record<string, unknown>>('key', 'show', id);
    expect(shown).toMatchObject({ id, state: 'active', lastUsedAt: instant, lastUsedFrom: '127.0.0.1' });
    const text = (await server.cli('key', 'show', id)).stdout;
    expect(text).toContain('live/used');
    expect(text).not.toContain(key.slice(13));
    await encoder.discard();
  });

  it('disable shuts an encoder out until enable; revoke is final', async () => {
    const { id, key } = await server.createKey('live/states');
    expect(await server.json('key', 'disable', id)).toMatchObject({ id, state: 'disabled' });
    expect(await onAirWith(key, 'live')).toMatchObject({
      answer: expect.stringContaining('not accepted') as string,
    });
    expect(await server.json('key', 'enable', id)).toMatchObject({ id, state: 'active' });
    const { encoder, answer } = await onAirWith(key, 'live');
    expect(answer).toBe('publish.started');
    await encoder.discard();
    expect(await server.json('key', 'revoke', id)).toMatchObject({ id, state: 'revoked' });
    expect(await failureOf(2, 'key', 'enable', id)).toContain('revoked');
  });

  /** What becomes of ffmpeg with this key: on the air, or its last words. */
  async function onAirWith(key: string, app: string): Promise<{ encoder: RealProcess; answer: string }> {
    const before = server.logged('publish.started').length;
    const encoder = publishWithFfmpeg(sample, `rtmps://localhost:${server.port}/${app}/${key}`, {
      live: true,
    });
    const answer = await Promise.race([
      server.event('publish.started', before + 1).then(({ event }) => String(event)),
      encoder.ended.then(({ stderr }) => stderr),
    ]);
    return { encoder, answer };
  }

  it('rotate lets the old key work on, without a grace it ends its session; the audit log has it all', async () => {
    const { encoder, id } = await onAir('live/turn');
    const first = await server.json<{ key: string; previousUntil: string }>('key', 'rotate', id);
    server.secrets.push(first.key);
    expect(first).toMatchObject({ id, previousUntil: instant });
    const listed = await server.json<Record<string, unknown>[]>('key', 'list');
    expect(listed.find((one) => one['id'] === id)).toMatchObject({
      previous: { lastUsedFrom: '127.0.0.1', lastUsedEncoder: expect.stringContaining('FMLE') as string },
    });
    const second = await server.json<{ key: string }>('key', 'rotate', id, '--grace', '0');
    server.secrets.push(second.key);
    expect((await encoder.finish()).stderr).toMatch(/Server error: .* has expired/);
    const lines = await server.json<Record<string, unknown>[]>('audit', 'list', '--since', '1h');
    const actions = lines.filter((line) => line['key'] === id).map(({ action }) => action);
    expect(actions).toEqual(['key.created', 'key.used', 'key.rotated', 'key.rotated']);
    const exported = (await server.cli('audit', 'export')).stdout;
    expect(exported.split('\n').filter((line) => line.includes(id))).toHaveLength(4);
    expect(exported).not.toContain('psk_');
    expect(await failureOf(2, 'audit', 'list', '--since', 'then')).toContain('--since');
  });

  it('revoke cuts a live encoder within a second, and says why', async () => {
    const { encoder, id, recording } = await onAir('live/cut');
    await server.json('key', 'revoke', id);
    const done = performance.now();
    const { code, stderr } = await encoder.finish();
    expect(performance.now() - done).toBeLessThan(2000); // a second, and ffmpeg's own end
    expect(code).not.toBe(0);
    expect(stderr).toContain('Server error: The stream key of this session was revoked.');
    const { path, state } = await server.finishedRecording('live/cut');
    expect({ path, state }).toEqual({ path: recording.path.replace(/\.part$/, ''), state: 'complete' });
    const kept = framesIn(path);
    expect(firstDifference(framesIn(sample).slice(0, kept.length), kept)).toBeUndefined();
  });
});

describe('penstock stream and recording, while ffmpeg publishes', () => {
  it('stream list shows who is on the air, and with what', async () => {
    const { encoder, recording } = await onAir('live/listed');
    const entry = await eventually('its bitrate', async () => {
      const list = await server.json<Record<string, unknown>[]>('stream', 'list');
      return list.find((one) => one['stream'] === 'live/listed' && (one['bitrate'] as number) > 0);
    });
    expect(entry).toEqual({
      stream: 'live/listed',
      sessionId: expect.stringMatching(/^\w+$/) as string,
      door: 'rtmps',
      remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      encoder: expect.stringMatching(/^Lavf\d/) as string,
      since: instant,
      videoCodec: 'h264',
      audioCodec: 'aac',
      bitrate: expect.any(Number) as number,
      recording: 'recording',
      recordingError: null,
    });
    const bitrate = entry['bitrate'] as number;
    expect(bitrate).toBeGreaterThan(50_000);
    expect(bitrate).toBeLessThan(3_000_000);
    expect((await server.cli('stream', 'list')).stdout).toMatch(/live\/listed +rtmps .*h264 \+ aac/);

    // The recording of it, as far as it is.
    expect(recording).toEqual({
      id: expect.stringMatching(/^[0-9a-z]{16}$/) as string,
      stream: 'live/listed',
      state: 'recording',
      startedAt: instant,
      durationMs: expect.any(Number) as number,
      bytes: expect.any(Number) as number,
      sha256: null,
      path: expect.stringMatching(
        /\/live\/listed\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_[0-9a-z]{16}\.flv\.part$/,
      ) as string,
      keyId,
      event: recording.id,
      segment: 1,
      gaps: [],
      locked: false,
    });
    const shown = await server.json<RecordingAnswer>('recording', 'show', recording.id);
    expect(shown).toEqual({ ...recording, durationMs: shown.durationMs, bytes: shown.bytes });
    expect(shown.durationMs).toBeGreaterThan(recording.durationMs ?? 0);

    const copy = join(folder, 'live.flv');
    const got = await server.json('recording', 'get', recording.id, '-o', copy);
    expect(got).toEqual({ id: recording.id, output: copy, bytes: statSync(copy).size });
    const frames = framesIn(copy); // throws unless it ends on a whole tag
    expect(frames.length).toBeGreaterThan(20);
    expect(firstDifference(framesIn(sample).slice(0, frames.length), frames)).toBeUndefined();
    await encoder.discard();
    await server.finishedRecording('live/listed');
    expect(await server.json('stream', 'list')).not.toContainEqual(entry);
  });

  it('recording list filters, show and get find a finished one', async () => {
    const { encoder } = await onAir('studio/finished');
    encoder.kill('SIGINT'); // as a person ends it
    await encoder.finish();
    const recording = await server.finishedRecording('studio/finished');
    expect(await server.json('recording', 'list', '--stream', 'studio/finished')).toEqual([recording]);
    expect(await server.json('recording', 'list', '--stream', 'studio/nothing')).toEqual([]);
    expect(await server.json('recording', 'list', '--since', '2999-01-01')).toEqual([]);
    expect(await server.json('recording', 'show', recording.id)).toEqual(recording);
    expect((await server.cli('recording', 'list')).stdout).toContain(recording.id);

    const copy = join(folder, 'finished.flv');
    await server.json('recording', 'get', recording.id, '-o', copy);
    expect(readFileSync(copy).equals(readFileSync(recording.path))).toBe(true);
    expect(await failureOf(2, 'recording', 'get', recording.id, '-o', copy)).toContain('exists already');
    const piped = join(folder, 'piped.flv');
    const pipe = `"$0" --data-dir data recording get ${recording.id} -o - > "$1"`;
    const options = { cwd: folder, env: server.environment };
    expect(await runReal('sh', ['-c', pipe, scriptPath('penstock'), piped], options)).toMatchObject({
      code: 0,
    });
    expect(readFileSync(piped).equals(readFileSync(recording.path))).toBe(true);
  });
});

describe('penstock stream kick and recording delete', () => {
  it('end a session, whose key stays good, and then its recording, but not while it grows', async () => {
    const { encoder, id, recording } = await onAir('live/kicked');
    expect(await failureOf(2, 'recording', 'delete', recording.id)).toContain('still being recorded');
    await server.json('stream', 'kick', 'live/kicked');
    const done = performance.now();
    const { code, stderr } = await encoder.finish();
    expect(performance.now() - done).toBeLessThan(2000);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Server error: An operator ended this session.');
    expect(await server.json('key', 'show', id)).toMatchObject({ state: 'active' });
    expect(await failureOf(1, 'stream', 'kick', 'live/kicked')).toContain('not being published');

    const { path } = await server.finishedRecording('live/kicked');
    await server.json('recording', 'delete', recording.id);
    expect(existsSync(path)).toBe(false);
    expect(await failureOf(1, 'recording', 'show', recording.id)).toContain('no such recording');
  });
});

describe('penstock token', () => {
  it('create, list and revoke', async () => {
    const made = await server.json<Record<string, unknown>>('token', 'create', '--scope', 'recordings:read');
    expect(made).toEqual({
      id: keyId,
      token: expect.stringMatching(/^ptk_[0-9a-z]{8}_[0-9a-z]{30}$/) as string,
      scopes: ['recordings:read'],
      expiresAt: null,
    });
    const id = made['id'] as string;
    const list = await server.json<Record<string, unknown>[]>('token', 'list');
    expect(list.find((one) => one['id'] === id)).toMatchObject({
      scopes: ['recordings:read'],
      state: 'active',
    });
    expect(JSON.stringify(list)).not.toContain('ptk_');
    expect(await server.json('token', 'revoke', id)).toMatchObject({ id, state: 'revoked' });
    const both = await server.json(
      'token',
      'create',
      '--scope',
      'keys:write,recordings:read',
      '--expires',
      '90d',
    );
    expect(both).toMatchObject({
      scopes: expect.arrayContaining(['keys:write', 'recordings:read']) as string[],
    });
    expect(both).toMatchObject({ expiresAt: instant });
    expect(await failureOf(2, 'token', 'create', '--scope', 'everything')).toContain('everything');
  });
});

describe('penstock config', () => {
  const checked = async (yaml: string): Promise<Finished> => {
    writeFileSync(join(folder, 'checked.yaml'), yaml);
    return runReal(scriptPath('penstock'), ['--config', 'checked.yaml', 'config', 'check'], { cwd: folder });
  };

  it('check accepts what show prints', async () => {
    const { code, stdout } = await server.cli('config', 'show');
    expect(code).toBe(0);
    expect(stdout).toContain(`dataDir: ${join(folder, 'data')}`);
    expect(await checked(stdout)).toMatchObject({ code: 0, stdout: 'checked.yaml is valid.\n' });
    expect(await server.json('config', 'check')).toEqual({ valid: true, file: null, warnings: [] });
  });

  it('check names file, line and column of every mistake', async () => {
    const { code, stdout, stderr } = await checked(
      ['limits:', '  idleTimeout: soon', '  conections: 5', 'listeners:', '  - address: 1935'].join('\n'),
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/checked\.yaml:2:16: limits\.idleTimeout: found "soon", expected a duration/);
    expect(stderr).toMatch(/checked\.yaml:3:3: .*conections.*did you mean connections\?/);
    expect(stderr).toMatch(/checked\.yaml:5:14: listeners\.0\.address: found 1935, expected ADDRESS:PORT/);
  });

  it('serve does not start with a mistake', async () => {
    writeFileSync(join(folder, 'broken.yaml'), 'recorder: { flushInterval: never }\n');
    expect(await failureOf(2, '--config', 'broken.yaml', 'serve')).toMatch(
      /broken\.yaml:1:28: recorder\.flushInterval: found "never"/,
    );
  });
});

describe('mistakes', () => {
  it.each([
    [2, ['frobnicate'], /unknown command 'frobnicate'/],
    [2, ['key', 'frobnicate'], /unknown command 'frobnicate'/],
    [2, ['key', 'list', '--frobnicate'], /unknown option '--frobnicate'/],
    [2, ['key', 'create'], /missing required argument 'stream'/],
    [2, ['key', 'create', 'camera-1'], /APP\/NAME/],
    [2, ['key', 'create', 'live/../etc'], /APP\/NAME/],
    [2, ['key', 'create', 'live/a', '--expires', 'soon'], /--expires/],
    [2, ['key', 'create', 'live/a', '--role', 'god'], /--role/],
    [2, ['--config', 'nowhere.yaml', 'key', 'list'], /nowhere\.yaml/],
    [1, ['key', 'show', '00000000'], /no stream key 00000000/],
    [1, ['key', 'revoke', '00000000'], /no stream key 00000000/],
    [1, ['token', 'revoke', '00000000'], /no API token 00000000/],
    [1, ['recording', 'show', '0000000000000000'], /no such recording/],
    [1, ['recording', 'get', 'nonsense'], /no such recording/],
  ] as const)('exit code %i: penstock %j', async (code, args, words) => {
    expect(await failureOf(code, ...args)).toMatch(words);
  });

  it('--help explains every noun and every verb, on stdout', async () => {
    const { code, stdout, stderr } = await server.cli('--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const noun of ['serve', 'key', 'stream', 'recording', 'token', 'config']) {
      expect(stdout).toMatch(new RegExp(`^  ${noun} .*\\S$`, 'm'));
    }
    const verbs = await server.cli('key', '--help');
    for (const verb of ['create', 'list', 'show', 'disable', 'enable', 'revoke'])
      expect(verbs.stdout).toContain(`  ${verb} `);
  });
});

describe('with the server stopped', () => {
  it('everything answers as before', async () => {
    const [keys, recordings] = [await server.json('key', 'list'), await server.recordings()];
    expect(recordings.length).toBeGreaterThan(0);
    expect(await server.stop()).toMatchObject({ code: 0 });
    expect(await server.json('key', 'list')).toEqual(keys);
    expect(await server.recordings()).toEqual(recordings);
    expect(await server.json('stream', 'list')).toEqual([]);
    const { id } = await server.createKey('live/offline');
    expect(await server.json('key', 'disable', id)).toMatchObject({ state: 'disabled' });
    const copy = join(folder, 'offline.flv');
    await server.json('recording', 'get', recordings[0]?.id ?? '', '-o', copy);
    expect(statSync(copy).size).toBe(recordings[0]?.bytes);
  });
});
