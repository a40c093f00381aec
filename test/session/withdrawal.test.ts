import { describe, expect, it } from 'vitest';
import type { WithdrawalReason } from '../../src/keys/key-gate.ts';
import type { Verdict } from '../../src/keys/key-rule.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { concerns, withdrawalRefusal } from '../../src/session/withdrawal.ts';
import { openStage, secretOf } from '../support/session-stage.ts';

const of = (key: string, upTo: number, certificate?: string, why: WithdrawalReason = 'revoked') => ({
  keyId: key as KeyId,
  why,
  upTo,
  certificate,
});
const bySecret = { keyId: 'one' as KeyId, generation: 2, certificate: undefined };
const byCertificate = { keyId: 'one' as KeyId, generation: Infinity, certificate: '4a' };

describe('a withdrawal', () => {
  it.each([
    ['the whole key', of('one', Infinity), true, true],
    ['another key', of('two', Infinity), false, false],
    ['its secrets up to now', of('one', 2), true, false],
    ['its older secrets', of('one', 1), false, false],
    ['this certificate', of('one', Infinity, '4a'), false, true],
    ['another certificate', of('one', Infinity, '4b'), false, false],
  ])('of %s', (_, withdrawal, secret, certificate) => {
    expect(concerns(withdrawal, bySecret)).toBe(secret);
    expect(concerns(withdrawal, byCertificate)).toBe(certificate);
  });

  it('says what it was that no longer holds', () => {
    expect(withdrawalRefusal(of('one', Infinity, '4a', 'expired')).message).toBe(
      'The client certificate of this session has expired.',
    );
  });
});

const certified: Verdict = {
  granted: true,
  stream: 'live/one' as StreamName,
  keyId: 'key-one' as KeyId,
  generation: Infinity,
  certificate: '4a',
};

describe('a session that came with a certificate', () => {
  const publish = async () => {
    const stage = openStage();
    stage.gate.verdicts.set(secretOf('one'), certified);
    return { stage, ...(await stage.publish()) };
  };

  it('ends with its certificate, told why, and not with another one of its key', async () => {
    const { stage, encoder } = await publish();
    stage.gate.withdraw('key-one', 'revoked', '4b');
    await encoder.talk();
    expect(encoder.told).toEqual(['published']);
    stage.gate.withdraw('key-one', 'revoked', '4a');
    await encoder.talk();
    expect(encoder.lastWords).toBe('The client certificate of this session was revoked.');
  });

  it('does not begin when its certificate is revoked while the gate is asked', async () => {
    const stage = openStage();
    stage.gate.verdicts.set(secretOf('one'), certified);
    stage.gate.latch.shut();
    const { encoder } = stage.connect();
    await encoder.talk();
    stage.gate.withdraw('key-one', 'revoked', '4a');
    stage.gate.latch.open();
    await encoder.talk();
    expect(encoder.told).not.toContain('published');
    expect(encoder.lastWords).toBe('The client certificate of this session was revoked.');
  });
});
