// The table of docs/interop.md: what is tried, and how it is written down. Each cell is a real client that publishes
// through a door with its key given in one way.
import type { RealProcess } from './real-process.ts';

export const doors = ['rtmps', 'rtmp', 'rtmpe', 'rtmpts', 'rtmpt', 'rtmpte'] as const;
export type Door = (typeof doors)[number];

export interface Target {
  readonly door: Door;
  /** Host and port. */
  readonly host: string;
  readonly app: string;
  readonly name: string;
  readonly key: string;
}

export interface Row {
  readonly client: string;
  readonly form: string;
  /** The application of its streams. */
  readonly app: string;
  /** Publishes a short clip; undefined where nothing can be started. Fails by rejecting or by its exit code. */
  readonly publish: (target: Target) => RealProcess | Promise<void>;
  /** Doors that it does not have, or that it fails at, by a mark of the notes below. */
  readonly without: Partial<Record<Door, Note>>;
}

/** Why a cell does not work: all of them the client's own reasons. */
export const notes = {
  a: 'The client does not speak it.',
  b: "Debian's build of ffmpeg has no RTMPE.",
  c: "Debian's build of librtmp writes beyond its own memory when it signs in, and crashes.",
  d: 'A client certificate is a matter of TLS.',
  e: 'ffmpeg does not show its certificate inside a tunnel.',
  f: 'OBS has code for it; the script has not, so it was not tried.',
} as const;
export type Note = keyof typeof notes;

/** `works`, or the mark of the note. */
export type Outcome = 'works' | Note | 'FAILS';

export function formatTable(rows: readonly Row[], outcome: (row: Row, door: Door) => Outcome): string {
  const used = new Set<Outcome>();
  const lines = rows.map((row) => {
    const cells = doors.map((door) => {
      const found = outcome(row, door);
      used.add(found);
      return found === 'works' || found === 'FAILS' ? found : `– (${found})`;
    });
    return `| ${[row.client, row.form, ...cells].join(' | ')} |`;
  });
  const head = ['client', 'key given as', ...doors];
  return [
    `| ${head.join(' | ')} |`,
    `|${' --- |'.repeat(head.length)}`,
    ...lines,
    '',
    ...Object.entries(notes).flatMap(([mark, words]) =>
      used.has(mark as Note) ? [`- (${mark}) ${words}`] : [],
    ),
  ].join('\n');
}
