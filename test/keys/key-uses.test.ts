import { describe, expect, it } from 'vitest';
import type { KeyUse } from '../../src/keys/key-rule.ts';
import { KeyUses } from '../../src/keys/key-uses.ts';
import { keysLimits } from '../../src/keys/keys-limits.ts';
import type { KeyId } from '../../src/ops/names.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';

const id = '7h2kq9d4' as KeyId;
const from = (address: string, encoder = 'OBS') => ({ address, encoder, door: 'rtmps' });

function open(touch?: () => Promise<void>) {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const written: [KeyId, KeyUse, number][] = [];
  const keyStore = { touch: touch ?? (async (...use: [KeyId, KeyUse, number]) => void written.push(use)) };
  const uses = new KeyUses({ keyStore, clock, log });
  const told: string[] = [];
  const stop = uses.onWithdrawn((key, why, upTo, certificate) =>
    told.push([key, why, upTo, certificate].filter((part) => part !== undefined).join(' ')),
  );
  return { clock, log, uses, written, told, stop };
}

describe('marks of use', () => {
  it('are written once for many, and at the latest at the end', async () => {
    const { uses, clock, written } = open();
    uses.note(id, 1, from('192.0.2.1'));
    uses.note(id, 1, from('192.0.2.2', 'x'.repeat(999)));
    uses.note(id, 2, from('192.0.2.3'));
    expect(written).toEqual([]);
    clock.advance(100);
    await uses.close();
    expect(written.map(([, { address }, generation]) => [address, generation])).toEqual([
      ['192.0.2.2', 1],
      ['192.0.2.3', 2],
    ]);
    expect(written[0]?.[1].encoder.length).toBe(keysLimits.encoderLength);
    const { uses: others, written: last } = open();
    others.note(id, 1, from('192.0.2.1'));
    await others.close();
    expect(last.length).toBe(1);
  });

  it('that cannot be written cost a line in the log and no stream', async () => {
    const { uses, log } = open(() => Promise.reject(new Error('no disk')));
    uses.note(id, 1, from('192.0.2.1'));
    await uses.close();
    expect(log.lines.map(({ event }) => event)).toEqual(['key-use.lost']);
  });

  it('tell where a key was used last, by neighbourhood', () => {
    const { uses } = open();
    uses.recall(id, { at: 0, ...from('2001:db8::1') });
    expect(uses.isLastFrom(id, '2001:db8::ffff')).toBe(true);
    uses.note(id, 1, from('192.0.2.1'));
    expect(uses.isLastFrom(id, '2001:db8::1')).toBe(false);
    expect([...uses.lastFrom('192.0.2.1')]).toEqual([id]);
    uses.forget(id);
    expect([...uses.lastFrom('192.0.2.1')]).toEqual([]);
  });
});

describe('ends', () => {
  it('are told once, older secrets with newer ones', () => {
    const { uses, told, stop } = open();
    uses.endAt(id, 1, 100);
    uses.endAt(id, 2, 200);
    expect(uses.endedBy(99)).toEqual([]);
    expect(uses.endedBy(100).map(({ generation }) => generation)).toEqual([1]);
    uses.withdraw(id, 'rotated', 1);
    expect(uses.endedBy(1000).map(({ generation }) => generation)).toEqual([2]);
    uses.withdraw(id, 'revoked', Infinity, 'ab12'); // of one certificate: the secrets live on
    expect(uses.endedBy(1000).length).toBe(1);
    uses.withdraw(id, 'revoked', Infinity);
    expect(uses.endedBy(1000)).toEqual([]);
    stop();
    uses.withdraw(id, 'revoked', Infinity);
    expect(told).toEqual([`${id} rotated 1`, `${id} revoked Infinity ab12`, `${id} revoked Infinity`]);
  });
});
