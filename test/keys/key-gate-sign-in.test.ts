// Signing in at the gate of a running server: the rules of a key hold whichever way it is shown.
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { rotateKey, setKeyState } from '../../src/keys/key-cli.ts';
import { openKeyGate, type SignInVerdict } from '../../src/keys/key-gate.ts';
import type { AccessRequest } from '../../src/keys/key-rule.ts';
import { keysLimits } from '../../src/keys/keys-limits.ts';
import type { SignInRequest } from '../../src/keys/sign-in.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openKeyRoom, type MadeKey } from '../support/key-room.ts';
import { answerOf, signInRequest } from '../support/sign-in.ts';

async function openGate() {
  const room = await openKeyRoom();
  const { server, hasher, clock, log, audit } = room;
  const gate = await openKeyGate({ store: server, hasher, clock, random: systemRandom, log, audit });
  onTestFinished(() => gate.close());
  const signIn = async (password: string, change: Partial<SignInRequest> = {}): Promise<SignInVerdict> => {
    const request = signInRequest(change.user ?? 'camera-1', change);
    const asked = await gate.signIn(request);
    if (asked.outcome !== 'challenged') return asked;
    return gate.signIn({ ...request, answer: answerOf(request, password, asked) });
  };
  const outcome = async (password: string, change?: Partial<SignInRequest>) => {
    const verdict = await signIn(password, change);
    return verdict.outcome === 'refused' ? verdict.reason : verdict.outcome;
  };
  /** Signs in, and publishes what the stream key field holds. */
  const publish = async (password: string, name = '', change: Partial<AccessRequest> = {}) => {
    const signedIn = await signIn(password);
    if (signedIn.outcome !== 'signed-in') return signedIn.outcome;
    const address = { address: '203.0.113.7', tls: true, door: 'rtmps', encoder: 'OBS' };
    const request = { right: 'publish', app: 'live', name: new Secret(name), ...address } as const;
    const verdict = await gate.check({ ...request, signedIn, ...change });
    return verdict.granted ? `${verdict.stream} ${verdict.keyId} ${verdict.generation}` : verdict.reason;
  };
  return { ...room, gate, signIn, outcome, publish };
}

describe('who has signed in', () => {
  it('publishes the stream of the key, with whatever OBS holds in its stream key field', async () => {
    const { publish, makeKey, audit } = await openGate();
    const { id, key } = await makeKey();
    for (const name of ['', 'camera-1', 'live/camera-1', key])
      expect(await publish(key, name)).toBe(`live/camera-1 ${id} 1`);
    expect(await publish(key, '', { app: 'live/camera-1' })).toBe(`live/camera-1 ${id} 1`);
    expect(await publish(key, 'camera-1', { key: new Secret(key) })).toBe(`live/camera-1 ${id} 1`);
    expect(audit.of('key.used').length).toBe(6);
  });

  it('publishes nothing else, with another key neither', async () => {
    const { publish, makeKey } = await openGate();
    const { key } = await makeKey();
    const other = await makeKey({ stream: 'live/camera-2' });
    expect(await publish(key, 'camera-2')).toBe('wrong-stream');
    expect(await publish(key, other.key)).toBe('wrong-stream');
    expect(await publish(key, '', { app: 'other' })).toBe('wrong-stream');
    expect(await publish(key, 'camera-2', { key: new Secret(key) })).toBe('wrong-stream');
    expect(await publish(key, key.slice(0, -1))).toBe('wrong-stream'); // a slip of the pen, and no guess
  });

  it('is bound by the rules of the key', async () => {
    const { publish, makeKey, context, clock } = await openGate();
    const { key } = await makeKey({ require: 'tls', allow: ['203.0.113.0/24'], expires: '1h' });
    expect(await publish(key, '', { tls: false })).toBe('encryption-required');
    expect(await publish(key, '', { address: '198.51.100.1' })).toBe('address-not-allowed');
    clock.advance(3_600_000);
    expect(await publish(key)).toBe('expired');
    const disabled = await makeKey();
    await setKeyState(disabled.id, 'disable', context);
    expect(await publish(disabled.key)).toBe('disabled');
    const player = await makeKey({ role: 'play' });
    expect(await publish(player.key)).toBe('role-missing');
  });

  it('may use the old secret while its grace lasts', async () => {
    const { publish, makeKey, context, clock } = await openGate();
    const { id, key } = await makeKey();
    const rotated = (await rotateKey(id, { grace: '1h' }, context)).json as MadeKey;
    expect(await publish(key)).toBe(`live/camera-1 ${id} 1`);
    expect(await publish(rotated.key)).toBe(`live/camera-1 ${id} 2`);
    clock.advance(3_600_000);
    expect(await publish(key)).toBe('rotated');
  });

  it('is out when the key was rotated twice between connect and publish', async () => {
    const { gate, signIn, makeKey, context } = await openGate();
    const { id, key } = await makeKey();
    const signedIn = await signIn(key);
    if (signedIn.outcome !== 'signed-in') throw new Error(signedIn.outcome);
    for (let round = 0; round < 2; round++) await rotateKey(id, { grace: '1h' }, context);
    const request = { right: 'publish', app: 'live', name: new Secret('') } as const;
    const from = { address: '203.0.113.7', tls: true, door: 'rtmps', encoder: 'OBS', signedIn };
    expect(await gate.check({ ...request, ...from })).toMatchObject({ reason: 'rotated' });
  });
});

describe('guessing', () => {
  it('is no matter of asking: challenges are free', async () => {
    const { gate, audit } = await openGate();
    for (let round = 0; round < 50; round++)
      expect((await gate.signIn(signInRequest('camera-1'))).outcome).toBe('challenged');
    expect(gate.turnsAway('203.0.113.7')).toBe(false);
    expect(audit.lines.filter(({ action }) => action.startsWith('key.re'))).toEqual([]);
  });

  it('a password counts, waits and locks out as guessing a key does, for unknown users too', async () => {
    const { gate, outcome, signIn, makeKey, audit } = await openGate();
    const { id, key } = await makeKey();
    expect(await signIn('wrong')).toEqual({
      outcome: 'refused',
      granted: false,
      reason: 'wrong-secret',
      keyId: id,
    });
    expect(await signIn('wrong', { user: 'nobody' })).toMatchObject({
      reason: 'unknown-user',
      delay: keysLimits.firstDelay,
    });
    for (let round = 2; round < keysLimits.guesses; round++) await outcome('wrong');
    expect(gate.turnsAway('203.0.113.7')).toBe(true);
    expect(await outcome(key)).toBe('too-many-attempts');
    expect(await outcome(key, { address: '203.0.113.8' })).toBe('signed-in');
    expect(audit.of('key.refused').length).toBe(keysLimits.guesses + 1);
    expect(audit.of('address.locked-out').length).toBe(1);
  });

  it('of a neighbour does not shut out who publishes from there', async () => {
    const { publish, outcome, makeKey } = await openGate();
    const { id, key } = await makeKey();
    await publish(key);
    for (let round = 0; round < keysLimits.guesses; round++) await outcome('wrong');
    expect(await outcome('wrong')).toBe('too-many-attempts');
    expect(await publish(key)).toBe(`live/camera-1 ${id} 1`);
  });
});

it('a name without a key is told from what is no key at all, in the log alone', async () => {
  const { gate, outcome, makeKey } = await openGate();
  await outcome((await makeKey()).key); // what is no key is looked at without asking the database
  const from = { address: '203.0.113.7', tls: true, door: 'rtmps', encoder: 'OBS' };
  const reason = async (name: string) => {
    const verdict = await gate.check({ right: 'publish', app: 'live', name: new Secret(name), ...from });
    return verdict.granted ? 'granted' : verdict.reason;
  };
  expect(await reason('camera-1')).toBe('key-missing');
  expect(await reason('camera-2')).toBe('not-a-key');
});
