import { describe, expect, it } from 'vitest';
import { type FindingState, isHealthy, notTried } from '../../src/doctor/finding.ts';

const one = (state: FindingState) => ({ subject: 'here', findings: [{ check: 'name', state, says: '' }] });

describe('isHealthy', () => {
  it('is false for any failure, and for nothing else', () => {
    expect(isHealthy([one('ok'), one('warning'), one('not-tried')])).toBe(true);
    expect(isHealthy([one('ok'), one('failed')])).toBe(false);
  });
});

describe('notTried', () => {
  it('names each step with the reason', () => {
    expect(notTried(['tls', 'key'], 'why')).toEqual([
      { check: 'tls', state: 'not-tried', says: 'why' },
      { check: 'key', state: 'not-tried', says: 'why' },
    ]);
  });
});
