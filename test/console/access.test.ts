import { describe, expect, it } from 'vitest';
import { revokeToken } from '../../src/tokens/token-cli.ts';
import { serveApi } from '../support/api-server.ts';

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
  ['POST', '/api/v1/keys/00000000/rotate', 'keys:write'],
  ['POST', '/api/v1/keys/00000000/enable', 'keys:write'],
  ['POST', '/api/v1/keys/00000000/revoke', 'keys:write'],
  ['GET', '/api/v1/tokens', 'tokens:read'],
  ['POST', '/api/v1/tokens', 'tokens:write'],
  ['POST', '/api/v1/tokens/00000000/revoke', 'tokens:write'],
];

describe('access', () => {
  it('is refused without a good token, on every path but the health checks', async () => {
    const served = await serveApi();
    const revoked = await served.token('recordings:read');
    await revokeToken(revoked.id, served.context);
    const expired = await served.token('recordings:read', '1h');
    served.clock.advance(3_600_000);
    const { token: good } = await served.token();
    const forged = good.slice(0, -1) + (good.endsWith('x') ? 'y' : 'x');
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
    expect(reasons).toEqual(new Set(['expired', 'mistyped', 'not-a-token', 'revoked', 'token-missing']));
    const all = JSON.stringify(served.log.lines);
    for (const secret of [revoked.token, expired.token, forged]) expect(all).not.toContain(secret);
    expect(served.log.of('request.refused').some(({ token }) => token === revoked.id)).toBe(true);
  });

  it('makes a guest of a stranger with a good token, whose real address is told', async () => {
    const served = await serveApi();
    await served.ask('/healthz');
    await served.ask('/api/v1/recordings', { token: 'ptk_wrong' });
    expect(served.admitted).toEqual([]);
    const { token } = await served.token('recordings:read');
    await served.ask('/api/v1/recordings', { token });
    expect(served.admitted).toEqual(['/api/v1/recordings']);
    await served.ask('/api/v1/keys', { token });
    expect(served.admitted).toHaveLength(1);
    expect(new Set(served.log.of('request.refused').map(({ peer }) => peer))).toEqual(
      new Set(['203.0.113.9']),
    );
  });

  it('is refused with 403 when the scope is missing, and given when it is there', async () => {
    const served = await serveApi();
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
    const { ask, token } = await serveApi();
    const { token: good } = await token();
    expect((await ask(`/api/v1/streams?access_token=${good}`)).status).toBe(401);
    const basic = `Basic ${Buffer.from(`x:${good}`).toString('base64')}`;
    expect((await ask('/api/v1/streams', { headers: { authorization: basic } })).status).toBe(401);
  });
});
