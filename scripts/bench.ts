// npm run bench: Penstock and Debian's nginx-rtmp in turn under the same loads, every recorded byte checked; CPU
// per GB, their ratio and memory per stream as a table and as JSON. docs/performance.md tells how to read it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Load, loads, quickLoads } from './bench-loads.ts';
import { missingPackage, nginxVersion } from './bench-nginx.ts';
import { remarksOn, type Result, resultOf, tableOf } from './bench-report.ts';
import { measure, type Run } from './bench-run.ts';
import type { ServerName } from './bench-server.ts';

const usage = `Usage: npm run bench -- [--quick] [--rounds N] [--only NAME]... [--json FILE] [--dir FOLDER] [--profile FOLDER]
Measures Penstock beside Debian's nginx with the rtmp module: CPU seconds per GB of media recorded, memory per
stream, CPU per connection. Every recorded byte is compared with what was sent; a run that lost one counts for
nothing. Loads:
  ${loads.map(({ name }) => name).join('\n  ')}

  --quick           a few seconds of every kind of load, to see that all of it works; says nothing about speed
  --rounds N        measure each load N times and take the median (default 3)
  --only NAME       only loads whose name contains NAME; may be repeated
  --json FILE       write all figures as JSON; - is standard output, and the table then goes to standard error
  --dir FOLDER      where to record to while measuring, up to 1.3 GB (default: ${tmpdir()})
  --profile FOLDER  write CPU profiles of Penstock there, one a run, for the developer tools of Chromium

Exit code: 0 every run was valid (whether or not the targets were met), 1 some run was not, 2 wrong usage.`;

const options = {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  only: { type: 'string', multiple: true },
  json: { type: 'string' },
  dir: { type: 'string', default: tmpdir() },
  profile: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface Plan {
  readonly loads: readonly Load[];
  readonly rounds: number;
  readonly profile: string | undefined;
}

process.exitCode = await main();

async function main(): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    return wrongUsage(error instanceof Error ? error.message : String(error));
  }
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const { quick, only = [], json, profile } = values;
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) return wrongUsage('--rounds takes a whole number from 1 on');
  const chosen = (quick ? quickLoads : loads).filter(
    ({ name }) => only.length === 0 || only.some((part) => name.includes(part)),
  );
  if (chosen.length === 0) return wrongUsage(`no load is called ${only.join(' or ')}`);

  const say = json === '-' ? console.error : console.log;
  const folder = mkdtempSync(join(resolve(values.dir), 'penstock-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

  const plan = { loads: chosen, rounds, profile: profile === undefined ? undefined : resolve(profile) };
  const results = await measureAll(plan, folder);
  say(`\n${tableOf(results)}`);
  for (const remark of remarksOn(results)) say(remark);
  if (quick) say('This was a smoke run: too short to say anything about speed.');
  const report = `${JSON.stringify({ date: new Date().toISOString(), quick, machine: machine(), results }, null, 2)}\n`;
  if (json === '-') process.stdout.write(report);
  else if (json !== undefined) writeFileSync(json, report);
  return results.every(({ runs }) => runs.length > 0 && runs.every(({ faults }) => faults.length === 0))
    ? 0
    : 1;
}

async function measureAll({ loads, rounds, profile }: Plan, folder: string): Promise<Result[]> {
  const certificate = makeCertificate(folder);
  const results: Result[] = [];
  for (const load of loads) {
    const runs: Run[] = [];
    // In turn, so that what else the machine does hits both alike.
    for (let round = 1; round <= rounds; round++) {
      for (const server of serversFor(load, round)) {
        const run = await measureOrFail({ server, load, folder, certificate, profile });
        runs.push(run);
        console.error(`${load.name} ${round}/${rounds} ${server}: ${lineOf(run)}`);
      }
    }
    results.push(resultOf(load, runs));
  }
  return results;
}

function serversFor({ name, door }: Load, round: number): readonly ServerName[] {
  const missing = missingPackage(door);
  if (missing === undefined) return ['penstock', 'nginx'];
  if (round === 1) console.error(`${name}: nginx is left out; to compare, run: apt-get install ${missing}`);
  return ['penstock'];
}

/** A server that does not start or hangs up makes the run invalid, not the benchmark fail. */
async function measureOrFail(options: Parameters<typeof measure>[0]): Promise<Run> {
  try {
    return await measure(options);
  } catch (error) {
    return {
      server: options.server,
      faults: [error instanceof Error ? error.message : String(error)],
      cpuSeconds: 0,
      mediaBytes: 0,
      steadyCpuSecondsPerGB: undefined,
      connectCpuSeconds: 0,
      idleBytes: 0,
      busyBytes: 0,
      sealSeconds: 0,
      checksumCpuSeconds: undefined,
      cipher: undefined,
      sent: undefined,
    };
  }
}

function lineOf({ faults, cpuSeconds, mediaBytes }: Run): string {
  if (faults[0] !== undefined) return `INVALID: ${faults[0]}`;
  const megabytes = Math.round(mediaBytes / 1e6);
  return `${cpuSeconds.toFixed(2)} CPU s for ${megabytes} MB, every byte recorded`;
}

/** One ECDSA P-256 certificate for both servers. */
function makeCertificate(folder: string): { cert: string; key: string } {
  const certificate = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=localhost';
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-keyout', certificate.key, '-out', certificate.cert];
  execFileSync('openssl', [...request.split(' '), ...names, ...files], { stdio: 'ignore' });
  return certificate;
}

/** What the figures depend on. */
function machine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim(),
    processors: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    nginx: nginxVersion(),
  };
}

function wrongUsage(reason: string): number {
  console.error(`bench: ${reason}\n\n${usage}`);
  return 2;
}
