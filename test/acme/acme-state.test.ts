import { assert, json, property } from 'fast-check';
import { expect, it } from 'vitest';
import { type AcmeState, emptyState, formatState, parseState } from '../../src/acme/acme-state.ts';

const full: AcmeState = {
  renewal: { serial: 'AA', at: 1, checkAt: 2, window: { start: 1, end: 2, explanation: 'https://x' } },
  failures: 3,
  nextAttemptAt: 4,
  notBefore: 5,
  attemptedAt: 6,
  finishedAt: 7,
  validations: [8],
  issued: [{ names: 'a b', at: 9, life: 10 }],
  lastError: { at: 11, problem: 'dns', reason: 'r', hint: 'h' },
};

it('what is written is read again', () => {
  expect(parseState(formatState(full))).toEqual(full);
  expect(parseState(formatState(emptyState))).toEqual(emptyState);
});

it.each([
  [''],
  ['null'],
  ['{}'],
  [formatState(full).slice(0, -30)],
  [formatState(full).replace('"failures": 3', '"failures": "3"')],
  [formatState(full).replace('"checkAt": 2', '"checkAt": null')],
  [formatState(full).replace('"life": 10', '"life": []')],
  [formatState(full).replace('"hint": "h"', '"hint": 1')],
  [formatState(full).replace('"nextAttemptAt": 4', '"nextAttemptAt": 1e300')], // no date
  [formatState(full).replace('"start": 1', '"start": {}')],
])('what is damaged is no state: %j', (text) => {
  expect(parseState(text)).toBeUndefined();
});

it('garbage is no state, and no error either', () => {
  assert(
    property(json(), (text) => {
      expect(parseState(text)).toBeUndefined();
    }),
    { seed: 2, numRuns: 200 },
  );
});
