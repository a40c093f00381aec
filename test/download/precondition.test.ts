import { describe, expect, it } from 'vitest';
import { evaluatePreconditions } from '../../src/download/precondition.ts';

const at = 'Sun, 22 Nov 2026 13:05:09 GMT';
const before = 'Sun, 22 Nov 2026 13:05:08 GMT';
const validators = { etag: '"abc"', lastModified: Date.parse(at) };

describe('a conditional request', () => {
  it.each([
    [{}, 'send'],
    [{ 'if-match': '"abc"' }, 'send'],
    [{ 'if-match': '*' }, 'send'],
    [{ 'if-match': '"x", "abc"' }, 'send'],
    [{ 'if-match': 'W/"abc"' }, 'failed'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': before }, 'send'], // the tag has precedence
    [{ 'if-unmodified-since': at }, 'send'],
    [{ 'if-unmodified-since': before }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'send'],
    [{ 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"', 'if-modified-since': at }, 'send'], // the tag has precedence
    [{ 'if-modified-since': at }, 'not-modified'],
    [{ 'if-modified-since': before }, 'send'],
    [{ 'if-modified-since': '2099-01-01' }, 'send'],
    [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'failed'],
  ] as const)('%j → %s', (headers, outcome) => {
    expect(evaluatePreconditions(headers, validators)).toBe(outcome);
  });

  it('is never "not modified" while the file grows, and never the same file', () => {
    const growing = { ...validators, etag: undefined };
    expect(evaluatePreconditions({ 'if-modified-since': at }, growing)).toBe('send');
    expect(evaluatePreconditions({ 'if-none-match': '*' }, growing)).toBe('send');
    expect(evaluatePreconditions({ 'if-unmodified-since': at }, growing)).toBe('failed');
    expect(evaluatePreconditions({ 'if-match': '"abc"' }, growing)).toBe('failed');
  });
});
