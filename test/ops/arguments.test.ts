// Arguments of verbs: what was found, what would be right, and never a key in a message.
import { describe, expect, it } from 'vitest';
import { argumentInvalid, readChoice, readMoment, readNote } from '../../src/ops/arguments.ts';

const now = Date.UTC(2026, 10, 22, 13);
const invalid = expect.objectContaining({
  code: 'ARGUMENT_INVALID',
  hint: expect.stringMatching(/^Give .*\.$/),
});

describe('readMoment', () => {
  it.each([
    ['30d', now + 30 * 86_400_000],
    ['2026-12-24', Date.UTC(2026, 11, 24)],
    ['2020-01-01T00:00Z', Date.UTC(2020, 0, 1)],
  ])('%s', (text, moment) => expect(readMoment('--expires', text, now)).toBe(moment));

  it.each(['soon', '', '999999999d', '2026-02-30'])('refuses %j', (text) =>
    expect(() => readMoment('--expires', text, now)).toThrow(invalid),
  );
});

describe('readChoice', () => {
  it('takes one of the choices and names them otherwise', () => {
    expect(readChoice('--role', 'play', ['publish', 'play'])).toBe('play');
    expect(() => readChoice('--role', 'Play', ['publish', 'play'])).toThrow(
      expect.objectContaining({
        message: '--role: "Play" is not valid.',
        hint: 'Give one of: publish, play.',
      }),
    );
  });
});

describe('readNote', () => {
  it('takes a remark, but neither a long one nor one with a key in it', () => {
    expect(readNote('--note', 'van 2, rear camera')).toBe('van 2, rear camera');
    expect(() => readNote('--note', 'x'.repeat(201))).toThrow(invalid);
    expect(() => readNote('--note', 'key is psk_7h2kq9d4_xxxx')).toThrow(invalid);
  });
});

describe('argumentInvalid', () => {
  it('masks a key given in the wrong place and escapes control characters', () => {
    const { message } = argumentInvalid(
      'ID',
      'psk_7h2kq9d4_abcdefghjkmnpqrstvwxyz0123\u001b[2J',
      'Give an id.',
    );
    expect(message).toBe('ID: "[secret]\\u001b[2J" is not valid.');
  });
});
