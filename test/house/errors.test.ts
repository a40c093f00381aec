// docs/errors.md tells people what to do about each error code: all of them, and no other.
import { describe, expect, it } from 'vitest';
import {
  protocolErrors,
  refusedErrors,
  resourceErrors,
  setupErrors,
  transportErrors,
} from '../../src/errors.ts';
import { trouble, sourceFiles, textOf, codeOf } from '../support/tree.ts';

const tables = { protocolErrors, refusedErrors, transportErrors, resourceErrors, setupErrors };
const codes = Object.values(tables).flatMap((table) => Object.keys(table));

describe('error codes', () => {
  it('stand once each', () => {
    expect(
      trouble(
        codes.filter((code, index) => codes.indexOf(code) !== index),
        'each code stands in one table of src/errors.ts',
      ),
    ).toBe('');
    expect(
      trouble(
        codes.filter((code) => !/^[A-Z]+(?:_[A-Z0-9]+)*$/.test(code)),
        'codes read LIKE_THIS',
      ),
    ).toBe('');
  });

  it('are the rows of docs/errors.md', () => {
    const rows = [...textOf('docs/errors.md').matchAll(/^(?:\| |#+ )`([A-Z0-9_]+)`/gm)].map(
      (match) => match[1] ?? '',
    );
    expect(
      trouble(
        codes.filter((code) => !rows.includes(code)),
        'add a row to docs/errors.md: what happened, what to do',
      ),
    ).toBe('');
    expect(
      trouble(
        rows.filter((code) => !codes.includes(code)),
        'src/errors.ts knows no such code',
      ),
    ).toBe('');
    expect(
      trouble(
        rows.filter((code, index) => rows.indexOf(code) !== index),
        'two rows',
      ),
    ).toBe('');
  });

  it('are thrown somewhere', () => {
    const all = sourceFiles()
      .filter((file) => file !== 'src/errors.ts')
      .map(codeOf)
      .join('\n');
    const unused = codes.filter((code) => !all.includes(`'${code}'`));
    expect(trouble(unused, 'nobody throws these: take them out of src/errors.ts and docs/errors.md')).toBe(
      '',
    );
  });
});
