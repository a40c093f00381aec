import { describe, expect, it } from 'vitest';
import {
  checkAllowed,
  lastWords,
  step,
  type ConnectionState,
} from '../../src/connection/connection-state.ts';
import { refusalOf } from '../support/refusal-of.ts';

const states: readonly ConnectionState[] = ['handshaking', 'connecting', 'open', 'closing', 'closed'];

describe('the table of states', () => {
  it('only goes forward, and never leaves closed', () => {
    const possible = (from: ConnectionState, to: ConnectionState) => {
      try {
        return step(from, to) === to;
      } catch {
        return false;
      }
    };
    const steps = states.flatMap((from) =>
      states.filter((to) => possible(from, to)).map((to) => `${from} > ${to}`),
    );
    expect(steps).toEqual([
      'handshaking > connecting',
      'handshaking > closed',
      'connecting > open',
      'connecting > closing',
      'connecting > closed',
      'open > closing',
      'open > closed',
      'closing > closed',
    ]);
  });

  it('lets last words be said more than once, but not before the handshake', () => {
    expect(states.slice(1).map(lastWords)).toEqual(['closing', 'closing', 'closing', 'closed']);
    expect(() => lastWords('handshaking')).toThrow('no step');
  });
});

describe('commands', () => {
  it.each<[string, ConnectionState]>([
    ['connect', 'connecting'],
    ['createStream', 'open'],
    ['publish', 'open'],
    ['play', 'open'],
    ['closeStream', 'open'],
    ['deleteStream', 'open'],
    ['FCPublish', 'open'],
    ['_checkbw', 'open'],
    ['constructor', 'open'],
    ['__proto__', 'open'],
    ['toString', 'open'],
  ])('%s belongs to the state %s alone', (command, state) => {
    const allowed = states.filter((each) => refusalOf(() => checkAllowed(command, each)) === undefined);
    expect(allowed).toEqual([state]);
    expect(refusalOf(() => checkAllowed(command, 'closed'))).toBe('COMMAND_OUT_OF_STATE');
  });
});
