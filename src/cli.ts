// The command line: binds `penstock serve` here and `penstock NOUN VERB` in the cli-*.ts beside it, and turns
// errors into one line, a hint and an exit code: 0 done, 1 failed, 2 usage or configuration error.
// Rooms are imported by the verb that needs them, so that a small command starts fast.
import { hostname } from 'node:os';
import { CommanderError, Option } from 'commander';
import { addCertificateCommands } from './cli-certificates.ts';
import { addDoctorCommand } from './cli-doctor.ts';
import {
  commandLine,
  configSource,
  keyContext,
  print,
  program,
  reading,
  reportedFailure,
} from './cli-ground.ts';
import { addKeyCommands } from './cli-keys.ts';
import { addRecordingCommands, addStreamCommands } from './cli-recordings.ts';
import { loadConfig } from './config.ts';
import { ApplianceError, SetupError } from './errors.ts';
import { systemClock } from './ops/clock.ts';
import { openLog } from './ops/log.ts';
import { parseStreamName } from './ops/names.ts';
import { systemRandom } from './ops/random.ts';

/** Milliseconds after which a stop that hangs is cut short. */
const longestStop = 9_000;

program
  .command('serve')
  .description('run the appliance until SIGTERM or SIGINT')
  .addOption(
    new Option('--first-run-key <stream>', 'make and show a key for this stream when there is no key yet'),
  )
  .action(async (options: { firstRunKey?: string }) => serve(options.firstRunKey));

const configuration = program.command('config').description('the configuration');
reading(configuration.command('check').description('check it without starting')).action(async () =>
  print((await import('./config.ts')).checkConfig(configSource())),
);
reading(configuration.command('show').description('print what holds, as a configuration file')).action(
  async () => print((await import('./config.ts')).showConfig(configSource())),
);

addKeyCommands();
addStreamCommands();
addRecordingCommands();
addCertificateCommands();
addDoctorCommand();
process.exitCode = await run();

async function run(): Promise<number> {
  try {
    await program.parseAsync();
    return reportedFailure() ? 1 : 0;
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
      awaited: appliance.awaitsCertificate,
      command: commandLine(),
    });
    process.stdout.write(`${text}\n`);
  }
  await stopped.promise;
}
