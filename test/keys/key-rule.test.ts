// The decision table of the gate.
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { judge, type AccessRequest, type StreamKey } from '../../src/keys/key-rule.ts';
import { parseAddressBlock } from '../../src/ops/address.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';

const now = 1_000_000;
const key: StreamKey = {
  id: '7h2kq9d4' as KeyId,
  stream: 'live/camera-1' as StreamName,
  role: 'publish',
  state: 'active',
  digest: '',
  pepperVersion: 0,
  createdAt: 0,
  allow: [],
  codecs: [],
  generation: 1,
  require: 'any',
};
const byName: AccessRequest = {
  right: 'publish',
  app: 'live',
  name: new Secret('psk_…'),
  address: '203.0.113.7',
  tls: false,
  door: 'rtmp',
  encoder: '',
};
const byQuery: AccessRequest = { ...byName, name: new Secret('camera-1'), key: new Secret('psk_…') };
const blocks = ['10.0.0.0/8', '2001:db8::/32'].map((text) => parseAddressBlock(text)!);

const judged = (change: Partial<StreamKey>, request: AccessRequest = byName) => {
  const verdict = judge({ outcome: 'matched', key: { ...key, ...change } }, request, now);
  return verdict.granted ? 'granted' : verdict.reason;
};

describe('judge', () => {
  it('grants with the public names and the limits of the key', () => {
    const limits = { expiresAt: now + 1, maxSession: 5, maxBitrate: 6, codecs: ['h264'] };
    expect(judge({ outcome: 'matched', key }, byName, now)).toEqual({
      granted: true,
      keyId: '7h2kq9d4',
      stream: 'live/camera-1',
      generation: 1,
    });
    expect(judge({ outcome: 'matched', key: { ...key, ...limits } }, byQuery, now)).toEqual({
      granted: true,
      keyId: '7h2kq9d4',
      stream: 'live/camera-1',
      generation: 1,
      until: now + 1,
      maxSession: 5,
      maxBitrate: 6,
      codecs: ['h264'],
    });
  });

  it('grants an old secret until its grace is over or the key expires, whichever comes first', () => {
    const previous = { digest: '', pepperVersion: 0, until: now + 5 };
    const old = (change: Partial<StreamKey>) =>
      judge(
        { outcome: 'matched-previous', key: { ...key, generation: 3, previous, ...change } },
        byName,
        now,
      );
    expect(old({})).toMatchObject({ granted: true, generation: 2, until: now + 5 });
    expect(old({ expiresAt: now + 1 })).toMatchObject({ granted: true, until: now + 1 });
    expect(old({ previous: { ...previous, until: now } })).toMatchObject({ reason: 'rotated' });
    expect(old({ state: 'disabled' })).toMatchObject({ reason: 'disabled' });
  });

  it.each(['not-a-key', 'mistyped', 'unknown-key'] as const)('refuses %s, naming no key', (outcome) =>
    expect(judge({ outcome }, byName, now)).toEqual({ granted: false, reason: outcome }),
  );

  it('refuses a wrong secret before anything that would tell about the key', () => {
    const credential = { outcome: 'wrong-secret', key: { ...key, state: 'revoked' } } as const;
    expect(judge(credential, byName, now)).toEqual({
      granted: false,
      reason: 'wrong-secret',
      keyId: '7h2kq9d4',
    });
  });

  it.each([
    ['disabled', { state: 'disabled' }, byName],
    ['revoked', { state: 'revoked' }, byName],
    ['not-yet-valid', { notBefore: now + 1 }, byName],
    ['granted', { notBefore: now }, byName],
    ['expired', { expiresAt: now }, byName],
    ['granted', { expiresAt: now + 1 }, byName],
    ['role-missing', { role: 'play' }, byName],
    ['role-missing', {}, { ...byName, right: 'play' }],
    ['granted', { role: 'play' }, { ...byName, right: 'play' }],
    ['wrong-stream', {}, { ...byName, app: 'liv' }],
    ['wrong-stream', {}, { ...byName, app: 'live/camera-1' }],
    ['wrong-stream', {}, { ...byName, app: '' }],
    ['wrong-stream', {}, { ...byName, app: 'LIVE' }],
    ['wrong-stream', {}, { ...byQuery, app: 'other' }],
    ['wrong-stream', {}, { ...byQuery, name: new Secret('camera-2') }],
    ['wrong-stream', {}, { ...byQuery, name: new Secret('') }],
    ['wrong-stream', {}, { ...byQuery, app: '', name: new Secret('live/camera-1') }],
    ['address-not-allowed', { allow: blocks }, byName],
    ['address-not-allowed', { allow: blocks }, { ...byName, address: 'unknown' }],
    ['granted', { allow: blocks }, { ...byName, address: '10.1.2.3' }],
    ['granted', { allow: blocks }, { ...byName, address: '::ffff:10.1.2.3' }],
    ['granted', { allow: blocks }, { ...byName, address: '2001:db8::1' }],
    ['encryption-required', { require: 'tls' }, byName],
    ['encryption-required', { require: 'tls' }, { ...byName, door: 'rtmpe' }],
    ['granted', { require: 'tls' }, { ...byName, tls: true }],
  ] as const)('case %#: %s', (outcome, change, request) => expect(judged(change, request)).toBe(outcome));

  it('gives the reason that the operator has to mend first', () => {
    const everything = {
      state: 'revoked',
      expiresAt: 0,
      role: 'play',
      stream: 'a/b' as StreamName,
      allow: blocks,
      require: 'tls',
    } as const;
    const { state: _, ...noState } = everything;
    const { expiresAt: __, ...noExpiry } = noState;
    const { role: ___, ...noRole } = noExpiry;
    const { stream: ____, ...noStream } = noRole;
    expect([everything, noState, noExpiry, noRole, noStream].map((change) => judged(change))).toEqual([
      'revoked',
      'expired',
      'role-missing',
      'wrong-stream',
      'address-not-allowed',
    ]);
  });
});
