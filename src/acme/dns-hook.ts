// dns-01 by a program of the operator's: `HOOK add NAME VALUE` makes a TXT record and ends when it can be seen,
// `HOOK remove NAME VALUE` takes it away. No shell is between, time and output are bounded, and our own settings
// (PENSTOCK_…) are kept out of its environment.
import { execFile } from 'node:child_process';
import { acmeLimits } from './acme-limits.ts';
import { AcmeFailure } from './explain-problem.ts';

export interface DnsRecord {
  /** Name of the TXT record without a final dot, as in `_acme-challenge.example.com`. */
  readonly name: string;
  readonly value: string;
}

/** RFC 8555 8.4: a wildcard is validated at the name below it. */
export function challengeRecord(identifier: string, value: string): DnsRecord {
  return { name: `_acme-challenge.${identifier.replace(/^\*\./, '')}`, value };
}

/** @throws AcmeFailure hookFailed, with the end of what the program said */
export async function runDnsHook(
  hook: string,
  action: 'add' | 'remove',
  { name, value }: DnsRecord,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const options = {
    timeout: acmeLimits.hookTime,
    killSignal: 'SIGKILL',
    maxBuffer: acmeLimits.hookOutput,
    env: Object.fromEntries(Object.entries(environment).filter(([key]) => !key.startsWith('PENSTOCK_'))),
    signal,
  } as const;
  execFile(hook, [action, name, value], options, (error, stdout, stderr) => {
    if (error === null) return resolve();
    const last = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
    const end =
      error.killed === true
        ? `it was stopped after ${acmeLimits.hookTime / 1000} s`
        : typeof error.code === 'number'
          ? `exit code ${error.code}`
          : `it cannot be run (${error.code ?? error.message})`;
    const detail = last === '' ? end : `${end}: ${last}`;
    reject(new AcmeFailure({ type: 'hookFailed', detail, identifier: name }, error));
  });
  return promise;
}
