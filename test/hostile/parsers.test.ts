// Every parser that strangers reach, fuzzed from committed seeds: nothing but an answer or a ProtocolError comes of
// any input, however it is cut the outcome is the same, and what was understood can be written and read again.
// `scripts/fuzz` runs the same for as long as one likes. The seed is fixed.
import { describe, expect, it } from 'vitest';
import { doorTargets } from '../support/fuzz-door-targets.ts';
import { fuzz, tryInput } from '../support/fuzz-run.ts';
import { wireTargets } from '../support/fuzz-wire-targets.ts';

const targets = [...wireTargets, ...doorTargets];
const usualRuns = 12_000;
/** A handshake is mostly cryptography. */
const runs: Readonly<Record<string, number>> = { handshake: 10_000, 'client-handshake': 3000 };
const runsOf = (name: string) => runs[name] ?? usualRuns;

describe('damaged input', () => {
  it('is tried 100,000 times and more', () => {
    expect(targets.reduce((sum, { name }) => sum + runsOf(name), 0)).toBeGreaterThan(100_000);
  });

  it.each(targets)('$name', (target) => {
    const answers = fuzz(target, { seed: 'ci', runs: runsOf(target.name) });
    // The damage reaches what there is to reach, or it would prove nothing.
    expect([...answers.keys()]).toEqual(expect.arrayContaining([...target.reaches]));
  });

  it.each(targets)('the seeds of $name are no trouble either', (target) => {
    expect(target.seeds.length).toBeGreaterThan(1);
    for (const seed of target.seeds) expect(tryInput(target, seed)).toBeTypeOf('string');
  });
});
