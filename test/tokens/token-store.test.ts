// API tokens at rest.
import { describe, expect, it } from 'vitest';
import { openTokenStore, type ApiToken } from '../../src/tokens/token-store.ts';
import { openKeyRoom } from '../support/key-room.ts';

const bare: ApiToken = {
  id: 'aaaaaaaa',
  digest: 'ab'.repeat(32),
  pepperVersion: 1,
  scopes: [],
  createdAt: 2,
};
const full: ApiToken = {
  ...bare,
  id: 'bbbbbbbb',
  scopes: ['keys:write', 'tokens:read'],
  note: 'backup script',
  createdAt: 1,
  expiresAt: 3,
  revokedAt: 4,
  lastUsedAt: 5,
};

describe('token store', () => {
  it('gives back what it was given, in the order of creation, to every process', async () => {
    const { server, command } = await openKeyRoom();
    await openTokenStore(server).create(bare);
    await openTokenStore(server).create(full);
    expect(await openTokenStore(command).list()).toEqual([full, bare]);
    expect(await openTokenStore(command).find('cccccccc')).toBeUndefined();
  });

  it('revokes once: the first time stays, and is announced', async () => {
    const { server } = await openKeyRoom();
    const heard: string[] = [];
    server.changes.on('token', (id) => heard.push(id));
    const tokens = openTokenStore(server);
    await tokens.create(bare);
    expect(await tokens.revoke(bare.id, 10)).toMatchObject({ revokedAt: 10 });
    expect(await tokens.revoke(bare.id, 20)).toMatchObject({ revokedAt: 10 });
    expect(await tokens.revoke('cccccccc', 10)).toBeUndefined();
    expect(heard).toEqual([bare.id, bare.id]);
  });

  it('drops scopes that this version does not know', async () => {
    const { server } = await openKeyRoom();
    await openTokenStore(server).create(full);
    await server.db.updateTable('api_tokens').set({ scopes: '["everything","keys:read"]' }).execute();
    expect((await openTokenStore(server).find(full.id))?.scopes).toEqual(['keys:read']);
  });
});
