import { describe, expect, it } from 'vitest';
import { serveApi } from '../support/api-server.ts';

describe('health', () => {
  it('needs no token and says no more than it must', async () => {
    let ready = false;
    const { ask } = await serveApi({ ready: () => ready });
    const health = await ask('/healthz');
    expect([health.status, await health.text()]).toEqual([200, 'ok']);
    expect((await ask('/healthz', { method: 'HEAD' })).status).toBe(200);
    expect((await ask('/readyz')).status).toBe(503);
    ready = true;
    const good = await ask('/readyz');
    expect([good.status, await good.json()]).toEqual([
      200,
      { status: 'ready', recording: 'ok', certificate: 'development' },
    ]);
  });
});

describe('metrics', () => {
  it('need a token with their scope, and come as Prometheus wants them', async () => {
    const { ask, token } = await serveApi();
    expect((await ask('/metrics')).status).toBe(401);
    expect((await ask('/metrics', { token: (await token('streams:read')).token })).status).toBe(403);
    const response = await ask('/metrics', { token: (await token('metrics:read')).token });
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect([response.status, await response.text()]).toEqual([200, 'penstock_test 1\n']);
  });
});

describe('what is not there', () => {
  it.each([
    ['GET', '/', 404],
    ['GET', '/nothing', 404],
    ['GET', '/api/v1', 404],
    ['GET', '/api/v1/recordings/', 404],
    ['GET', '/api/v1/recordings/a/b', 404],
    ['GET', '/healthz/', 404],
    ['GET', '/%2e%2e/%2e%2e/etc/passwd', 404],
    ['GET', '/%ff', 404],
    ['POST', '/healthz', 405],
    ['DELETE', '/api/v1/recordings/0000000000000000/file', 405],
    ['PUT', '/api/v1/keys', 405],
  ])('%s %s → %i as a problem document', async (method, path, status) => {
    const { ask } = await serveApi();
    const response = await ask(path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ type: 'about:blank', status, title: expect.any(String) });
    expect(response.headers.get('allow')?.includes('GET')).toBe(status === 405 ? true : undefined);
  });
});

describe('streams', () => {
  it('are listed as the command line lists them', async () => {
    const sessions = [1, 2, 3].map((second) => ({
      stream: 'live/a',
      sessionId: `s${second}`,
      since: `2026-01-01T00:00:0${second}.000Z`,
      bitrate: null,
    }));
    const { ask, token } = await serveApi({ streams: { list: () => Promise.resolve(sessions) } });
    const { token: good } = await token('streams:read');
    const first = (await (await ask('/api/v1/streams?limit=2', { token: good })).json()) as {
      nextCursor: string;
    };
    expect(first).toEqual({ items: sessions.slice(0, 2), nextCursor: expect.any(String) });
    const second = await ask(`/api/v1/streams?cursor=${first.nextCursor}`, { token: good });
    expect(await second.json()).toEqual({ items: sessions.slice(2), nextCursor: null });
  });
});
