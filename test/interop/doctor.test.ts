// `penstock doctor` as operators and scripts run it: exit codes, JSON, a key from standard input, and a machine on
// which there is nothing yet.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closedPort } from '../support/doctor-network.ts';
import { makeSample, publishWithFfmpeg } from '../support/real-clients.ts';
import { runReal } from '../support/real-process.ts';
import { scriptPath, ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Answer {
  readonly ok: boolean;
  readonly examinations: readonly {
    readonly subject: string;
    readonly findings: readonly { readonly check: string; readonly state: string; readonly says: string }[];
  }[];
}

const folder = temporaryFolder(afterAll);
const listeners = [
  { address: `127.0.0.1:${await closedPort()}`, accept: ['rtmps', 'rtmpe'] },
  { address: `127.0.0.1:${await closedPort()}`, accept: ['rtmps', 'rtmpts', 'https'] },
];
const server = new ServerProcess({ folder, settings: { listeners } });
const launcher = scriptPath('penstock');
beforeAll(() => server.start());
afterAll(() => server.discard());

describe('beside a running server', () => {
  it('finds it well, door by door', async () => {
    await server.createKey('live/well');
    const { code, stdout, stderr } = await server.cli('doctor', '--json');
    expect([code, stderr]).toEqual([0, '']);
    const { ok, examinations } = JSON.parse(stdout) as Answer;
    expect(ok).toBe(true);
    expect(examinations[0]?.findings).toContainEqual(
      expect.objectContaining({
        check: 'listener',
        state: 'ok',
        says: expect.stringContaining('listened on'),
      }),
    );
    expect(examinations.length).toBe(1 + 4);
    for (const { findings } of examinations.slice(1)) {
      expect(findings.find(({ check }) => check === 'connect')?.state).toBe('ok');
    }
  });

  it('tries a key from standard input, at the URL it is given; what it knows of the key is nowhere', async () => {
    const { key } = await server.createKey('live/tried');
    const url = `rtmps://localhost:${server.port}/live`;
    const script = 'printf %s "$KEY" | "$0" "$@" --key-file -';
    const { code, stdout, stderr } = await runReal('/bin/sh', ['-c', script, launcher, 'doctor', url], {
      cwd: folder,
      env: { ...server.environment, KEY: key },
    });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/ok +key +the key was accepted/);
    expect(stdout).not.toContain(key.slice(13));
  });

  it('does not take a live stream over', async () => {
    const { key } = await server.createKey('live/on-air');
    const file = join(folder, 'on-air.key');
    writeFileSync(file, key);
    const url = `rtmps://localhost:${server.port}/live`;
    const encoder = publishWithFfmpeg(await makeSample(folder, 'h264 and aac', 40), `${url}/${key}`, {
      live: true,
    });
    await server.growingRecording('live/on-air', 500);
    const { code, stdout } = await server.cli('doctor', url, '--key-file', file);
    expect(stdout).toContain('live/on-air is on the air');
    expect(code).toBe(0);
    expect(server.logged('publish.ended').some((line) => line['stream'] === 'live/on-air')).toBe(false);
    await encoder.discard();
  });

  it('exits 1 when a step failed, 2 for a URL that is none or holds a key', async () => {
    const failed = await server.cli('doctor', 'rtmps://127.0.0.1:1/live');
    expect([failed.code, failed.stderr]).toEqual([1, '']);
    expect(failed.stdout).toContain('ECONNREFUSED');
    expect((await server.cli('doctor', 'ingest.example.com')).code).toBe(2);
    const held = await server.cli('doctor', `rtmps://localhost/live/psk_7h2kq9d4_${'x'.repeat(30)}`);
    expect([held.code, held.stderr]).toEqual([2, expect.not.stringContaining('xxxx')]);
  });
});

describe('on a new machine', () => {
  it('says what is missing, and makes nothing', async () => {
    const empty = temporaryFolder();
    const { code, stdout } = await runReal(launcher, ['--data-dir', join(empty, 'data'), 'doctor'], {
      cwd: empty,
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAILED +keys +there is no stream key/);
    expect(readdirSync(empty)).toEqual([]);
  });
});
