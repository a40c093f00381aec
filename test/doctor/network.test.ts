import { describe, expect, it } from 'vitest';
import { codeOf, systemNetwork, tooLate, within } from '../../src/doctor/network.ts';
import { brokenServer, closedPort } from '../support/doctor-network.ts';
import { FakeClock } from '../support/fake-clock.ts';

describe('within', () => {
  it('gives the answer, and leaves no timer behind', async () => {
    const clock = new FakeClock();
    expect(await within(clock, 1000, Promise.resolve('answer'))).toBe('answer');
    await expect(within(clock, 1000, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(clock.timers).toBe(0);
  });

  it('gives up after its time', async () => {
    const clock = new FakeClock();
    const waiting = within(clock, 1000, new Promise(() => undefined));
    clock.advance(1000);
    expect(await waiting).toBe(tooLate);
  });
});

describe('codeOf', () => {
  it.each([
    [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
    [new Error('words'), 'words'],
    ['text', 'text'],
  ])('%s', (error, code) => expect(codeOf(error)).toBe(code));
});

describe('this machine', () => {
  it('tells a port that is taken from a free one, and leaves it free', async () => {
    const free = await closedPort();
    expect(await systemNetwork.whyNotListen('127.0.0.1', free)).toBeUndefined();
    expect(await systemNetwork.whyNotListen('127.0.0.1', free)).toBeUndefined();
    expect(await systemNetwork.whyNotListen('127.0.0.1', await brokenServer(() => undefined))).toBe(
      'EADDRINUSE',
    );
  });

  it('resolves, knows its addresses, and trusts somebody', async () => {
    expect(await systemNetwork.resolve('127.0.0.1')).toEqual(['127.0.0.1']);
    expect(systemNetwork.ownAddresses()).toContain('127.0.0.1');
    expect(systemNetwork.trustedRoots().length).toBeGreaterThan(10);
  });
});
