import { describe, expect, it } from 'vitest';
import {
  clientCertificateTopic,
  openClientCertificateStore,
  type ClientCertificate,
} from '../../src/client-certificates/client-certificate-store.ts';
import type { KeyId } from '../../src/ops/names.ts';
import { openKeyRoom } from '../support/key-room.ts';

const make = (serial: string, createdAt = 1): ClientCertificate => ({
  serial,
  name: 'camera-1',
  keyId: '7h2kq9d4' as KeyId,
  sha256: 'ab'.repeat(32),
  createdAt,
  expiresAt: 1000,
  revokedAt: undefined,
});

describe('the list of client certificates', () => {
  it('keeps what it was given, the oldest first, and no number twice', async () => {
    const { server, command } = await openKeyRoom();
    const [here, there] = [openClientCertificateStore(server), openClientCertificateStore(command)];
    await here.create(make('b', 2));
    await here.create(make('a', 1));
    expect(await there.list()).toEqual([make('a', 1), make('b', 2)]);
    expect(await there.find('b')).toEqual(make('b', 2));
    expect(await there.find('c')).toBeUndefined();
    await expect(here.create(make('a'))).rejects.toThrow(/UNIQUE|STORE_FAILED|constraint/);
  });

  it('revokes for good, keeps the first time, and announces each once', async () => {
    const { server } = await openKeyRoom();
    const list = openClientCertificateStore(server);
    for (const serial of ['a', 'b']) await list.create(make(serial));
    const told: string[] = [];
    server.changes.on(clientCertificateTopic, (serial) => told.push(serial));
    await list.revoke(['a', 'nonsense'], 5);
    await list.revoke(['a', 'b'], 7);
    expect((await list.list()).map(({ revokedAt }) => revokedAt)).toEqual([5, 7]);
    expect(told).toEqual(['a', 'b']);
  });
});
