// What a command-line verb answers. The verbs live in their rooms (`*-cli.ts`); the roof prints the text or the JSON.
// Text for people has aligned columns, and its cells are made safe for a terminal: an encoder chooses its own name,
// and must not be able to move the operator's cursor or break the table. pure.
import { safeText } from './log.ts';

export interface Report {
  /** For `--json`: the shape users' scripts rely on. */
  readonly json: unknown;
  /** For people, without a final line feed; empty prints nothing. */
  readonly text: string;
  /** The verb did its work, and what it found is bad: exit code 1. */
  readonly failed?: boolean;
}

/** One line for the headings, one per row, columns two spaces apart; no final line feed, no trailing spaces. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : safeText(cell))))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `label  value` lines of one thing; entries without a value are left out. */
export function formatFields(
  fields: readonly (readonly [label: string, value: string | undefined])[],
): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${safeText(value)}`).join('\n');
}
