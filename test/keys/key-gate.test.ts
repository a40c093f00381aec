// The gate of a running server, while the command line changes keys beside it.
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { rotateKey, setKeyState } from '../../src/keys/key-cli.ts';
import { openKeyGate, refusalDescription, type AccessRequest } from '../../src/keys/key-gate.ts';
import { openKeyStore } from '../../src/keys/key-store.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';
import { generateKey } from '../../src/keys/stream-key-format.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openKeyRoom, type MadeKey } from '../support/key-room.ts';
import { settled } from '../support/settled.ts';

const request = (key: string, change: Partial<AccessRequest> = {}): AccessRequest => ({
  right: 'publish',
  app: 'live',
  name: new Secret(key),
  address: '203.0.113.7',
  tls: true,
  door: 'rtmps',
  encoder: 'OBS',
  ...change,
});
const stranger = () => generateKey('psk', (length) => systemRandom.bytes(length)).secret.reveal();

async function openGate() {
  const room = await openKeyRoom();
  const { server, hasher, clock, log, audit } = room;
  const gate = await openKeyGate({ store: server, hasher, clock, random: systemRandom, log, audit });
  onTestFinished(() => gate.close());
  const withdrawn: string[] = [];
  gate.onWithdrawn((id, why, upTo) =>
    withdrawn.push(upTo === Infinity || why === 'expired' ? `${id} ${why}` : `${id} ${why} ${upTo}`),
  );
  const outcome = async (key: string, change?: Partial<AccessRequest>) => {
    const verdict = await gate.check(request(key, change));
    return verdict.granted ? 'granted' : verdict.reason;
  };
  const guess = async (count: number, address: string) => {
    for (let round = 0; round < count; round++) await outcome(stranger(), { address });
  };
  const rotate = async (id: string, grace: string) =>
    ((await rotateKey(id, { grace }, room.context)).json as MadeKey).key;
  return { ...room, gate, withdrawn, outcome, guess, rotate };
}

/** A key with the same id and another, well-formed secret. */
function forged({ id }: MadeKey): string {
  const letters = '0123456789abcdefghjkmnpqrstvwxyz';
  const idBytes = Uint8Array.from(id, (letter) => letters.indexOf(letter));
  return generateKey('psk', (length) =>
    Uint8Array.from({ length }, (_, at) => idBytes[at] ?? at),
  ).secret.reveal();
}

describe('key gate', () => {
  it('opens the stream of the key, whether the key is the name or stands in the query', async () => {
    const { gate, makeKey } = await openGate();
    const { id, key } = await makeKey();
    const granted = { granted: true, keyId: id, stream: 'live/camera-1', generation: 1 };
    expect(await gate.check(request(key))).toEqual(granted);
    expect(await gate.check(request('camera-1', { key: new Secret(key) }))).toEqual(granted);
  });

  it('knows a key at once that another process made a moment ago', async () => {
    const { makeKey, outcome } = await openGate();
    const { key } = await makeKey();
    expect(await outcome(key)).toBe('granted');
  });

  it('names every reason for the log, with the key when there is one', async () => {
    const { gate, makeKey } = await openGate();
    const made = await makeKey();
    const { key, id } = made;
    expect(await gate.check(request('camera-1'))).toEqual({ granted: false, reason: 'not-a-key' });
    expect(await gate.check(request(`${key}x`))).toEqual({ granted: false, reason: 'mistyped' });
    expect(await gate.check(request(stranger()))).toMatchObject({ granted: false, reason: 'unknown-key' });
    expect(await gate.check(request(forged(made)))).toMatchObject({
      granted: false,
      reason: 'wrong-secret',
      keyId: id,
    });
    expect(await gate.check(request(key, { app: 'vod' }))).toEqual({
      granted: false,
      reason: 'wrong-stream',
      keyId: id,
    });
    // The query wins, also over a good key in the name.
    expect(await gate.check(request(key, { key: new Secret('x') }))).toMatchObject({
      granted: false,
      reason: 'not-a-key',
    });
  });

  it('takes no API token for a key', async () => {
    const { outcome } = await openGate();
    const token = generateKey('ptk', (length) => systemRandom.bytes(length)).secret.reveal();
    expect(await outcome(token)).toBe('not-a-key');
  });

  it('has one wording for the wire, short enough for a log line, that says what to check', () => {
    expect(refusalDescription).toMatch(/stream key.*application.*stream name.*operator/);
    expect(refusalDescription).toMatch(/^[ -~]+$/);
  });

  describe('withdrawal', () => {
    it.each(['revoke', 'disable'] as const)(
      'follows `key %s` of another process within 1 s',
      async (verb) => {
        const { context, makeKey, outcome, withdrawn, clock, log } = await openGate();
        const [one, other] = [await makeKey(), await makeKey({ stream: 'live/camera-2' })];
        expect(await outcome(one.key)).toBe('granted');
        await setKeyState(one.id, verb, context);
        clock.advance(1000);
        await settled();
        expect(withdrawn).toEqual([`${one.id} ${verb}d`]);
        expect(log.of('key.changed')).toEqual([{ key: one.id, stream: 'live/camera-1', state: `${verb}d` }]);
        expect(await outcome(one.key)).toBe(`${verb}d`);
        expect(await outcome(other.key)).toBe('granted');
      },
    );

    it('refuses a revoked key at once, without waiting to hear of it', async () => {
      const { context, makeKey, outcome } = await openGate();
      const { id, key } = await makeKey();
      expect(await outcome(key)).toBe('granted');
      await setKeyState(id, 'revoke', context);
      expect(await outcome(key)).toBe('revoked');
    });

    it('lets a key in again that was enabled', async () => {
      const { context, makeKey, outcome, withdrawn } = await openGate();
      const { id, key } = await makeKey();
      expect(await outcome(key)).toBe('granted');
      await setKeyState(id, 'disable', context);
      expect(await outcome(key)).toBe('disabled');
      await setKeyState(id, 'enable', context);
      expect(await outcome(key)).toBe('granted');
      expect(withdrawn).toEqual([`${id} disabled`]);
    });

    it('tells of a granted key that expires, within 1 s, also when the clock is set', async () => {
      const { makeKey, gate, outcome, withdrawn, clock } = await openGate();
      const { id, key } = await makeKey({ expires: '8h' });
      expect(await gate.check(request(key))).toMatchObject({ until: clock.now() + 8 * 3_600_000 });
      clock.setNow(clock.now() + 8 * 3_600_000 - 1000);
      clock.advance(999);
      expect(withdrawn).toEqual([]);
      clock.advance(1000);
      expect(withdrawn).toEqual([`${id} expired`]);
      expect(await outcome(key)).toBe('expired');
      clock.advance(60_000);
      expect(withdrawn).toHaveLength(1);
    });

    it('finds out what was revoked while this process slept through many changes', async () => {
      const { context, command, makeKey, outcome, withdrawn, clock } = await openGate();
      const { id, key } = await makeKey();
      expect(await outcome(key)).toBe('granted');
      await setKeyState(id, 'revoke', context);
      await command.changes.change(async (_, announce) => {
        for (let count = 0; count < 1100; count++) await announce('noise', '');
      });
      clock.advance(250);
      await settled();
      expect(withdrawn).toEqual([`${id} revoked`]);
    });

    it('counts a key that is gone from the database as revoked', async () => {
      const { command, makeKey, outcome, withdrawn } = await openGate();
      const { id, key } = await makeKey();
      expect(await outcome(key)).toBe('granted');
      await command.changes.change(async (transaction, announce) => {
        await transaction.deleteFrom('stream_keys').where('id', '=', id).execute();
        await announce('key', id);
      });
      expect(await outcome(key)).toBe('unknown-key');
      expect(withdrawn).toEqual([`${id} revoked`]);
    });
  });

  it('lets nobody in while the database fails, and goes on by itself', async () => {
    const { command, context, makeKey, outcome, withdrawn, clock } = await openGate();
    const { id, key } = await makeKey();
    expect(await outcome(key)).toBe('granted');
    await setKeyState(id, 'revoke', context);
    await command.db.schema.alterTable('stream_keys').renameTo('away').execute();
    await expect(outcome(key)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(outcome(key)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await command.db.schema.alterTable('away').renameTo('stream_keys').execute();
    clock.advance(500);
    await settled();
    expect(withdrawn).toEqual([`${id} revoked`]);
    expect(await outcome(key)).toBe('revoked');
  });

  describe('last use', () => {
    it('is written after the verdict: time, address, encoder, door', async () => {
      const { command, makeKey, outcome, clock } = await openGate();
      const { id, key } = await makeKey();
      const at = clock.now();
      await outcome(key, { encoder: 'e'.repeat(1000) });
      expect((await openKeyStore(command).find(id))?.lastUse).toBeUndefined();
      clock.advance(100);
      await settled();
      expect((await openKeyStore(command).find(id))?.lastUse).toEqual({
        at,
        address: '203.0.113.7',
        encoder: 'e'.repeat(128),
        door: 'rtmps',
      });
    });

    it('is not lost when the gate closes, and a refusal is no use', async () => {
      const { command, gate, makeKey, outcome, clock } = await openGate();
      const [used, refused] = [await makeKey(), await makeKey()];
      await outcome(used.key);
      await outcome(refused.key, { app: 'vod' });
      const timers = clock.timers;
      await gate.close();
      expect(clock.timers).toBe(timers - 2);
      expect((await openKeyStore(command).find(used.id))?.lastUse?.door).toBe('rtmps');
      expect((await openKeyStore(command).find(refused.id))?.lastUse).toBeUndefined();
    });
  });

  describe('guessing', () => {
    it('locks the address out after ten wrong keys, and nobody else', async () => {
      const { makeKey, outcome, guess, clock, log } = await openGate();
      const { key } = await makeKey();
      await guess(10, '198.51.100.9');
      expect(log.of('address.locked-out')).toEqual([{ address: '198.51.100.9', seconds: 60 }]);
      expect(await outcome(stranger(), { address: '198.51.100.9' })).toBe('too-many-attempts');
      expect(await outcome('camera-1', { address: '198.51.100.9' })).toBe('too-many-attempts');
      expect(await outcome(key, { address: '198.51.100.9' })).toBe('too-many-attempts');
      expect(await outcome(key, { address: '198.51.100.10' })).toBe('granted');
      clock.advance(60_000);
      expect(await outcome(key, { address: '198.51.100.9' })).toBe('granted');
    });

    it('never locks the key: guesses at its id from many addresses do not touch it', async () => {
      const { makeKey, outcome } = await openGate();
      const made = await makeKey();
      for (let host = 1; host <= 60; host++) {
        expect(await outcome(forged(made), { address: `198.51.100.${host % 6}` })).not.toBe('granted');
      }
      expect(await outcome(made.key)).toBe('granted');
    });

    it('does not shut out who published from there before a neighbour began to guess', async () => {
      const { makeKey, outcome, guess } = await openGate();
      const [established, newcomer] = [await makeKey(), await makeKey()];
      expect(await outcome(established.key, { address: '2001:db8::1' })).toBe('granted');
      await guess(10, '2001:db8::bad');
      expect(await outcome(established.key, { address: '2001:db8::2' })).toBe('granted');
      expect(await outcome(forged(established), { address: '2001:db8::2' })).toBe('too-many-attempts');
      expect(await outcome(newcomer.key, { address: '2001:db8::2' })).toBe('too-many-attempts');
    });

    it('does not count a good key that is refused for another reason', async () => {
      const { context, makeKey, outcome } = await openGate();
      const { id, key } = await makeKey();
      await setKeyState(id, 'disable', context);
      for (let count = 0; count < 50; count++) expect(await outcome(key)).toBe('disabled');
    });

    it('is patient with typos: an encoder that retries every 5 s is not locked out', async () => {
      const { makeKey, outcome, clock } = await openGate();
      const { key } = await makeKey();
      for (let count = 0; count < 100; count++) {
        expect(await outcome(key.slice(0, -1))).toBe('mistyped');
        clock.advance(5000);
      }
      expect(await outcome(key)).toBe('granted');
    });

    it('locks a flood of garbage out too', async () => {
      const { outcome } = await openGate();
      const outcomes = new Set<string>();
      for (let count = 0; count < 100; count++) outcomes.add(await outcome(`garbage ${count}`));
      expect([...outcomes]).toEqual(['not-a-key', 'too-many-attempts']);
    });

    it('counts guesses that arrive all at once', async () => {
      const { gate } = await openGate();
      const verdicts = await Promise.all(Array.from({ length: 64 }, () => gate.check(request(stranger()))));
      const reasons = verdicts.map((verdict) => (verdict.granted ? 'granted' : verdict.reason));
      expect(reasons.filter((reason) => reason === 'unknown-key')).toHaveLength(10);
      expect(reasons.filter((reason) => reason === 'too-many-attempts')).toHaveLength(54);
    });
  });

  describe('rotation', () => {
    it('lets both secrets in until the grace is over, and tells them apart', async () => {
      const { gate, context, makeKey, rotate, withdrawn, clock } = await openGate();
      const { id, key: old } = await makeKey({ expires: '30d' });
      expect(await gate.check(request(old))).toMatchObject({ keyId: id, generation: 1 });
      const key = await rotate(id, '1h');
      expect(await gate.check(request(key))).toMatchObject({ keyId: id, generation: 2 });
      const until = clock.now() + 3_600_000;
      expect(await gate.check(request(old))).toMatchObject({ keyId: id, generation: 1, until });
      clock.advance(1000);
      await settled();
      expect(await openKeyStore(context.store).find(id)).toMatchObject({ previous: { until } });
      clock.advance(3_600_000 - 1001);
      expect(withdrawn).toEqual([]);
      clock.advance(1001);
      expect(withdrawn).toEqual([`${id} rotated 1`]);
      expect(await gate.check(request(old))).toEqual({ granted: false, reason: 'rotated', keyId: id });
      expect(await gate.check(request(key))).toMatchObject({ granted: true });
      clock.advance(31 * 86_400_000);
      expect(withdrawn.at(-1)).toBe(`${id} expired`);
    });

    it('without a grace ends what the old secret opened at once, and nothing else', async () => {
      const { makeKey, outcome, rotate, withdrawn, clock } = await openGate();
      const { id, key } = await makeKey();
      expect(await outcome(key)).toBe('granted');
      await rotate(id, '0');
      clock.advance(1000);
      await settled();
      expect(withdrawn).toEqual([`${id} rotated 1`]);
      expect(await outcome(key)).toBe('rotated');
    });

    it('ends the secret before the last one, whatever grace it had', async () => {
      const { makeKey, outcome, rotate, withdrawn, clock } = await openGate();
      const { id, key: first } = await makeKey();
      expect(await outcome(first)).toBe('granted');
      const second = await rotate(id, '24h');
      const third = await rotate(id, '24h');
      clock.advance(1000);
      await settled();
      expect(withdrawn).toContain(`${id} rotated 1`);
      expect(withdrawn).not.toContain(`${id} rotated 2`);
      expect(await outcome(first)).toBe('wrong-secret');
      expect(await outcome(second)).toBe('granted');
      expect(await outcome(third)).toBe('granted');
    });

    it('does not count an old secret as a guess', async () => {
      const { makeKey, outcome, rotate, log } = await openGate();
      const { id, key } = await makeKey();
      await rotate(id, '0');
      for (let count = 0; count < 20; count++) expect(await outcome(key)).toBe('rotated');
      expect(log.events).not.toContain('address.locked-out');
    });
  });

  it('notes who was let in and who was refused, and no secret', async () => {
    const { makeKey, outcome, audit, rotate } = await openGate();
    const { id, key } = await makeKey();
    await rotate(id, '1h');
    await outcome(key);
    await outcome('nonsense');
    const where = { source: '203.0.113.7', door: 'rtmps' };
    expect(audit.lines.slice(-2)).toEqual([
      {
        action: 'key.used',
        ...where,
        key: id,
        stream: 'live/camera-1',
        detail: 'the old secret, encoder OBS',
      },
      { action: 'key.refused', ...where, key: undefined, stream: undefined, detail: 'not-a-key' },
    ]);
    expect(JSON.stringify(audit.lines)).not.toMatch(/psk_/);
  });

  describe('tarpit', () => {
    it('answers guesses later and later, but not the first, for it may be a typo', async () => {
      const { gate } = await openGate();
      const delays: (number | undefined)[] = [];
      for (let count = 0; count < 12; count++) {
        const verdict = await gate.check(request(stranger()));
        delays.push(verdict.granted ? undefined : verdict.delay);
      }
      expect(delays).toEqual([undefined, 500, 1000, 2000, ...Array<number>(8).fill(4000)]);
    });

    it('makes nobody else wait, nor a good key that is refused for another reason', async () => {
      const { gate, guess, makeKey, context } = await openGate();
      const { id, key } = await makeKey();
      await setKeyState(id, 'disable', context);
      await guess(5, '198.51.100.9');
      expect(await gate.check(request(key))).toEqual({ granted: false, reason: 'disabled', keyId: id });
    });

    it('turns a locked-out address away at the door, unless somebody publishes from there', async () => {
      const { gate, guess, makeKey, outcome, context, clock } = await openGate();
      const { id, key } = await makeKey();
      expect(await outcome(key, { address: '2001:db8::1' })).toBe('granted');
      expect(gate.turnsAway('198.51.100.9')).toBe(false);
      await guess(10, '198.51.100.9');
      await guess(10, '2001:db8::2');
      expect(gate.turnsAway('198.51.100.9')).toBe(true);
      expect(gate.turnsAway('198.51.100.10')).toBe(false);
      expect(gate.turnsAway('2001:db8::3')).toBe(false);
      await setKeyState(id, 'revoke', context);
      clock.advance(1000);
      await settled();
      expect(gate.turnsAway('2001:db8::3')).toBe(true);
    });
  });

  it('says in the log that keys were made with another pepper', async () => {
    const { server, clock, log, audit, makeKey } = await openGate();
    const { id, key } = await makeKey();
    const hasher = new SecretHasher(new Uint8Array(32).fill(1));
    const gate = await openKeyGate({ store: server, hasher, clock, random: systemRandom, log, audit });
    onTestFinished(() => gate.close());
    expect(await gate.check(request(key))).toMatchObject({ reason: 'wrong-secret' });
    expect(log.of('pepper.mismatched')).toEqual([{ key: id, hint: expect.stringContaining('restore') }]);
  });

  it('logs no key and no digest, whatever happens', async () => {
    const { context, makeKey, outcome, clock, log, hasher } = await openGate();
    const made = await makeKey({ expires: '1h' });
    const digest = hasher.hash(new Secret(made.key)).digest;
    await outcome(made.key);
    await outcome(forged(made));
    for (let count = 0; count < 50; count++) await outcome('my-private-name', { address: '198.51.100.9' });
    await setKeyState(made.id, 'revoke', context);
    clock.setNow(clock.now() + 7_200_000);
    clock.advance(1000);
    await settled();
    const lines = JSON.stringify(log.lines);
    expect(lines).toContain('address.locked-out');
    for (const secret of [made.key, made.key.slice(13), forged(made), digest, 'my-private-name']) {
      expect(lines).not.toContain(secret);
    }
  });
});
