// What every command needs: the program with its global options, the ground (database, secrets, audit log) that a
// verb stands on for as long as it runs, and how a report is printed. The verbs are bound in the other cli-*.ts.
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Ground } from './appliance.ts';
import type * as recordingVerbs from './archive/recording-cli.ts';
import { type Config, loadConfig } from './config.ts';
import { systemClock } from './ops/clock.ts';
import { type Log, openLog } from './ops/log.ts';
import { systemRandom } from './ops/random.ts';
import type { Report } from './ops/report.ts';

interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

export const program = new Command('penstock')
  .description('Secure ingest for live video: encoders in, stream keys checked, FLV recordings out.')
  .option('--config <file>', 'configuration file (default: $PENSTOCK_CONFIG, else ./penstock.yaml)')
  .option('--data-dir <folder>', 'data folder, in place of dataDir of the configuration')
  .version(version(), '--version', 'print the version')
  .showSuggestionAfterError()
  .exitOverride();

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** How the operator calls this program, with the options that find the same data. */
export function commandLine(): string {
  const { config, dataDir } = program.opts<GlobalOptions>();
  const options = [
    ...(config === undefined ? [] : ['--config', config]),
    ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
  ];
  return ['scripts/penstock', ...options].join(' ');
}

export function configSource() {
  const { config, dataDir } = program.opts<GlobalOptions>();
  return { file: config, dataDir, env: process.env, cwd: process.cwd() };
}

export function commandLog(): Log {
  return openLog({ level: 'warn', format: 'pretty', write: (line) => void process.stderr.write(line) });
}

/** Runs a verb on the store, whether or not a server runs, and prints its report. */
export async function onGround(verb: (ground: Ground, config: Config) => Promise<Report>): Promise<void> {
  process.umask(0o077);
  const config = loadConfig(configSource());
  const { openGround } = await import('./appliance.ts');
  const ground = await openGround(config, { clock: systemClock, random: systemRandom, log: commandLog() });
  try {
    print(await verb(ground, config));
  } finally {
    await ground.audit.close();
    await ground.store.close();
  }
}

type Archive = Awaited<ReturnType<typeof openTheArchive>>;
type RecordingVerbs = typeof recordingVerbs;

export async function onArchive(
  verb: (archive: Archive, verbs: RecordingVerbs, audit: Ground['audit']) => Promise<Report>,
): Promise<void> {
  await onGround(async (ground, config) =>
    verb(await openTheArchive(ground, config), await import('./archive/recording-cli.ts'), ground.audit),
  );
}

/** The archive of the configuration; it needs no server. */
export async function openTheArchive(ground: Ground, config: Config) {
  const { openArchive } = await import('./appliance.ts');
  return openArchive(config, ground, { clock: systemClock, random: systemRandom, log: commandLog() });
}

export async function keyContext({ store, hasher, audit }: Ground, config: Config, source = 'cli') {
  const { doorUrls, encoderUrls } = await import('./encoder-settings.ts');
  return {
    store,
    hasher,
    clock: systemClock,
    random: systemRandom,
    audit,
    source,
    serverUrls: encoderUrls(doorUrls(config)),
  };
}

export function tokenContext({ store, hasher, audit }: Ground) {
  return { store, hasher, audit, source: 'cli', clock: systemClock, random: systemRandom };
}

/** Every command that answers something can answer it to a script. */
export function reading(command: Command): Command {
  return command.option('--json', 'answer in JSON');
}

let bad = false;

/** Whether a report said that something failed. */
export function reportedFailure(): boolean {
  return bad;
}

export function print(report: Report): void {
  bad ||= report.failed === true;
  const json = jsonWanted(program) && report.json !== undefined;
  const text = json ? JSON.stringify(report.json, null, 2) : report.text;
  if (text !== '') process.stdout.write(`${text}\n`);
}

export async function writeOut(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

function jsonWanted(command: Command): boolean {
  return command.opts<GlobalOptions>().json === true || command.commands.some((inner) => jsonWanted(inner));
}

export function gather(value: string, before: string[] = []): string[] {
  return [...before, ...value.split(',')];
}
