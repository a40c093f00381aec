// Stream keys at rest: everything comes back, revoked stays revoked, and changes are announced.
import { describe, expect, it } from 'vitest';
import type { StreamKey } from '../../src/keys/key-rule.ts';
import { openKeyStore } from '../../src/keys/key-store.ts';
import { formatAddressBlock, parseAddress, parseAddressBlock, blockContains } from '../../src/ops/address.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { openKeyRoom } from '../support/key-room.ts';

const bare: StreamKey = {
  id: '7h2kq9d4' as KeyId,
  stream: 'live/camera-1' as StreamName,
  role: 'publish',
  state: 'active',
  digest: 'ab'.repeat(32),
  pepperVersion: 4_000_000_000,
  createdAt: 1,
  allow: [],
  codecs: [],
  generation: 1,
  require: 'any',
};
const full: StreamKey = {
  ...bare,
  id: '00000000' as KeyId,
  createdAt: 2,
  notBefore: 3,
  expiresAt: 4,
  allow: [parseAddressBlock('10.0.0.0/8')!, parseAddressBlock('2001:db8::/32')!],
  require: 'tls',
  maxBitrate: 12_000_000,
  maxSession: 5,
  note: 'van "2"',
  lastUse: { at: 6, address: '203.0.113.7', encoder: 'OBS', door: 'rtmps' },
};

async function openPair() {
  const room = await openKeyRoom();
  const heard: string[] = [];
  room.server.changes.on('key', (id) => heard.push(id));
  return { ...room, heard, keys: openKeyStore(room.server), others: openKeyStore(room.command) };
}

describe('key store', () => {
  it('gives back what it was given, in the order of creation', async () => {
    const { keys, others } = await openPair();
    await keys.create(full);
    await keys.create(bare);
    expect(await others.list()).toEqual([bare, full]);
    expect(await others.find(full.id)).toEqual(full);
    expect(await others.find('99999999' as KeyId)).toBeUndefined();
  });

  it('refuses to make an id twice', async () => {
    const { keys, heard } = await openPair();
    await keys.create(bare);
    await expect(keys.create({ ...full, id: bare.id })).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await keys.list()).toEqual([bare]);
    expect(heard).toEqual([bare.id]);
  });

  it('changes state, announces only what really changed, and keeps revoked for good', async () => {
    const { keys, heard } = await openPair();
    await keys.create(bare);
    expect(await keys.setState(bare.id, 'disabled')).toMatchObject({ state: 'disabled' });
    expect(await keys.setState(bare.id, 'disabled')).toMatchObject({ state: 'disabled' });
    expect(await keys.setState(bare.id, 'active')).toMatchObject({ state: 'active' });
    expect(await keys.setState(bare.id, 'revoked')).toMatchObject({ state: 'revoked' });
    expect(await keys.setState(bare.id, 'active')).toMatchObject({ state: 'revoked' });
    expect(await keys.setState(full.id, 'active')).toBeUndefined();
    expect(heard).toEqual([bare.id, bare.id, bare.id, bare.id]);
  });

  it('marks the last use without announcing it', async () => {
    const { keys, heard } = await openPair();
    await keys.create(bare);
    const use = { at: 9, address: '::1', encoder: 'ffmpeg', door: 'rtmpe' };
    await keys.touch(bare.id, use, 1);
    expect((await keys.find(bare.id))?.lastUse).toEqual(use);
    expect(heard).toEqual([bare.id]);
  });

  it('keeps one older secret when a key is rotated, and tells the uses of both apart', async () => {
    const { keys, heard } = await openPair();
    await keys.create(bare);
    const use = { at: 9, address: '::1', encoder: 'ffmpeg', door: 'rtmpe' };
    await keys.touch(bare.id, use, 1);
    const second = { digest: '22'.repeat(32), pepperVersion: 2 };
    expect(await keys.rotate(bare.id, second, 500)).toMatchObject({
      ...second,
      generation: 2,
      previous: { digest: bare.digest, pepperVersion: bare.pepperVersion, until: 500, lastUse: use },
    });
    const [later, latest] = [
      { ...use, at: 10 },
      { ...use, at: 11 },
    ];
    await keys.touch(bare.id, later, 1);
    await keys.touch(bare.id, latest, 2);
    expect(await keys.find(bare.id)).toMatchObject({ lastUse: latest, previous: { lastUse: later } });
    const third = await keys.rotate(bare.id, { digest: '33'.repeat(32), pepperVersion: 2 }, 600);
    expect(third).toMatchObject({ generation: 3, previous: { ...second, until: 600, lastUse: latest } });
    await keys.touch(bare.id, { ...use, at: 12 }, 1); // a secret that is gone
    expect((await keys.find(bare.id))?.previous?.lastUse).toEqual(latest);
    expect(heard).toEqual([bare.id, bare.id, bare.id]);
    await keys.setState(bare.id, 'revoked');
    expect(await keys.rotate(bare.id, second, 700)).toMatchObject({ state: 'revoked', generation: 3 });
    expect(await keys.rotate(full.id, second, 700)).toBeUndefined();
  });

  it('does not read an allow-list that it cannot understand as "from anywhere"', async () => {
    const { keys, server } = await openPair();
    await keys.create(full);
    await server.db.updateTable('stream_keys').set({ allow: '["10.0.0.0/99"]' }).execute();
    const [block, ...rest] = (await keys.find(full.id))!.allow;
    expect(rest).toEqual([]);
    for (const address of ['0.0.0.0', '10.0.0.1', '255.255.255.255', '::']) {
      expect(blockContains(block!, parseAddress(address)!)).toBe(false);
    }
    expect(formatAddressBlock(full.allow[0]!)).toBe('10.0.0.0/8');
  });
});
