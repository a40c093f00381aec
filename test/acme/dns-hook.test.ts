import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { challengeRecord, runDnsHook } from '../../src/acme/dns-hook.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const record = { name: '_acme-challenge.a.example', value: 'v$(touch x); `id`' };
const never = new AbortController().signal;

function hook(script: string): { path: string; folder: string } {
  const folder = temporaryFolder();
  const path = join(folder, 'hook');
  writeFileSync(path, `#!/bin/sh\ncd "${folder}"\n${script}\n`);
  chmodSync(path, 0o755);
  return { path, folder };
}

it('a wildcard is proved at the name below it', () => {
  expect(challengeRecord('*.a.example', 'v').name).toBe('_acme-challenge.a.example');
  expect(challengeRecord('a.example', 'v')).toEqual({ name: '_acme-challenge.a.example', value: 'v' });
});

it('gets its three arguments as they are, its environment, and nothing of our settings', async () => {
  const { path, folder } = hook('printf "%s\\n" "$#" "$@" "$TOKEN" "$PENSTOCK_STORE" > said');
  const environment = { PATH: process.env['PATH'], TOKEN: 'of the provider', PENSTOCK_STORE: 'ours' };
  await runDnsHook(path, 'add', record, environment, never);
  expect(readFileSync(join(folder, 'said'), 'utf8').split('\n')).toEqual([
    '3',
    'add',
    record.name,
    record.value,
    'of the provider',
    '',
    '',
  ]);
});

it.each([
  ['echo one; echo "no such zone" >&2; exit 3', /exit code 3: no such zone/],
  ['exit 1', /exit code 1/],
])('its failure is told with its last words: %s', async (script, words) => {
  await expect(runDnsHook(hook(script).path, 'add', record, {}, never)).rejects.toMatchObject({
    message: expect.stringMatching(words),
    problem: { type: 'hookFailed', identifier: record.name },
  });
});

it('one that is not there is told', async () => {
  await expect(runDnsHook('/nowhere/hook', 'add', record, {}, never)).rejects.toThrow(
    /cannot be run \(ENOENT\)/,
  );
});

it('ends with the appliance', async () => {
  const stop = new AbortController();
  const running = runDnsHook(
    hook('sleep 60').path,
    'add',
    record,
    { PATH: process.env['PATH'] },
    stop.signal,
  );
  stop.abort();
  await expect(running).rejects.toMatchObject({ problem: { type: 'hookFailed' } });
});
