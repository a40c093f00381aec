// Tests lie where the code lies: src/<room>/<file>.ts has test/<room>/<file>.test.ts. A file without functions
// (types, tables, limits) needs none.
import { describe, expect, it } from 'vitest';
import { trouble, codeOf, exists, projectFiles, sourceFiles } from '../support/tree.ts';

/** Code whose test is elsewhere, and where. */
const testedElsewhere: Readonly<Record<string, string>> = {
  'src/errors.ts': 'test/house/errors.test.ts compares the codes with the manual; the classes only hold data',
  'src/cli.ts': 'test/interop/command-line.test.ts runs it as users do',
  'src/cli-ground.ts': 'test/interop/command-line.test.ts runs it as users do',
  'src/cli-keys.ts': 'test/interop/command-line.test.ts runs it as users do',
  'src/cli-recordings.ts': 'test/interop/command-line.test.ts runs it as users do',
  'src/cli-certificates.ts': 'test/interop/command-line.test.ts runs it as users do',
  'src/cli-doctor.ts': 'test/interop/doctor.test.ts runs it as operators do',
  'src/appliance.ts': 'test/e2e starts it whole',
  'src/ops/random.ts': 'the machine itself; tests bring seeded randomness',
  'src/amf/amf-value.ts': 'plain data; the tests of decoder and encoder are full of it',
  'src/amf/amf-input.ts': 'the inside of both decoders; their tests of limits and references are about it',
  'src/amf/amf-output.ts': 'the inside of both encoders; every vector is written through it',
  'src/chunk/incoming-chunk-stream.ts':
    'the inside of the reader; test/chunk/chunk-reader.test.ts reads through it',
  'src/ops/clock.ts': 'the machine itself; every other test turns a fake clock',
};

const hasFunctions = (file: string) =>
  /\bfunction\b|\bclass\b|=>\s*[^;]*[({]/.test(withoutTypes(codeOf(file)));

function withoutTypes(code: string): string {
  return code.replace(/^(?:export )?(?:declare )?(?:interface \w[^]*?^\}|type \w[^]*?;$)/gm, '');
}

describe('the mirror', () => {
  it('shows a test for every file with code', () => {
    const missing = sourceFiles()
      .filter((file) => hasFunctions(file) && !Object.hasOwn(testedElsewhere, file))
      .map((file) => file.replace(/^src\/(.*)\.ts$/, 'test/$1.test.ts'))
      .filter((test) => !exists(test));
    expect(trouble(missing, 'write these tests (or name in testedElsewhere where they are)')).toBe('');
  });

  it('shows a file for every test of a room', () => {
    const kinds = /^test\/(?:house|e2e|interop|hostile|cli|scripts|support|vectors)\//;
    const sources = sourceFiles().map((file) => file.replace(/^src\/(.*)\.ts$/, '$1'));
    const orphans = projectFiles()
      .filter((file) => file.startsWith('test/') && file.endsWith('.test.ts') && !kinds.test(file))
      .filter(
        (file) =>
          !sources.some((source) => file.startsWith(`test/${source}.`) || file.startsWith(`test/${source}-`)),
      );
    expect(trouble(orphans, 'the file under test has moved: move or rename the test')).toBe('');
  });

  it('has no stale exceptions', () => {
    const stale = Object.keys(testedElsewhere).filter((file) =>
      exists(file.replace(/^src\/(.*)\.ts$/, 'test/$1.test.ts')),
    );
    expect(trouble(stale, 'these have a test now: take them off testedElsewhere')).toBe('');
  });
});
