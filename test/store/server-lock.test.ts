import { describe, expect, it } from 'vitest';
import { lockForServing } from '../../src/store/server-lock.ts';
import { runInProcesses } from '../support/run-in-processes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('server lock', () => {
  it('is had once, and again after it was let go', () => {
    const folder = temporaryFolder();
    const lock = lockForServing(folder);
    expect(() => lockForServing(folder)).toThrow(expect.objectContaining({ code: 'DATA_FOLDER_IN_USE' }));
    lock.release();
    lock.release();
    lockForServing(folder).release();
  });

  it('holds against other processes, and ends with the process that had it', async () => {
    const folder = temporaryFolder();
    const take = `
      import { lockForServing } from './src/store/server-lock.ts';
      try { lockForServing(${JSON.stringify(folder)}); console.log('had'); } catch (error) { console.log(error.code); }
      process.kill(process.pid, 'SIGKILL');`;
    const lock = lockForServing(folder);
    await expect(runInProcesses(1, take)).rejects.toMatchObject({ stdout: 'DATA_FOLDER_IN_USE\n' });
    lock.release();
    await expect(runInProcesses(1, take)).rejects.toMatchObject({ stdout: 'had\n' });
    lockForServing(folder).release();
  });

  it('says so when the folder cannot be written', () => {
    expect(() => lockForServing('/proc/nowhere')).toThrow(
      expect.objectContaining({ code: 'DATA_FOLDER_UNUSABLE' }),
    );
  });
});
