// Runs a small module in several Node processes that start at the same time, in the project's folder.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Answers what each of them wrote to stdout; rejects when one fails. */
export async function runInProcesses(count: number, source: string): Promise<string[]> {
  const start = () => run(process.execPath, ['--input-type=module-typescript', '--eval', source]);
  const results = await Promise.all(Array.from({ length: count }, start));
  return results.map(({ stdout }) => stdout);
}
