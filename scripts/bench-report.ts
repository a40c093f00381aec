// Runs become results: medians, ratios, verdicts, and the table. pure.
import { type Load, connectionTargets, memoryTargets } from './bench-loads.ts';
import { median } from './bench-median.ts';
import type { Run } from './bench-run.ts';

/** Medians of the valid runs of one server. */
export interface Figures {
  readonly cpuSecondsPerGB: number;
  /** Without the beginning and the end of the run; undefined at full speed. */
  readonly steadyCpuSecondsPerGB: number | undefined;
  /** Of checksums and signatures, made in the background behind the recording. */
  readonly checksumSecondsPerGB: number | undefined;
  /** Undefined where a single stream says nothing. */
  readonly memoryMBPerStream: number | undefined;
  readonly cpuMsPerConnection: number | undefined;
}

export interface Result {
  readonly load: Load;
  /** Undefined when there was no valid run. */
  readonly penstock: Figures | undefined;
  readonly nginx: Figures | undefined;
  readonly ratio: number | undefined;
  readonly steadyRatio: number | undefined;
  readonly verdicts: readonly Verdict[];
  readonly runs: readonly Run[];
}

export interface Verdict {
  readonly subject: 'ratio' | 'memory per stream' | 'CPU per connection';
  readonly measured: number;
  readonly target: number;
  readonly met: boolean;
}

/** With fewer streams the server's own memory and caches drown theirs. */
const fewestStreams = 50;
const bytesPerGB = 1e9;
const bytesPerMB = 1e6;

export function resultOf(load: Load, runs: readonly Run[]): Result {
  const penstock = figuresOf(load, runs, 'penstock');
  const nginx = figuresOf(load, runs, 'nginx');
  const ratio = quotient(penstock?.cpuSecondsPerGB, nginx?.cpuSecondsPerGB);
  const steadyRatio = quotient(penstock?.steadyCpuSecondsPerGB, nginx?.steadyCpuSecondsPerGB);
  const verdicts = [
    verdict('ratio', ratio, load.target),
    verdict('memory per stream', penstock?.memoryMBPerStream, memoryTargets[load.door]),
    verdict('CPU per connection', penstock?.cpuMsPerConnection, connectionTargets[load.door]),
  ].filter((one) => one !== undefined);
  return { load, penstock, nginx, ratio, steadyRatio, verdicts, runs };
}

/** `met`, or by how much it was missed. */
export function verdictText({ measured, target, met }: Verdict): string {
  return met ? 'met' : `missed by ${Math.ceil((measured / target - 1) * 100)} %`;
}

/** In Markdown, with columns that line up. */
export function tableOf(results: readonly Result[]): string {
  const rows = [
    [
      'load',
      'Penstock CPU s/GB',
      'nginx CPU s/GB',
      'ratio',
      'target',
      'verdict',
      'steady ratio',
      'checksums s/GB',
      'MB/stream (nginx)',
      'CPU ms/connection (nginx)',
    ],
    ...results.map(rowOf),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

/** What has to be said beside the table: missed targets and runs that do not count. */
export function remarksOn(results: readonly Result[]): string[] {
  return results.flatMap(({ load, verdicts, runs }) => [
    ...verdicts
      .filter(({ met }) => !met)
      .map(
        (one) =>
          `MISSED ${load.name}: ${one.subject} ${one.measured.toFixed(2)}, target ${one.target} (${verdictText(one)})`,
      ),
    ...runs
      .filter(({ faults }) => faults.length > 0)
      .map(({ server, faults }) => {
        const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
        return `INVALID ${load.name}, a run of ${server}: ${faults[0]?.split('\n', 1)[0]}${more}`;
      }),
  ]);
}

function figuresOf(load: Load, runs: readonly Run[], server: Run['server']): Figures | undefined {
  const valid = runs.filter((run) => run.server === server && run.faults.length === 0);
  if (valid.length === 0) return undefined;
  const of = (figure: (run: Run) => number) => median(valid.map(figure));
  const many = load.streams >= fewestStreams;
  const memory = of(({ busyBytes, idleBytes }) => (busyBytes - idleBytes) / load.streams / bytesPerMB);
  const connection = of(({ connectCpuSeconds }) => (connectCpuSeconds * 1000) / load.streams);
  const checksums = valid.flatMap(({ checksumCpuSeconds: cost, mediaBytes }) =>
    cost === undefined ? [] : [cost / (mediaBytes / bytesPerGB)],
  );
  const steady = valid.map((run) => run.steadyCpuSecondsPerGB).filter((cost) => cost !== undefined);
  return {
    checksumSecondsPerGB: checksums.length > 0 ? median(checksums) : undefined,
    steadyCpuSecondsPerGB: steady.length > 0 ? median(steady) : undefined,
    cpuSecondsPerGB: of(({ cpuSeconds, mediaBytes }) => cpuSeconds / (mediaBytes / bytesPerGB)),
    memoryMBPerStream: many ? memory : undefined,
    cpuMsPerConnection: many ? connection : undefined,
  };
}

function quotient(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

function verdict(
  subject: Verdict['subject'],
  measured: number | undefined,
  target: number | undefined,
): Verdict | undefined {
  if (measured === undefined || target === undefined) return undefined;
  return { subject, measured, target, met: measured <= target };
}

function rowOf({ load, penstock, nginx, ratio, steadyRatio, verdicts }: Result): string[] {
  const number = (value: number | undefined) => value?.toFixed(2) ?? '–';
  const beside = (ours: number | undefined, theirs: number | undefined) =>
    ours === undefined && theirs === undefined ? '–' : `${number(ours)} (${number(theirs)})`;
  const [onRatio] = verdicts.filter(({ subject }) => subject === 'ratio');
  return [
    load.name,
    number(penstock?.cpuSecondsPerGB),
    number(nginx?.cpuSecondsPerGB),
    number(ratio),
    load.target === undefined ? '–' : `≤ ${load.target.toFixed(2)}`,
    onRatio === undefined ? '–' : verdictText(onRatio),
    number(steadyRatio),
    number(penstock?.checksumSecondsPerGB),
    beside(penstock?.memoryMBPerStream, nginx?.memoryMBPerStream),
    beside(penstock?.cpuMsPerConnection, nginx?.cpuMsPerConnection),
  ];
}
