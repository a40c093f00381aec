// The QR code of a new key, as a camera would see it: drawn as the terminal shows it, read by zbar.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawQrCode } from '../../src/qr-code.ts';
import { runReal } from '../support/real-process.ts';
import { scriptPath } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const pixels = 4;

/** A picture (PGM) of lines of half blocks; `ink` and `paper` are the brightness of letters and ground. */
function pictureOf(lines: readonly string[], ink: number, paper: number): Buffer {
  const rows = lines.flatMap((line) =>
    ['▀█', '▄█'].map((full) =>
      line.split('').flatMap((cell) => Array<number>(pixels).fill(full.includes(cell) ? ink : paper)),
    ),
  );
  const scaled = rows.flatMap((row) => Array<number[]>(pixels).fill(row));
  return Buffer.concat([
    Buffer.from(`P5 ${scaled[0]?.length} ${scaled.length} 255\n`),
    Buffer.from(scaled.flat()),
  ]);
}

async function read(picture: Buffer): Promise<string> {
  const file = join(temporaryFolder(), 'code.pgm');
  writeFileSync(file, picture);
  const { stdout, stderr } = await runReal('zbarimg', ['--quiet', '--raw', file]);
  return stdout.trim() || stderr;
}

describe('penstock key create --qr', () => {
  it('shows what a phone has to know, and no more in its JSON', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'penstock.yaml'), 'hosts: [ingest.example.com]\n');
    const create = (...options: string[]) =>
      runReal(scriptPath('penstock'), ['key', 'create', 'live/phone', '--qr', ...options], { cwd: folder });
    const { stdout } = await create();
    const key = /^stream key +(psk_\w+)$/m.exec(stdout)?.[1];
    const code = stdout.split('\n').filter((line) => /^[▀▄█ ]{40,}$/.test(line));
    expect(await read(pictureOf(code, 255, 0))).toBe(`rtmps://ingest.example.com:1935/live/${key}`);
    const { settings, ...json } = JSON.parse((await create('--json')).stdout) as Record<string, unknown>;
    expect(settings).toMatchObject({ url: `rtmps://ingest.example.com:1935/live/${String(json['key'])}` });
    expect(Object.keys(json)).toEqual(['id', 'stream', 'role', 'key', 'server', 'expiresAt']);
  });

  it('is black on white in a terminal with colours', async () => {
    const code = drawQrCode('rtmps://h/live/psk', true)
      .split('\n')
      .map((line) => line.replace(/\u001b\[[\d;]+m/g, ''));
    expect(await read(pictureOf(code, 0, 255))).toBe('rtmps://h/live/psk');
  });
});
