import { describe, expect, it } from 'vitest';
import { answered, serveApi } from '../support/api-server.ts';

describe('every answer', () => {
  it('carries headers that keep browsers from guessing', async () => {
    const { ask } = await serveApi();
    for (const path of ['/healthz', '/nothing', '/api/v1/streams', '/api/v1/recordings/x/file']) {
      expect(Object.fromEntries((await ask(path)).headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cache-control': expect.stringContaining('no-store'),
      });
    }
  });

  it('is one in words, even to a request that cannot be read', async () => {
    const { raw } = await serveApi();
    expect(await raw('GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 /,
    );
    expect(await raw('GET http://x:99999/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 (400|404) /,
    );
    expect(await raw('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 (200|400) /);
  });
});

describe('the log of requests', () => {
  it('has one line for each, without its query, and with the id of the token', async () => {
    const served = await serveApi();
    const { id, token } = await served.token();
    await served.ask('/api/v1/recordings?stream=live/x&sig=open-sesame', { token });
    await served.ask('/api/v1/keys', { token, method: 'POST' });
    await served.ask('/healthz');
    await answered(served, 3);
    const lines = served.log.lines.filter(({ event }) => event === 'request.answered');
    expect(
      lines.map(({ level, fields }) => [level, fields.method, fields.path, fields.status, fields.token]),
    ).toEqual([
      ['debug', 'GET', '/api/v1/recordings', 200, id],
      ['info', 'POST', '/api/v1/keys', 403, id],
      ['debug', 'GET', '/healthz', 200, undefined],
    ]);
    expect(JSON.stringify(served.log.lines)).not.toMatch(/open-sesame|ptk_/);
  });
});
