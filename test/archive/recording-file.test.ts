import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createRecordingFile,
  fileExists,
  freeSpace,
  listFiles,
  openForReading,
  removeFile,
  reopenRecordingFile,
  type RecordingFile,
} from '../../src/archive/recording-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const path = 'live/a/one.flv';
async function made(root: string): Promise<RecordingFile> {
  const file = await createRecordingFile(root, path);
  onTestFinished(() => file.close());
  return file;
}

const modeOf = (file: string) => statSync(file).mode & 0o777;

describe('a recording file', () => {
  it('is private, named .part until it is sealed, and has what was appended and patched', async () => {
    const root = join(temporaryFolder(), 'recordings');
    const file = await createRecordingFile(root, path);
    for (const folder of [root, join(root, 'live'), join(root, 'live/a')]) expect(modeOf(folder)).toBe(0o700);
    expect(modeOf(join(root, `${path}.part`))).toBe(0o600);
    await file.append(Buffer.from('hello world'));
    await file.append(Buffer.from('!'));
    await file.patch(6, Buffer.from('W'));
    await file.datasync();
    expect([file.length, await fileExists(root, path)]).toEqual([12, false]);
    await file.seal();
    await file.close();
    expect(readFileSync(join(root, path), 'utf8')).toBe('hello World!');
    expect(existsSync(join(root, `${path}.part`))).toBe(false);
  });

  it('is never made over another one, and never sealed over one', async () => {
    const root = temporaryFolder();
    const file = await made(root);
    await expect(createRecordingFile(root, path)).rejects.toMatchObject({ code: 'RECORDING_OPEN_FAILED' });
    writeFileSync(join(root, path), 'precious');
    await expect(file.seal()).rejects.toMatchObject({ code: 'RECORDING_WRITE_FAILED' });
    expect(readFileSync(join(root, path), 'utf8')).toBe('precious');
    expect(await fileExists(root, `${path}.part`)).toBe(true);
  });

  it('does not follow symbolic links, for making, reading, repairing or removing', async () => {
    const root = temporaryFolder();
    const outside = temporaryFolder();
    mkdirSync(join(root, 'live'));
    symlinkSync(outside, join(root, 'live/a'));
    writeFileSync(join(outside, 'one.flv'), 'secret');
    writeFileSync(join(outside, 'one.flv.part'), 'secret');
    await expect(createRecordingFile(root, 'live/a/two.flv')).rejects.toMatchObject({
      code: 'RECORDING_OPEN_FAILED',
      hint: expect.stringContaining('symbolic link'),
    });
    await expect(openForReading(root, path)).rejects.toThrow('symbolic link');
    await expect(reopenRecordingFile(root, path)).rejects.toThrow('symbolic link');
    await expect(removeFile(root, path)).rejects.toThrow('symbolic link');
    expect([await fileExists(root, path), await listFiles(root, '.part')]).toEqual([false, []]);
    expect(existsSync(join(outside, 'one.flv'))).toBe(true);

    mkdirSync(join(root, 'live/b'));
    symlinkSync(join(outside, 'one.flv'), join(root, 'live/b/one.flv'));
    symlinkSync(join(outside, 'new'), join(root, 'live/b/two.flv.part'));
    await expect(openForReading(root, 'live/b/one.flv')).rejects.toThrow('ELOOP');
    await expect(createRecordingFile(root, 'live/b/two.flv')).rejects.toMatchObject({
      code: 'RECORDING_OPEN_FAILED',
    });
    expect(existsSync(join(outside, 'new'))).toBe(false);
  });

  it('may live in a folder that is itself reached by a link', async () => {
    const real = temporaryFolder();
    const root = join(temporaryFolder(), 'link');
    symlinkSync(real, root);
    const file = await createRecordingFile(root, path);
    await file.append(Buffer.from('x'));
    await file.seal();
    expect(existsSync(join(real, path))).toBe(true);
  });

  it('stays in its folder', async () => {
    const root = join(temporaryFolder(), 'recordings');
    mkdirSync(root);
    writeFileSync(join(root, '../outside.flv'), 'x');
    await expect(openForReading(root, '../outside.flv')).rejects.toThrow(RangeError);
    await expect(removeFile(root, '../outside.flv')).rejects.toMatchObject({
      code: 'RECORDING_WRITE_FAILED',
    });
    expect(await fileExists(root, '../outside.flv')).toBe(false);
    expect(existsSync(join(root, '../outside.flv'))).toBe(true);
  });

  it('says whose trouble it is when the system refuses', async () => {
    const root = temporaryFolder();
    const file = await createRecordingFile(root, path);
    await file.close();
    await expect(file.append(Buffer.from('x'))).rejects.toMatchObject({
      code: 'RECORDING_WRITE_FAILED',
      hint: expect.any(String),
    });
    expect(file.length).toBe(0);
    writeFileSync(join(root, 'file'), '');
    await expect(createRecordingFile(join(root, 'file'), path)).rejects.toMatchObject({
      code: 'RECORDING_OPEN_FAILED',
    });
  });

  it('is cut, discarded, reopened and found', async () => {
    const root = temporaryFolder();
    const file = await createRecordingFile(root, path);
    await file.append(Buffer.from('0123456789'));
    await file.close();
    expect(await listFiles(root, '.part')).toEqual([`${path}.part`]);
    const { file: again } = await reopenRecordingFile(root, path);
    expect(again.length).toBe(10);
    await again.truncate(4);
    expect([again.length, readFileSync(join(root, `${path}.part`), 'utf8')]).toEqual([4, '0123']);
    await again.discard();
    expect(await listFiles(root, '.part')).toEqual([]);
    await removeFile(root, path);
    expect(await listFiles(join(root, 'nowhere'), '.part')).toEqual([]);
    expect(await freeSpace(root)).toBeGreaterThan(0);
    expect(await freeSpace(join(root, 'not/yet'))).toBeGreaterThan(0);
  });
});
