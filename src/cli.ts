// The command line: binds `penstock NOUN VERB` to the verbs that live in the rooms, prints what they answer, and
// turns errors into one line, a hint and an exit code: 0 done, 1 failed, 2 usage or configuration error.
// Rooms are imported by the verb that needs them, so that a small command starts fast.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command, CommanderError, Option } from 'commander';
import type { Ground } from './appliance.ts';
import type * as recordingVerbs from './archive/recording-cli.ts';
import { type Config, loadConfig } from './config.ts';
import { ApplianceError, SetupError } from './errors.ts';
import { systemClock } from './ops/clock.ts';
import { type Log, openLog } from './ops/log.ts';
import { parseStreamName } from './ops/names.ts';
import { systemRandom } from './ops/random.ts';
import type { Report } from './ops/report.ts';

/** Milliseconds after which a stop that hangs is cut short. */
const longestStop = 9_000;

interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

const program = new Command('penstock')
  .description('Secure ingest for live video: encoders in, stream keys checked, FLV recordings out.')
  .option('--config <file>', 'configuration file (default: $PENSTOCK_CONFIG, else ./penstock.yaml)')
  .option('--data-dir <folder>', 'data folder, in place of dataDir of the configuration')
  .version(version(), '--version', 'print the version')
  .showSuggestionAfterError()
  .exitOverride();

program
  .command('serve')
  .description('run the appliance until SIGTERM or SIGINT')
  .addOption(
    new Option('--first-run-key <stream>', 'make and show a key for this stream when there is no key yet'),
  )
  .action(async (options: { firstRunKey?: string }) => serve(options.firstRunKey));

const key = program.command('key').description('stream keys');
reading(
  key
    .command('create <stream>')
    .description('make a key for a stream such as live/camera-1; it is shown once'),
)
  .option('--role <role>', 'publish or play', 'publish')
  .option('--expires <when>', 'a duration such as 30d, or an ISO date')
  .option('--not-before <date>', 'ISO date from which the key works')
  .option('--allow <cidr>', 'address or block that may use it; repeatable', gather)
  .option('--require <door>', 'any, or tls to refuse it outside TLS', 'any')
  .option('--max-bitrate <rate>', 'such as 12M')
  .option('--max-session <duration>', 'such as 8h')
  .option('--codecs <list>', 'the only codecs that may be sent, such as h264,aac', gather)
  .option('--note <text>', 'a note for people')
  .action(async (stream: string, options: KeyOptions) =>
    onGround(async (ground, config) => {
      const { createKey } = await import('./keys/key-cli.ts');
      return createKey({ ...options, stream }, await keyContext(ground, config));
    }),
  );
reading(key.command('list').description('all keys, without their secrets')).action(async () =>
  onGround(async (ground, config) =>
    (await import('./keys/key-cli.ts')).listKeys(await keyContext(ground, config)),
  ),
);
reading(key.command('show <id>').description('one key, without its secret')).action(async (id: string) =>
  onGround(async (ground, config) =>
    (await import('./keys/key-cli.ts')).showKey(id, await keyContext(ground, config)),
  ),
);
reading(key.command('rotate <id>').description('give a key a new secret; the old one works on for a while'))
  .option('--grace <duration>', 'how long the old secret works; 0 for not at all', '24h')
  .action(async (id: string, options: { grace: string }) =>
    onGround(async (ground, config) =>
      (await import('./keys/key-cli.ts')).rotateKey(id, options, await keyContext(ground, config)),
    ),
  );
for (const [verb, words] of [
  ['disable', 'stop a key until it is enabled again; its live session ends'],
  ['enable', 'let a disabled key work again'],
  ['revoke', 'end a key for good; its live session ends'],
] as const) {
  reading(key.command(`${verb} <id>`).description(words)).action(async (id: string) =>
    onGround(async (ground, config) =>
      (await import('./keys/key-cli.ts')).setKeyState(id, verb, await keyContext(ground, config)),
    ),
  );
}

const stream = program.command('stream').description('live streams');
reading(stream.command('list').description('what is being published now')).action(async () =>
  onGround(async (ground) => {
    const { openLiveSessionStore } = await import('./store/live-session-store.ts');
    const { listStreams } = await import('./session/stream-cli.ts');
    return listStreams(openLiveSessionStore({ store: ground.store, clock: systemClock, log: commandLog() }));
  }),
);
reading(stream.command('kick <stream>').description('end the session that publishes a stream')).action(
  async (name: string) =>
    onGround(async ({ store }) => {
      const { openLiveSessionStore } = await import('./store/live-session-store.ts');
      const { kickStream } = await import('./session/stream-cli.ts');
      const liveSessions = openLiveSessionStore({ store, clock: systemClock, log: commandLog() });
      return kickStream(name, liveSessions, store.changes);
    }),
);

const recording = program.command('recording').description('recordings');
reading(recording.command('list').description('all recordings, oldest first'))
  .option('--stream <stream>', 'of this stream only')
  .option('--since <when>', 'begun since this ISO date, or so long ago, such as 24h')
  .action(async (options: { stream?: string; since?: string }) =>
    onArchive(async (archive, verbs) => verbs.listRecordings(archive, options, systemClock.now())),
  );
reading(recording.command('show <id>').description('one recording')).action(async (id: string) =>
  onArchive(async (archive, verbs) => verbs.showRecording(archive, id)),
);
reading(
  recording.command('get <id>').description('copy a recording, also one in progress, out of the archive'),
)
  .option('-o, --output <file>', 'a new file, or - for standard output')
  .action(async (id: string, options: { output?: string }) =>
    onArchive(async (archive, verbs, audit) => {
      const report = await verbs.getRecording(archive, { ...options, id, writeOut });
      audit.note({ action: 'recording.downloaded', source: 'cli', detail: `recording ${id}` });
      return report;
    }),
  );
reading(recording.command('delete <id>').description('delete a finished recording, file and all')).action(
  async (id: string) =>
    onArchive(async (archive, verbs, audit) => {
      const report = await verbs.deleteRecording(archive, id);
      audit.note({ action: 'recording.deleted', source: 'cli', detail: `recording ${id}` });
      return report;
    }),
);

const token = program.command('token').description('tokens for the HTTP API');
reading(token.command('create').description('make a token; it is shown once'))
  .option(
    '--scope <scopes>',
    'comma-separated, such as recordings:read,keys:write (default: all that read)',
    gather,
  )
  .option('--expires <when>', 'a duration such as 90d, or an ISO date')
  .option('--note <text>', 'a note for people')
  .action(async (options: { scope?: string[]; expires?: string; note?: string }) =>
    onGround(async (ground) =>
      (await import('./keys/token-cli.ts')).createToken(options, tokenContext(ground)),
    ),
  );
reading(token.command('list').description('all tokens, without their secrets')).action(async () =>
  onGround(async (ground) => (await import('./keys/token-cli.ts')).listTokens(tokenContext(ground))),
);
reading(token.command('revoke <id>').description('end a token for good')).action(async (id: string) =>
  onGround(async (ground) => (await import('./keys/token-cli.ts')).revokeToken(id, tokenContext(ground))),
);

const audit = program.command('audit').description('who did what with keys, tokens and recordings');
reading(audit.command('list').description('the newest lines, or all since a moment'))
  .option('--since <when>', 'ISO date, or a duration before now such as 24h')
  .action(async (options: { since?: string }) =>
    onGround(async (ground) =>
      (await import('./store/audit-cli.ts')).listAudit(ground.audit, options, systemClock.now()),
    ),
  );
audit
  .command('export')
  .description('every line as JSON Lines on standard output')
  .action(async () =>
    onGround(async (ground) => (await import('./store/audit-cli.ts')).exportAudit(ground.audit, writeOut)),
  );

const configuration = program.command('config').description('the configuration');
reading(configuration.command('check').description('check it without starting')).action(async () =>
  print((await import('./config.ts')).checkConfig(configSource())),
);
reading(configuration.command('show').description('print what holds, as a configuration file')).action(
  async () => print((await import('./config.ts')).showConfig(configSource())),
);

process.exitCode = await run();

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

async function run(): Promise<number> {
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has spoken already
    return explain(error);
  }
}

function explain(error: unknown): number {
  if (!(error instanceof ApplianceError)) {
    const stack = error instanceof Error ? error.stack : String(error);
    process.stderr.write(`penstock: a bug of Penstock: ${stack}\n`);
    return 1;
  }
  process.stderr.write(`penstock: ${error.code}: ${error.message}\n`);
  if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`);
  return error instanceof SetupError && error.code !== 'NOT_FOUND' ? 2 : 1;
}

async function serve(firstRunKey: string | undefined): Promise<void> {
  const stream = firstRunKey === undefined ? undefined : parseStreamName(firstRunKey);
  if (firstRunKey !== undefined && stream === undefined) {
    throw new SetupError(
      'ARGUMENT_INVALID',
      `--first-run-key: ${JSON.stringify(firstRunKey)} is no stream name`,
      {
        hint: 'a stream is APP/NAME, as in live/camera-1',
      },
    );
  }
  process.umask(0o077);
  const config = loadConfig(configSource());
  const pretty = config.log.format === 'pretty' || (config.log.format === null && process.stderr.isTTY);
  const log = openLog({
    level: config.log.level,
    format: pretty ? 'pretty' : 'json',
    write: (line) => void process.stderr.write(line),
  });
  // One connection's bug must not end the others; it is logged as what it is.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.error('process.failed', { bug: true, stack: error instanceof Error ? error.stack : String(error) });
    });
  }
  const { buildAppliance, openGround } = await import('./appliance.ts');
  const parts = { clock: systemClock, random: systemRandom, log, machineName: hostname() };
  const ground = await openGround(config, parts);
  const appliance = await buildAppliance(config, ground, parts);
  const stopped = Promise.withResolvers<void>();
  const stop = (signal: string) => {
    log.info('stop.requested', { signal });
    setTimeout(() => {
      log.error('stop.hung', { bug: true });
      process.exit(1);
    }, longestStop).unref();
    appliance.stop().then(stopped.resolve, stopped.reject);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    await appliance.start();
  } catch (error) {
    await appliance.stop(); // what had started already would keep the process alive
    throw error;
  }
  if (stream !== undefined) {
    const { createFirstKey } = await import('./keys/key-cli.ts');
    const { welcomeText } = await import('./encoder-settings.ts');
    const text = welcomeText({
      urls: appliance.urls,
      stream,
      key: await createFirstKey(stream, await keyContext(ground, config, 'server')),
      recordings: config.recorder.directory,
      caFile: appliance.caFile,
      command: commandLine(),
    });
    process.stdout.write(`${text}\n`);
  }
  await stopped.promise;
}

/** How the operator calls this program, with the options that find the same data. */
function commandLine(): string {
  const { config, dataDir } = program.opts<GlobalOptions>();
  const options = [
    ...(config === undefined ? [] : ['--config', config]),
    ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
  ];
  return ['scripts/penstock', ...options].join(' ');
}

function configSource() {
  const { config, dataDir } = program.opts<GlobalOptions>();
  return { file: config, dataDir, env: process.env, cwd: process.cwd() };
}

function commandLog(): Log {
  return openLog({ level: 'warn', format: 'pretty', write: (line) => void process.stderr.write(line) });
}

/** Runs a verb on the store, whether or not a server runs, and prints its report. */
async function onGround(verb: (ground: Ground, config: Config) => Promise<Report>): Promise<void> {
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

async function onArchive(
  verb: (archive: Archive, verbs: RecordingVerbs, audit: Ground['audit']) => Promise<Report>,
): Promise<void> {
  await onGround(async (ground, config) =>
    verb(await openTheArchive(ground, config), await import('./archive/recording-cli.ts'), ground.audit),
  );
}

async function openTheArchive(ground: Ground, config: Config) {
  const { openArchive } = await import('./appliance.ts');
  return openArchive(config, ground, { clock: systemClock, random: systemRandom, log: commandLog() });
}

interface KeyOptions {
  readonly role: string;
  readonly expires?: string;
  readonly notBefore?: string;
  readonly allow?: string[];
  readonly require: string;
  readonly maxBitrate?: string;
  readonly maxSession?: string;
  readonly codecs?: string[];
  readonly note?: string;
}

async function keyContext({ store, hasher, audit }: Ground, config: Config, source = 'cli') {
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

function tokenContext({ store, hasher, audit }: Ground) {
  return { store, hasher, audit, source: 'cli', clock: systemClock, random: systemRandom };
}

/** Every command that answers something can answer it to a script. */
function reading(command: Command): Command {
  return command.option('--json', 'answer in JSON');
}

function print(report: Report): void {
  const json = jsonWanted(program) && report.json !== undefined;
  const text = json ? JSON.stringify(report.json, null, 2) : report.text;
  if (text !== '') process.stdout.write(`${text}\n`);
}

async function writeOut(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

function jsonWanted(command: Command): boolean {
  return command.opts<GlobalOptions>().json === true || command.commands.some((inner) => jsonWanted(inner));
}

function gather(value: string, before: string[] = []): string[] {
  return [...before, ...value.split(',')];
}
