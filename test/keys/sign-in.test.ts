// The desk alone: challenges, and whose password an answer proves. Through the gate: sign-in-gate.test.ts.
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import type { StreamKey } from '../../src/keys/key-rule.ts';
import { keysLimits } from '../../src/keys/keys-limits.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';
import { SignInDesk } from '../../src/keys/sign-in.ts';
import { sealVerifiers } from '../../src/keys/sign-in-verifier.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { answerOf, type Credentials, signInRequest } from '../support/sign-in.ts';

const hasher = new SecretHasher(new Uint8Array(32).fill(42));
const random = { bytes: seededRandom('desk') };

function key(id: string, password: string | undefined, change: Partial<StreamKey> = {}): StreamKey {
  const owner = { id: id as KeyId, stream: (change.stream ?? 'live/camera-1') as StreamName };
  return {
    ...hasher.hash(new Secret(password ?? 'lost')),
    verifiers: password && sealVerifiers(hasher, random.bytes, owner, new Secret(password)),
    role: 'publish',
    state: 'active',
    createdAt: 0,
    allow: [],
    require: 'any',
    codecs: [],
    generation: 1,
    ...change,
    ...owner,
  };
}

function open(...keys: StreamKey[]) {
  const clock = new FakeClock();
  const desk = new SignInDesk({ hasher, random, clock });
  const answer = (credentials: Credentials) => {
    const { user, password, ...where } = credentials;
    const request = signInRequest(user, where);
    return { ...request, answer: answerOf(request, password, desk.challenge(request)) };
  };
  /** The whole dance. */
  const compare = (user: string, password: string, where: Omit<Credentials, 'user' | 'password'> = {}) => {
    const finding = desk.compare(answer({ user, password, ...where }), keys);
    return finding.outcome === 'proven' ? `${finding.key.id} ${finding.generation}` : finding.outcome;
  };
  return { clock, desk, answer, compare, keys };
}

describe('a password', () => {
  it.each(['adobe', 'llnw'] as const)('proves its key by %s, however the user is spelt', (method) => {
    const { compare } = open(
      key('aaaaaaaa', 'one'),
      key('bbbbbbbb', 'two', { stream: 'live/camera-2' as StreamName }),
    );
    for (const user of ['camera-1', 'live/camera-1', 'aaaaaaaa'])
      expect(compare(user, 'one', { method })).toBe('aaaaaaaa 1');
    expect(compare('camera-1', 'one', { method, app: 'live/camera-1' })).toBe('aaaaaaaa 1');
    expect(compare('camera-1', 'two', { method })).toBe('wrong-secret');
    expect(compare('camera-1', 'one', { method, app: 'other' })).toBe('unknown-user');
    expect(compare('camera-3', 'one', { method })).toBe('unknown-user');
    expect(compare('', 'one', { method })).toBe('unknown-user');
  });

  it('tells which of the keys of a stream it is', () => {
    const { compare } = open(key('aaaaaaaa', 'one'), key('bbbbbbbb', 'two'));
    expect(compare('camera-1', 'one')).toBe('aaaaaaaa 1');
    expect(compare('camera-1', 'two')).toBe('bbbbbbbb 1');
    expect(compare('bbbbbbbb', 'one')).toBe('wrong-secret');
  });

  it('may be the one before the last rotation', () => {
    const { verifiers, digest, pepperVersion } = key('aaaaaaaa', 'old');
    const previous = { verifiers, digest, pepperVersion, until: 1 };
    const { compare } = open(key('aaaaaaaa', 'new', { generation: 5, previous }));
    expect(compare('camera-1', 'new')).toBe('aaaaaaaa 5');
    expect(compare('camera-1', 'old')).toBe('aaaaaaaa 4');
  });

  it('of a key made by an older version cannot be checked', () => {
    const { compare } = open(key('aaaaaaaa', undefined));
    expect(compare('camera-1', 'lost')).toBe('verifier-missing');
    expect(open(key('aaaaaaaa', undefined), key('bbbbbbbb', 'two')).compare('camera-1', 'two')).toBe(
      'bbbbbbbb 1',
    );
  });
});

describe('a challenge', () => {
  it('is of letters and digits, fits into 255 characters, and reads alike for everybody', () => {
    const { desk } = open(key('aaaaaaaa', 'one'));
    const [known, unknown] = ['camera-1', 'camera-9'].map((user) => desk.challenge(signInRequest(user)));
    for (const asked of [known, unknown]) {
      expect(asked?.salt).toMatch(/^[0-9a-z]{12}$/);
      expect(asked?.nonce).toMatch(/^[0-9a-z]{44}$/);
    }
    expect(desk.challenge(signInRequest('camera-9')).salt).toBe(unknown?.salt);
    expect(known?.salt).not.toBe(unknown?.salt);
  });

  it('may be answered once', () => {
    const { desk, answer, keys } = open(key('aaaaaaaa', 'one'));
    const request = answer({ user: 'camera-1', password: 'one' });
    expect(desk.compare(request, keys).outcome).toBe('proven');
    expect(desk.compare(request, keys).outcome).toBe('stale-challenge');
    expect(desk.compare(answer({ user: 'camera-1', password: 'one' }), keys).outcome).toBe('proven');
  });

  it('is for one user at one address', () => {
    const { desk, answer, keys } = open(key('aaaaaaaa', 'one'));
    const request = answer({ user: 'camera-1', password: 'one' });
    for (const change of [{ user: 'aaaaaaaa' }, { address: '203.0.113.8' }])
      expect(desk.compare({ ...request, ...change }, keys).outcome).toBe('stale-challenge');
  });

  it('ends, and cannot be made up or carried over to another run', () => {
    const { desk, answer, keys, clock } = open(key('aaaaaaaa', 'one'));
    const other = new SignInDesk({ hasher, random, clock });
    const request = answer({ user: 'camera-1', password: 'one' });
    expect(other.compare(request, keys).outcome).toBe('stale-challenge');
    for (const nonce of ['', 'x', '0'.repeat(44), `${request.answer.nonce.slice(0, -1)}x`]) {
      const made = { ...request, answer: { ...request.answer, nonce } };
      expect(desk.compare(made, keys).outcome).toBe('stale-challenge');
    }
    clock.advance(keysLimits.challengeTime + 1);
    expect(desk.compare(request, keys).outcome).toBe('stale-challenge');
    const late = answer({ user: 'camera-1', password: 'one' });
    clock.advance(keysLimits.challengeTime);
    expect(desk.compare(late, keys).outcome).toBe('proven');
    clock.advance(1);
    expect(desk.compare(late, keys).outcome).toBe('stale-challenge');
  });
});
