// Binds the doctor: gathers what it needs to know of this installation, from a configuration that may be broken and
// a database that may not be there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { CertificateFiles } from './certificate-files/pair-reader.ts';
import { commandLog, configSource, print, program, reading } from './cli-ground.ts';
import { type Config, loadConfig } from './config.ts';
import type { Installation } from './doctor/doctor-cli.ts';
import type { AcmeSituation } from './doctor/installation-check.ts';
import { ApplianceError, SetupError } from './errors.ts';
import type { StreamKey } from './keys/key-rule.ts';
import { parseAddress, parseAddressBlock, blockContains } from './ops/address.ts';
import { systemClock } from './ops/clock.ts';
import { systemRandom } from './ops/random.ts';
import type { Store } from './store/store.ts';

export function addDoctorCommand(): void {
  reading(
    program
      .command('doctor [url]')
      .description('find out why encoders cannot publish: here, or at any URL such as rtmps://host/live'),
  )
    .option('--key-file <file>', 'a file with a stream key to try, or - for standard input')
    .action(async (url: string | undefined, options: { keyFile?: string }) => {
      const { runDoctor } = await import('./doctor/doctor-cli.ts');
      const { systemNetwork } = await import('./doctor/network.ts');
      const context = {
        network: systemNetwork,
        clock: systemClock,
        random: systemRandom,
        readStandardInput: () => text(process.stdin),
        installation: await installation(),
      };
      print(await runDoctor({ ...options, url }, context));
    });
}

async function installation(): Promise<Installation | SetupError> {
  try {
    return await describeInstallation(loadConfig(configSource()));
  } catch (error) {
    if (error instanceof SetupError) return error;
    throw error;
  }
}

async function describeInstallation(config: Config): Promise<Installation> {
  const { serverRuns } = await import('./store/server-lock.ts');
  const { openKeyStore } = await import('./keys/key-store.ts');
  const { openLiveSessionStore } = await import('./store/live-session-store.ts');
  const { certificate } = config.tls;
  const files = typeof certificate === 'string' ? [] : certificate;
  const problems = await Promise.all(files.map(problemWith));
  const keys = () => onStore(config, async (store) => openKeyStore(store).list());
  return {
    configFile: config.file,
    warnings: config.warnings,
    hosts: config.hosts,
    dataDir: config.dataDir,
    certsDir: config.certsDir,
    recordings: config.recorder.directory,
    minFreeSpace: config.recorder.minFreeSpace,
    listeners: config.listeners.map(({ address, accept }) => ({ ...address, accept })),
    certificateFiles: files.filter((_, index) => problems[index] === undefined).flatMap(pemFileOf),
    certificateProblems: problems.filter((problem) => problem !== undefined),
    acme: certificate === 'acme' ? await acmeSituation(config) : undefined,
    behindProxy: trustsLoopback(config.trustedProxies),
    clientCertificates: config.tls.clientAuth === 'required',
    running: serverRuns(config.dataDir),
    keys,
    liveWith: (id) =>
      onStore(config, async (store) => {
        const key = (await openKeyStore(store).list()).find((one: StreamKey) => one.id === id);
        const sessions = openLiveSessionStore({ store, clock: systemClock, log: commandLog() });
        return (await sessions.list()).find(({ stream }) => stream === key?.stream)?.stream;
      }),
  };
}

async function acmeSituation({ certsDir, acme }: Config): Promise<AcmeSituation> {
  const { AcmeStore } = await import('./acme/acme-store.ts');
  const parts = { clock: systemClock, random: systemRandom, log: commandLog() };
  const store = new AcmeStore(certsDir, acme.directoryUrl, parts);
  try {
    const issued = (await store.readCertificate('ecdsa')) !== undefined;
    return { issued, failure: (await store.readState()).lastError };
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error;
    return { issued: false, failure: { reason: error.message, hint: error.hint ?? '' } };
  }
}

/** Undefined when there is no database: the doctor makes none. */
async function onStore<T>(config: Config, work: (store: Store) => Promise<T>): Promise<T | undefined> {
  if (!existsSync(join(config.dataDir, 'penstock.sqlite'))) return undefined;
  const { openStore } = await import('./store/store.ts');
  const store = await openStore({ folder: config.dataDir, clock: systemClock, log: commandLog() });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function trustsLoopback(blocks: readonly string[]): boolean {
  const own = ['127.0.0.1', '::1'].flatMap((address) => parseAddress(address) ?? []);
  return blocks
    .flatMap((block) => parseAddressBlock(block) ?? [])
    .some((block) => own.some((address) => blockContains(block, address)));
}

/** What keeps the server from using the files; undefined for nothing. */
async function problemWith(
  files: CertificateFiles,
): Promise<{ readonly says: string; readonly hint: string } | undefined> {
  const { readPair } = await import('./certificate-files/pair-reader.ts');
  try {
    await readPair(files);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error;
    return { says: error.message, hint: error.hint ?? '' };
  }
}

/** What is in a .pfx file is seen at the door. */
function pemFileOf(files: { readonly cert: string } | { readonly pfx: string }): readonly string[] {
  return 'cert' in files ? [files.cert] : [];
}
