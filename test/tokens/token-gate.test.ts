// API tokens at the gate: 401 for a bad token, 403 for a good one that may not.
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { generateKey } from '../../src/keys/stream-key-format.ts';
import { createToken, revokeToken } from '../../src/tokens/token-cli.ts';
import { openTokenGate } from '../../src/tokens/token-gate.ts';
import { openTokenStore, scopes, type Scope } from '../../src/tokens/token-store.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openKeyRoom } from '../support/key-room.ts';

async function openGate() {
  const room = await openKeyRoom();
  const { server, hasher, clock, audit, context } = room;
  const gate = openTokenGate({ store: server, hasher, clock, audit });
  const make = async (scope?: string, expires?: string) =>
    (await createToken({ scope, expires }, context)).json as { readonly id: string; readonly token: string };
  const check = (token: string, scope: Scope) => gate.check(new Secret(token), scope);
  return { ...room, gate, make, check };
}

describe('token gate', () => {
  it('grants the scope a token holds, and reading where it may write', async () => {
    const { make, check } = await openGate();
    const { id, token } = await make('keys:write,streams:read');
    const verdicts = await Promise.all(
      scopes.map(async (scope) => [scope, await check(token, scope)] as const),
    );
    const granted = verdicts.filter(([, verdict]) => verdict.granted).map(([scope]) => scope);
    expect(granted).toEqual(['keys:read', 'keys:write', 'streams:read']);
    expect(await check(token, 'streams:write')).toEqual({
      granted: false,
      status: 403,
      reason: 'scope-missing',
      tokenId: id,
    });
  });

  it('answers 401 to everything that is no valid token, with the reason for the log', async () => {
    const { gate, make, check, context, clock } = await openGate();
    const { id, token } = await make('keys:read', '1h');
    const other = (prefix: 'psk' | 'ptk') => generateKey(prefix, (length) => systemRandom.bytes(length));
    expect(await gate.check(undefined, 'keys:read')).toEqual({
      granted: false,
      status: 401,
      reason: 'token-missing',
    });
    const refusals = [
      ['', 'not-a-token'],
      ['admin', 'not-a-token'],
      [other('psk').secret.reveal(), 'not-a-token'],
      [token.slice(1), 'not-a-token'],
      [token.slice(0, -1), 'mistyped'],
      [other('ptk').secret.reveal(), 'unknown-token'],
    ] as const;
    for (const [text, reason] of refusals) {
      expect(await check(text, 'keys:read')).toEqual({ granted: false, status: 401, reason });
    }
    clock.advance(3_599_999);
    expect(await check(token, 'keys:read')).toEqual({ granted: true, tokenId: id });
    clock.advance(1);
    expect(await check(token, 'keys:read')).toMatchObject({ status: 401, reason: 'expired', tokenId: id });
    await revokeToken(id, context);
    // Also for a scope that it never had: who holds a dead token learns nothing about it.
    expect(await check(token, 'tokens:write')).toMatchObject({ status: 401, reason: 'revoked', tokenId: id });
  });

  it('refuses a token whose kept hash is of another', async () => {
    const { make, check, command } = await openGate();
    const [one, other] = [await make(), await make()];
    const { digest } = (await openTokenStore(command).find(other.id))!;
    await command.db.updateTable('api_tokens').set({ digest }).where('id', '=', one.id).execute();
    expect(await check(one.token, 'keys:read')).toEqual({
      granted: false,
      status: 401,
      reason: 'wrong-secret',
      tokenId: one.id,
    });
  });

  it('refuses at once what another process revoked', async () => {
    const { make, check, context } = await openGate();
    const { id, token } = await make();
    expect(await check(token, 'keys:read')).toMatchObject({ granted: true });
    await revokeToken(id, context);
    expect(await check(token, 'keys:read')).toMatchObject({ status: 401, reason: 'revoked' });
  });

  it('notes who used a token and who was refused, but not who showed none', async () => {
    const { make, gate, audit } = await openGate();
    const { id, token } = await make('keys:read');
    await gate.check(undefined, 'keys:read', '203.0.113.7');
    await gate.check(new Secret(token), 'keys:read', '203.0.113.7');
    await gate.check(new Secret(token), 'keys:write', '203.0.113.7');
    await gate.check(new Secret('ptk_x'), 'keys:write', '203.0.113.8');
    const source = '203.0.113.7';
    expect(audit.lines.slice(1)).toEqual([
      { action: 'token.used', source, key: id, detail: 'keys:read' },
      { action: 'token.refused', source, key: id, detail: 'scope-missing (keys:write)' },
      { action: 'token.refused', source: '203.0.113.8', key: undefined, detail: 'mistyped (keys:write)' },
    ]);
  });

  it('marks the last use once a minute, and no refusal', async () => {
    const { make, check, clock, command } = await openGate();
    const { id, token } = await make('keys:read');
    const lastUsed = async () => (await openTokenStore(command).find(id))?.lastUsedAt;
    await check(token, 'keys:write');
    expect(await lastUsed()).toBeUndefined();
    const first = clock.now();
    await check(token, 'keys:read');
    clock.advance(59_999);
    await check(token, 'keys:read');
    expect(await lastUsed()).toBe(first);
    clock.advance(1);
    await check(token, 'keys:read');
    expect(await lastUsed()).toBe(first + 60_000);
  });
});
