import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { AcmeHttp, problemIn } from '../../src/acme/acme-http.ts';
import type { AcmeFailure } from '../../src/acme/explain-problem.ts';
import { acmeLimits } from '../../src/acme/acme-limits.ts';
import { FakeAuthority, type AuthorityMood } from '../support/fake-authority.ts';
import { FakeClock } from '../support/fake-clock.ts';

async function stage(options: { trusted?: boolean } = {}) {
  const authority = await FakeAuthority.open();
  const clock = new FakeClock();
  const stop = new AbortController();
  const http = new AcmeHttp({
    ...(options.trusted !== false && { extraRoots: readFileSync(authority.caFile, 'utf8') }),
    clock,
    signal: stop.signal,
  });
  return { authority, clock, http, stop };
}

it('reads JSON, counts, and asks for a nonce only when it has none', async () => {
  const { authority, http } = await stage();
  const { data } = await http.request(authority.directoryUrl, 'get');
  const { newNonce, newOrder } = data as Record<string, string>;
  await http.request(newNonce!, 'head');
  await http.request(newNonce!, 'head'); // the first one brought it
  await http.request(newNonce!, 'head');
  await http.request(newOrder!, 'post', { data: { payload: 'eyJpZGVudGlmaWVycyI6W119' } });
  expect(authority.requests.map(({ path }) => path)).toEqual(['/dir', '/newNonce', '/newOrder']);
  expect(http.sent).toBe(3);
});

it.each<[AuthorityMood, object]>([
  ['failing', { type: 'failing', status: 503, detail: 'because of serverInternal' }],
  ['limiting', { type: 'rateLimited', status: 429 }],
])('%s is told as what it is', async (mood, problem) => {
  const { authority, clock, http } = await stage();
  authority.mood = mood;
  const failed = http.request(authority.directoryUrl, 'GET');
  await expect(failed).rejects.toMatchObject({ code: 'ACME_FAILED', problem });
  const { problem: told } = (await failed.catch((error: unknown) => error)) as AcmeFailure;
  expect(told.retryAt).toBe(mood === 'limiting' ? clock.now() + 7_200_000 : undefined);
  expect(authority.requests).toHaveLength(1);
});

it('a refused nonce goes back to the client, which repeats the request; another refusal does not', async () => {
  const { authority, http } = await stage();
  authority.mishaps.set('/newOrder', { status: 400, type: 'badNonce' });
  const url = authority.directoryUrl.replace('/dir', '/newOrder');
  expect((await http.request(url, 'post', { data: { payload: '' } })).status).toBe(400);
  authority.mishaps.set('/newOrder', { status: 403, type: 'unauthorized' });
  await expect(http.request(url, 'post', { data: { payload: '' } })).rejects.toMatchObject({
    problem: { type: 'unauthorized', status: 403 },
  });
});

it('one that hangs is given up in time', async () => {
  const { authority, clock, http } = await stage();
  authority.mood = 'hanging';
  const asked = http.request(authority.directoryUrl, 'GET');
  await expect.poll(() => authority.requests.length).toBe(1);
  clock.advance(acmeLimits.requestTime);
  await expect(asked).rejects.toMatchObject({ problem: { type: 'silent' } });
  expect(clock.timers).toBe(0);
});

it('who cannot be reached, or not be trusted, is told apart', async () => {
  const { authority, http } = await stage({ trusted: false });
  await expect(http.request(authority.directoryUrl, 'GET')).rejects.toMatchObject({
    problem: { type: 'untrusted' },
  });
  await expect(http.request('https://127.0.0.1:1/dir', 'GET')).rejects.toMatchObject({
    problem: { type: 'unreachable', detail: expect.stringContaining('ECONNREFUSED') },
  });
});

it('ends with the appliance', async () => {
  const { authority, http, stop } = await stage();
  authority.mood = 'hanging';
  const asked = http.request(authority.directoryUrl, 'GET');
  stop.abort();
  await expect(asked).rejects.toMatchObject({ code: 'ACME_FAILED' });
});

it('finds the problem inside another answer', () => {
  const type = 'urn:ietf:params:acme:error:dns';
  expect(problemIn({ type, detail: 'NXDOMAIN' })).toEqual({ type: 'dns', detail: 'NXDOMAIN' });
  expect(problemIn({ detail: 'x' })).toBeUndefined();
  expect(problemIn(undefined)).toBeUndefined();
});
