// The HTTP API on a real http.Server, over a real store and archive.
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Archive } from '../../src/archive/archive.ts';
import { CatalogueStore } from '../../src/archive/catalogue-store.ts';
import { consoleLimits } from '../../src/console/console-limits.ts';
import { createHttpHandler, type HttpHandlerParts } from '../../src/console/http-handler.ts';
import { ResourceError } from '../../src/errors.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';
import { createToken, revokeToken } from '../../src/keys/token-cli.ts';
import { openTokenGate } from '../../src/keys/token-gate.ts';
import type { RecordingId, StreamName } from '../../src/ops/names.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const content = Buffer.from('FLV'.padEnd(5000, '.'));

async function serve(overrides: Partial<HttpHandlerParts> = {}) {
  const folder = temporaryFolder();
  const clock = new FakeClock();
  const log = new RecordedLog();
  const store = await openStore({ folder, clock, log });
  const hasher = new SecretHasher(systemRandom.bytes(32));
  const context = {
    store,
    hasher,
    random: systemRandom,
    clock,
    serverUrls: { rtmps: 'rtmps://ingest.example.com:1935' },
  };
  const recordings = join(folder, 'recordings');
  const archive = new Archive({
    folder: recordings,
    db: store.db,
    clock,
    random: systemRandom,
    log,
    minFreeSpace: 0,
  });
  const handler = createHttpHandler({
    archive,
    streams: { list: () => Promise.resolve([]) },
    tokenGate: openTokenGate({ store, hasher, clock }),
    keys: context,
    ready: () => true,
    clock,
    log,
    ...overrides,
  });
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await store.close();
  });
  const { port } = server.address() as AddressInfo;

  const token = async (scope?: string, expires?: string) =>
    (await createToken({ scope, expires }, context)).json as { id: string; token: string };
  const ask = (
    path: string,
    options: { token?: string; method?: string; body?: unknown; headers?: object } = {},
  ) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined
        ? {}
        : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
    });
  /** Recordings one minute apart, of two streams in turn. */
  const record = async (count: number): Promise<string[]> => {
    const catalogue = new CatalogueStore(store.db);
    const ids: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const id = `${index}`.padStart(16, '0') as RecordingId;
      const path = `live/camera-${index % 2}/${id}.flv`;
      await catalogue.add({
        id,
        stream: `live/camera-${index % 2}` as StreamName,
        keyId: undefined,
        state: 'complete',
        startedAt: Date.UTC(2026, 0, 1, 0, Math.floor(index / 2)), // two at the same moment
        endedAt: undefined,
        durationMs: 1000,
        bytes: content.length,
        sha256: undefined,
        path,
      });
      mkdirSync(dirname(join(recordings, path)), { recursive: true });
      writeFileSync(join(recordings, path), content);
      ids.push(id);
    }
    return ids;
  };
  /** The raw bytes of an answer to raw bytes. */
  const raw = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.end(text);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return answer;
  };
  return { ask, raw, token, record, log, context, clock };
}

type Served = Awaited<ReturnType<typeof serve>>;

const answered = async ({ log }: Served, count: number): Promise<void> => {
  while (log.of('request.answered').length < count) await new Promise((resolve) => setImmediate(resolve));
};

const routes: readonly (readonly [method: string, path: string, scope: string])[] = [
  ['GET', '/api/v1/recordings', 'recordings:read'],
  ['GET', '/api/v1/recordings/0000000000000000', 'recordings:read'],
  ['GET', '/api/v1/recordings/0000000000000000/file', 'recordings:read'],
  ['HEAD', '/api/v1/recordings/0000000000000000/file.flv', 'recordings:read'],
  ['GET', '/api/v1/streams', 'streams:read'],
  ['GET', '/api/v1/keys', 'keys:read'],
  ['GET', '/api/v1/keys/00000000', 'keys:read'],
  ['POST', '/api/v1/keys', 'keys:write'],
  ['POST', '/api/v1/keys/00000000/disable', 'keys:write'],
  ['POST', '/api/v1/keys/00000000/enable', 'keys:write'],
  ['POST', '/api/v1/keys/00000000/revoke', 'keys:write'],
  ['GET', '/api/v1/tokens', 'tokens:read'],
  ['POST', '/api/v1/tokens', 'tokens:write'],
  ['POST', '/api/v1/tokens/00000000/revoke', 'tokens:write'],
];

describe('access', () => {
  it('is refused without a good token, on every path but the health checks', async () => {
    const served = await serve();
    const revoked = await served.token('recordings:read');
    await revokeToken(revoked.id, served.context);
    const expired = await served.token('recordings:read', '1h');
    served.clock.advance(3_600_000);
    const forged = `${(await served.token()).token.slice(0, -1)}x`;
    for (const [method, path] of routes) {
      const bare = await served.ask(path, { method });
      expect([path, bare.status, bare.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Bearer realm="penstock"',
      ]);
      for (const token of [revoked.token, expired.token, forged, 'psk_x', 'x']) {
        const response = await served.ask(path, { method, token });
        expect(response.status).toBe(401);
        expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
      }
    }
    // In the log by reason and id, never by what was shown.
    const reasons = new Set(served.log.of('request.refused').map(({ reason }) => reason));
    expect([...reasons].sort()).toEqual(['expired', 'mistyped', 'not-a-token', 'revoked', 'token-missing']);
    const all = JSON.stringify(served.log.lines);
    for (const secret of [revoked.token, expired.token, forged]) expect(all).not.toContain(secret);
    expect(served.log.of('request.refused').some(({ token }) => token === revoked.id)).toBe(true);
  });

  it('is refused with 403 when the scope is missing, and given when it is there', async () => {
    const served = await serve();
    const everything = [...new Set(routes.map(([, , scope]) => scope))];
    for (const [method, path, scope] of routes) {
      // `keys:write` covers `keys:read`.
      const others = everything.filter(
        (other) => other !== scope && other !== scope.replace('read', 'write'),
      );
      const without = await served.ask(path, { method, token: (await served.token(others.join(','))).token });
      expect([path, without.status]).toEqual([path, 403]);
      expect(without.headers.get('www-authenticate')).toContain(
        `error="insufficient_scope", scope="${scope}"`,
      );
      const granted = await served.ask(path, { method, token: (await served.token(scope)).token });
      expect([401, 403, 405, 500]).not.toContain(granted.status);
    }
  });

  it('takes no token from the query, nor from another scheme', async () => {
    const { ask, token } = await serve();
    const { token: good } = await token();
    expect((await ask(`/api/v1/streams?access_token=${good}`)).status).toBe(401);
    const basic = `Basic ${Buffer.from(`x:${good}`).toString('base64')}`;
    expect((await ask('/api/v1/streams', { headers: { authorization: basic } })).status).toBe(401);
  });
});

describe('health', () => {
  it('needs no token and says no more than it must', async () => {
    let ready = false;
    const { ask } = await serve({ ready: () => ready });
    const health = await ask('/healthz');
    expect([health.status, await health.text()]).toEqual([200, 'ok']);
    expect((await ask('/healthz', { method: 'HEAD' })).status).toBe(200);
    expect((await ask('/readyz')).status).toBe(503);
    ready = true;
    expect((await ask('/readyz')).status).toBe(200);
  });
});

describe('errors', () => {
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
    const { ask } = await serve();
    const response = await ask(path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ type: 'about:blank', status, title: expect.any(String) });
    if (status === 405) expect(response.headers.get('allow')).toMatch(/GET/);
  });

  it('carry the headers that every answer carries', async () => {
    const { ask } = await serve();
    for (const path of ['/healthz', '/nothing', '/api/v1/streams', '/api/v1/recordings/x/file']) {
      expect(Object.fromEntries((await ask(path)).headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cache-control': expect.stringContaining('no-store'),
      });
    }
  });

  it('of the host are 503, and say nothing of its insides', async () => {
    const tokenGate = {
      check: () =>
        Promise.reject(
          new ResourceError('STORE_FAILED', 'secret/path is broken', { hint: 'mend secret/path' }),
        ),
    };
    const { ask, log } = await serve({ tokenGate });
    for (const path of ['/api/v1/streams', '/api/v1/recordings/0000000000000000/file']) {
      const response = await ask(path);
      expect(response.status).toBe(503);
      expect(await response.text()).not.toContain('secret');
    }
    expect(log.of('request.failed')).toMatchObject([{ code: 'STORE_FAILED', hint: 'mend secret/path' }, {}]);
  });

  it('of ours are 500, logged as a bug, and do not stop the server', async () => {
    const tokenGate = {
      check: (): never => {
        throw new TypeError('undefined is not a secret');
      },
    };
    const { ask, log } = await serve({ tokenGate });
    for (const path of ['/api/v1/streams', '/api/v1/recordings/0000000000000000/file']) {
      const response = await ask(path);
      expect(response.status).toBe(500);
      expect(await response.text()).not.toMatch(/secret|at |TypeError/);
    }
    expect(log.of('request.failed')).toMatchObject([
      { bug: true, message: expect.stringContaining('TypeError') },
      { bug: true },
    ]);
    expect((await ask('/healthz')).status).toBe(200);
  });

  it('of the request itself are 400, without a word on the console', async () => {
    const { raw } = await serve();
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
    const served = await serve();
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

describe('recordings', () => {
  it('are listed page by page, all of them once', async () => {
    const served = await serve();
    const ids = await served.record(7);
    const { token } = await served.token('recordings:read');
    const seen: string[] = [];
    let cursor = '';
    do {
      const response = await served.ask(`/api/v1/recordings?limit=3${cursor}`, { token });
      const page = (await response.json()) as { items: { id: string }[]; nextCursor: string | null };
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(ids);
  });

  it('are filtered by stream and time, and shown in the shape of the command line', async () => {
    const served = await serve();
    await served.record(5);
    const { token } = await served.token('recordings:read');
    const list = async (query: string) =>
      (
        (await (await served.ask(`/api/v1/recordings?${query}`, { token })).json()) as {
          items: { id: string }[];
        }
      ).items;
    expect((await list('stream=live/camera-1')).map(({ id }) => id.at(-1))).toEqual(['1', '3']);
    expect((await list('since=2026-01-01T00:01:00Z')).map(({ id }) => id.at(-1))).toEqual(['2', '3', '4']);
    const shown = await (await served.ask('/api/v1/recordings/0000000000000001', { token })).json();
    expect(shown).toEqual({
      id: '0000000000000001',
      stream: 'live/camera-1',
      state: 'complete',
      startedAt: '2026-01-01T00:00:00.000Z',
      durationMs: 1000,
      bytes: 5000,
      sha256: null,
      path: 'live/camera-1/0000000000000001.flv',
      keyId: null,
    });
  });

  it.each(['limit=0', 'cursor=!', 'cursor=aaaa', 'stream=../x', 'since=yesterday'])(
    'refuse ?%s in words',
    async (query) => {
      const { ask, token } = await serve();
      const response = await ask(`/api/v1/recordings?${query}`, { token: (await token()).token });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'ARGUMENT_INVALID',
        detail: expect.stringMatching(/must be/),
      });
    },
  );

  it('are downloaded, whole and in part', async () => {
    const served = await serve();
    const [id] = await served.record(1);
    const { token } = await served.token('recordings:read');
    for (const path of [`/api/v1/recordings/${id}/file`, `/api/v1/recordings/${id}/file.flv`]) {
      const whole = await served.ask(path, { token });
      expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'video/x-flv']);
      expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    }
    const part = await served.ask(`/api/v1/recordings/${id}/file`, {
      token,
      headers: { range: 'bytes=1-2' },
    });
    expect([part.status, await part.text()]).toEqual([206, 'LV']);
    await answered(served, 3);
    expect(served.log.of('request.answered')[2]).toMatchObject({ status: 206, complete: true });
  });

  it.each(['0000000000000009', '..%2f..%2fetc', 'x'.repeat(300), '%00'])(
    'are not found as %s',
    async (id) => {
      const { ask, token } = await serve();
      const { token: good } = await token();
      for (const path of [`/api/v1/recordings/${id}`, `/api/v1/recordings/${id}/file`]) {
        const response = await ask(path, { token: good });
        expect([path, response.status]).toEqual([path, 404]);
        expect(await response.json()).toMatchObject({ status: 404 });
      }
    },
  );
});

describe('streams', () => {
  it('are listed as the command line lists them', async () => {
    const sessions = [1, 2, 3].map((second) => ({
      stream: 'live/a',
      sessionId: `s${second}`,
      since: `2026-01-01T00:00:0${second}.000Z`,
      bitrate: null,
    }));
    const { ask, token } = await serve({ streams: { list: () => Promise.resolve(sessions) } });
    const { token: good } = await token('streams:read');
    const first = (await (await ask('/api/v1/streams?limit=2', { token: good })).json()) as {
      nextCursor: string;
    };
    expect(first).toEqual({ items: sessions.slice(0, 2), nextCursor: expect.any(String) });
    const second = await ask(`/api/v1/streams?cursor=${first.nextCursor}`, { token: good });
    expect(await second.json()).toEqual({ items: sessions.slice(2), nextCursor: null });
  });
});

describe('keys and tokens', () => {
  it('live their whole life over HTTP, and show their secret once', async () => {
    const served = await serve();
    const { token } = await served.token('keys:write');
    const made = await served.ask('/api/v1/keys', {
      token,
      body: { stream: 'live/camera-1', expires: '30d', maxBitrate: 12_000_000, allow: ['10.0.0.0/8'] },
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
    expect(shown + list + JSON.stringify(served.log.lines)).not.toContain(key.key);
  });

  it('make tokens that work until they are revoked', async () => {
    const { ask, token } = await serve();
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
    const { ask, token } = await serve();
    const response = await ask('/api/v1/keys', { token: (await token('keys:write')).token, body });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { detail: string }).detail).toMatch(detail);
  });

  it('take JSON only, and not without end', async () => {
    const { ask, raw, token } = await serve();
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
