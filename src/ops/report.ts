// What a command-line verb answers. The verbs live in their rooms (`*-cli.ts`); the roof prints one of the two.

export interface Report {
  /** For `--json`: the shape users' scripts rely on. */
  readonly json: unknown;
  /** For people, without a final line feed; empty prints nothing. */
  readonly text: string;
  /** The verb did its work, and what it found is bad: exit code 1. */
  readonly failed?: boolean;
}
