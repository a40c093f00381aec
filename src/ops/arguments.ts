// What the command line's verbs have in common: reading an argument, or saying what was found and what would be
// right. pure.
import { SetupError } from '../errors.ts';
import { safeText } from './log.ts';
import { parseDuration, parseInstant } from './quantities.ts';

/** SetupError ARGUMENT_INVALID; a key given by mistake is masked. `expected` is a whole sentence. */
export function argumentInvalid(argument: string, found: string, expected: string): SetupError {
  return new SetupError('ARGUMENT_INVALID', `${argument}: "${safeText(found)}" is not valid.`, {
    hint: expected,
  });
}

/**
 * A moment in milliseconds since the epoch, written as a date or as a duration from `now`.
 * Throws SetupError ARGUMENT_INVALID.
 */
export function readMoment(argument: string, text: string, now: number): number {
  const duration = parseDuration(text);
  const moment = duration === undefined ? parseInstant(text) : now + duration;
  if (moment === undefined || moment > latest) {
    throw argumentInvalid(
      argument,
      text,
      'Give a duration from now such as 8h or 30d, or a date such as 2026-12-24 or 2026-12-24T18:00Z.',
    );
  }
  return moment;
}

/** Throws SetupError ARGUMENT_INVALID, with the choices. */
export function readChoice<Choice extends string>(
  argument: string,
  text: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw argumentInvalid(argument, text, `Give one of: ${choices.join(', ')}.`);
  return choice;
}

/** A remark of the operator's. Notes are listed, so a key pasted into one would be shown for ever: ARGUMENT_INVALID. */
export function readNote(argument: string, text: string): string {
  if (text.length <= longestNote && !/p[st]k_/i.test(text)) return text;
  throw argumentInvalid(argument, text, `Give at most ${longestNote} characters, and no key.`);
}

const longestNote = 200;
// The last year that ISO 8601 writes with four digits.
const latest = Date.UTC(9999, 11, 31);
