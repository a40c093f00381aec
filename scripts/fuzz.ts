// scripts/fuzz: damages what the parsers know and watches what they make of it, for as long as one likes; or tries
// one input again. test/hostile/parsers.test.ts runs a fixed share of it; an input that was trouble belongs into its corpus.
import { parseArgs } from 'node:util';
import { doorTargets } from '../test/support/fuzz-door-targets.ts';
import { fuzz, tryInput } from '../test/support/fuzz-run.ts';
import { wireTargets } from '../test/support/fuzz-wire-targets.ts';
import { fromHex } from '../test/support/vectors.ts';

const targets = [...wireTargets, ...doorTargets];
const usage = `Usage: scripts/fuzz [--parser NAME]... [--runs N] [--seed TEXT]
       scripts/fuzz --parser NAME --input HEX
Gives each parser N damaged inputs (default 100000) that follow from the seed (default: the time) and counts what
came of them; the first that came to anything but an answer or a ProtocolError is printed as hex. With --input, that
input is tried again alone. Parsers:
  ${targets.map(({ name }) => name).join('\n  ')}

Exit code: 0 nothing was found, 1 something was, 2 wrong usage.`;

function main(): number {
  const { parser = [], runs: wantedRuns, seed, input, help } = parsed();
  if (help === true) {
    console.log(usage);
    return 0;
  }
  const chosen = parser.length === 0 ? targets : targets.filter(({ name }) => parser.includes(name));
  const unknown = parser.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) throw new TypeError(`no parser is called ${unknown}`);
  if (input !== undefined) {
    const [target, ...others] = chosen;
    if (target === undefined || others.length > 0) throw new TypeError('--input goes with one --parser');
    const bytes = inputOf(input);
    return attempt(() => console.log(`${target.name}: ${tryInput(target, bytes)}`));
  }
  const runs = Number(wantedRuns ?? 100_000);
  if (!Number.isSafeInteger(runs) || runs < 1) throw new TypeError('--runs takes a whole number above 0');
  const usedSeed = seed ?? new Date().toISOString();
  console.log(`seed ${usedSeed}`);
  let failed = 0;
  for (const target of chosen) {
    failed |= attempt(() => {
      const answers = [...fuzz(target, { seed: usedSeed, runs })].sort(([, one], [, other]) => other - one);
      console.log(`${target.name}: ${answers.map(([answer, count]) => `${answer} ${count}`).join(', ')}`);
    });
  }
  return failed;
}

function parsed() {
  return parseArgs({
    options: {
      parser: { type: 'string', multiple: true },
      runs: { type: 'string' },
      seed: { type: 'string' },
      input: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}

function inputOf(hex: string): Uint8Array {
  try {
    return fromHex(hex);
  } catch (cause) {
    throw new TypeError('--input takes hex', { cause });
  }
}

function attempt(run: () => void): 0 | 1 {
  try {
    run();
    return 0;
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
    if (error instanceof Error && error.cause instanceof Error) console.log(error.cause.stack);
    else if (error instanceof Error) console.log(error.stack);
    return 1;
  }
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(`fuzz: ${error.message}\n${usage}`);
  process.exitCode = 2;
}
