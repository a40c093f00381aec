import { describe, expect, it } from 'vitest';
import { sessionLimits } from '../../src/session/session-limits.ts';
import { type Contact, SignInMemory } from '../../src/session/sign-in-memory.ts';
import { FakeClock } from '../support/fake-clock.ts';

const obs: Contact = { address: '192.0.2.7', app: 'live', encoder: 'FMLE/3.0 (compatible; FMSc/1.0)' };
const { signInHints, signInHintTime, signInUnanswered, signInMemory, signInEncoders } = sessionLimits;

function open(apps: readonly string[] = []) {
  const clock = new FakeClock();
  const memory = new SignInMemory(clock, apps);
  const hint = (times: number, contact = obs, stream = 'live/camera-1') => {
    for (let round = 0; round < times; round++) memory.nameShown(contact, stream);
  };
  return { clock, memory, hint };
}

describe('a bare connect', () => {
  it('is let in: its key comes later, in the stream key field', () => {
    expect(open().memory.asks(obs)).toBe(false);
  });

  it('is asked where the operator says so, or the address names the stream, always', () => {
    const { memory } = open(['studio']);
    for (let round = 0; round < 9; round++) {
      expect(memory.asks({ ...obs, app: 'studio' })).toBe(true);
      expect(memory.asks({ ...obs, app: 'live/camera-1' })).toBe(true);
    }
    memory.keyShown({ ...obs, app: 'studio' });
    expect(memory.asks({ ...obs, app: 'studio' })).toBe(true);
  });
});

describe('who publishes a name without a key', () => {
  it('is asked when that has happened often enough with the same name', () => {
    const { memory, hint } = open();
    hint(signInHints - 1);
    expect(memory.asks(obs)).toBe(false); // once may be a slip, which is mended by now
    hint(1);
    expect(memory.asks(obs)).toBe(true);
    const { memory: other, hint: otherHint } = open();
    otherHint(1, obs, 'live/camera-1');
    otherHint(1, obs, 'live/camera-2');
    expect(other.asks(obs)).toBe(false);
  });

  it('is no reason to ask anybody else', () => {
    const { memory, hint } = open();
    hint(signInHints);
    expect(memory.asks({ ...obs, address: '192.0.2.8' })).toBe(false);
    expect(memory.asks({ ...obs, app: 'other' })).toBe(false);
    expect(memory.asks({ ...obs, encoder: 'FMLE/3.0 (compatible; Lavf59)' })).toBe(false);
    expect(memory.asks(obs)).toBe(true);
  });

  it('is forgotten after a while', () => {
    const { memory, hint, clock } = open();
    hint(signInHints);
    clock.advance(signInHintTime);
    expect(memory.asks(obs)).toBe(false);
  });

  it('is let in again when it has nothing to answer', () => {
    const { memory, hint } = open();
    hint(signInHints);
    for (let round = 0; round < signInUnanswered; round++) expect(memory.asks(obs)).toBe(true);
    expect(memory.asks(obs)).toBe(false);
    expect(memory.asks(obs)).toBe(false);
  });

  it('is not asked while a good key was used from there', () => {
    const { memory, hint, clock } = open();
    memory.keyShown(obs);
    hint(signInHints);
    expect(memory.asks(obs)).toBe(false);
    clock.advance(signInMemory);
    hint(signInHints);
    expect(memory.asks(obs)).toBe(true);
    memory.keyShown(obs);
    expect(memory.asks(obs)).toBe(false);
  });
});

describe('who signs in', () => {
  it('is asked at once when it comes back, for as long as it does', () => {
    const { memory, hint, clock } = open();
    hint(signInHints);
    for (let round = 0; round < 5; round++) {
      expect(memory.asks(obs)).toBe(true);
      memory.answered(obs);
      memory.signedIn(obs);
      clock.advance(signInMemory - 1);
    }
  });

  it('leaves no mark where it did not have to be asked', () => {
    const { memory } = open();
    memory.signedIn(obs);
    expect(memory.asks(obs)).toBe(false);
    memory.keyShown(obs);
    memory.signedIn(obs);
    expect(memory.asks(obs)).toBe(false);
  });
});

it('remembers no more than the limit, and forgets the quietest', () => {
  const { memory, hint } = open();
  hint(signInHints);
  for (let count = 0; count < signInEncoders; count++) hint(1, { ...obs, encoder: String(count) });
  expect(memory.size).toBe(signInEncoders);
  expect(memory.asks(obs)).toBe(false);
});
