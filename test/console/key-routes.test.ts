import { describe, expect, it } from 'vitest';
import { consoleLimits } from '../../src/console/console-limits.ts';
import { serveApi } from '../support/api-server.ts';

describe('keys and tokens', () => {
  it('live their whole life over HTTP, and show their secret once', async () => {
    const served = await serveApi();
    const { token, id: tokenId } = await served.token('keys:write');
    const made = await served.ask('/api/v1/keys', {
      token,
      body: {
        stream: 'live/camera-1',
        codecs: ['h264'],
        expires: '30d',
        maxBitrate: 12_000_000,
        allow: ['10.0.0.0/8'],
      },
    });
    expect(made.status).toBe(201);
    const key = (await made.json()) as { id: string; key: string };
    expect(key).toMatchObject({
      stream: 'live/camera-1',
      role: 'publish',
      key: expect.stringMatching(/^psk_/),
    });
    expect(made.headers.get('location')).toBe(`/api/v1/keys/${key.id}`);
    expect(made.headers.get('cache-control')).toBe('no-store');
    const rotate = (body: object) => served.ask(`/api/v1/keys/${key.id}/rotate`, { token, body });
    const rotated = await rotate({ grace: '1h' });
    const fresh = (await rotated.json()) as { key: string };
    expect([rotated.status, fresh]).toMatchObject([200, { id: key.id, key: expect.stringMatching(/^psk_/) }]);
    expect(fresh.key).not.toBe(key.key);
    expect((await rotate({ grace: 'long' })).status).toBe(400);
    expect((await rotate({ grade: '1h' })).status).toBe(400);
    for (const [verb, state] of [
      ['disable', 'disabled'],
      ['enable', 'active'],
      ['revoke', 'revoked'],
    ]) {
      const response = await served.ask(`/api/v1/keys/${key.id}/${verb}`, { token, method: 'POST' });
      expect([response.status, ((await response.json()) as { state: string }).state]).toEqual([200, state]);
    }
    expect((await served.ask(`/api/v1/keys/${key.id}/enable`, { token, method: 'POST' })).status).toBe(400);
    const shown = await (await served.ask(`/api/v1/keys/${key.id}`, { token })).text();
    const list = await (await served.ask('/api/v1/keys', { token })).text();
    expect(JSON.parse(list)).toMatchObject({ items: [{ id: key.id, state: 'revoked' }], nextCursor: null });
    const kept = shown + list + JSON.stringify([served.log.lines, served.audit.lines]);
    for (const secret of [key.key, fresh.key]) expect(kept).not.toContain(secret);
    const source = `token ${tokenId}`;
    for (const action of [
      'key.created',
      'key.rotated',
      'key.disabled',
      'key.enabled',
      'key.revoked',
    ] as const)
      expect(served.audit.of(action)).toMatchObject([{ source, key: key.id, stream: 'live/camera-1' }]);
  });

  it('make tokens that work until they are revoked', async () => {
    const { ask, token } = await serveApi();
    const { token: admin } = await token('tokens:write');
    const made = await ask('/api/v1/tokens', { token: admin, body: { scopes: ['streams:read'] } });
    expect(made.status).toBe(201);
    const fresh = (await made.json()) as { id: string; token: string };
    expect((await ask('/api/v1/streams', { token: fresh.token })).status).toBe(200);
    expect(await (await ask('/api/v1/tokens', { token: admin })).text()).not.toContain(fresh.token);
    expect((await ask(`/api/v1/tokens/${fresh.id}/revoke`, { token: admin, method: 'POST' })).status).toBe(
      200,
    );
    expect((await ask('/api/v1/streams', { token: fresh.token })).status).toBe(401);
  });

  it.each([
    ['no JSON', '{', /not valid JSON/],
    ['not an object', '[]', /expected object/],
    ['a misspelt limit', { stream: 'live/a', maxBitRate: '1M' }, /maxBitRate/],
    ['no stream', {}, /stream/],
    ['a stream that is none', { stream: '../etc' }, /APP\/NAME/],
    ['a wrong type', { stream: 'live/a', allow: 'all' }, /allow/],
  ])('refuse a body with %s', async (_, body, detail) => {
    const { ask, token } = await serveApi();
    const response = await ask('/api/v1/keys', { token: (await token('keys:write')).token, body });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { detail: string }).detail).toMatch(detail);
  });

  it('take JSON only, and not without end', async () => {
    const { ask, raw, token } = await serveApi();
    const { token: good } = await token('keys:write');
    const form = await ask('/api/v1/keys', {
      token: good,
      body: '{"stream":"live/a"}',
      headers: { 'content-type': 'text/plain' },
    });
    expect(form.status).toBe(400);
    const large = `{"stream":"live/a","note":"${'x'.repeat(consoleLimits.bodySize)}"}`;
    expect((await ask('/api/v1/keys', { token: good, body: large })).status).toBe(413);
    const chunk = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    const head = `POST /api/v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${good}\r\nContent-Type: application/json\r\n`;
    expect(await raw(`${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}`)).toMatch(
      /^HTTP\/1.1 413 /,
    );
  });
});
