// The verb `penstock doctor`: with a URL examines that server, whoever's it is; without one this installation and its
// own URLs. A key is read from a file or standard input, never from the command line.
import { readFile } from 'node:fs/promises';
import { Secret } from '../bytes/secret.ts';
import { SetupError } from '../errors.ts';
import type { StreamKey } from '../keys/key-rule.ts';
import { isKeyId } from '../keys/stream-key-format.ts';
import type { Clock } from '../ops/clock.ts';
import { safeText } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import type { Report } from '../ops/report.ts';
import { type Examination, type Finding, isHealthy, notTried } from './finding.ts';
import {
  type AcmeSituation,
  checkAcme,
  checkCertificateFile,
  checkClock,
  checkFolder,
  checkKeys,
  checkListener,
  checkSpace,
  readDevelopmentAuthority,
} from './installation-check.ts';
import { codeOf, type Network } from './network.ts';
import { checkName } from './reach-check.ts';
import { parseStreamUrl, schemes, type StreamUrl, streamUrl } from './stream-url.ts';
import { examineUrl } from './url-examination.ts';

/** What the configuration says of this installation, and how to ask its database. */
export interface Installation {
  /** Undefined when the defaults hold. */
  readonly configFile: string | undefined;
  readonly warnings: readonly string[];
  readonly hosts: readonly string[];
  readonly dataDir: string;
  readonly certsDir: string;
  readonly recordings: string;
  /** Bytes. */
  readonly minFreeSpace: number;
  readonly listeners: readonly {
    readonly host: string;
    readonly port: number;
    readonly accept: readonly string[];
  }[];
  /** PEM files of the operator's certificates; empty for those that the server makes or gets itself. */
  readonly certificateFiles: readonly string[];
  /** What the server would say of the operator's files that it cannot use. */
  readonly certificateProblems?: readonly { readonly says: string; readonly hint: string }[];
  /** With tls.certificate: acme. */
  readonly acme?: AcmeSituation | undefined;
  /** Connections from this machine have to begin with a PROXY header. */
  readonly behindProxy: boolean;
  /** TLS listeners demand a client certificate, and the doctor has none to show. */
  readonly clientCertificates: boolean;
  /** The server of this data folder is up. */
  readonly running: boolean;
  /** Undefined when there is no database yet. */
  readonly keys: () => Promise<readonly StreamKey[] | undefined>;
  /** The stream of this key, if it is being published now. */
  readonly liveWith: (keyId: string) => Promise<string | undefined>;
}

export interface DoctorContext {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly readStandardInput: () => Promise<string>;
  /** An error when the configuration cannot be used. */
  readonly installation: Installation | SetupError;
}

export interface DoctorArguments {
  readonly url?: string | undefined;
  /** A file with a stream key, or `-`. */
  readonly keyFile?: string | undefined;
}

/** `failed` in the Report: a step failed. Throws SetupError ARGUMENT_INVALID for a URL or a key that is none. */
export async function runDoctor(given: DoctorArguments, context: DoctorContext): Promise<Report> {
  const url = given.url === undefined ? undefined : parseStreamUrl(given.url);
  const key = given.keyFile === undefined ? undefined : await readKey(given.keyFile, context);
  const { installation } = context;
  const known = installation instanceof SetupError ? undefined : installation;
  const attempt = await attemptWith(key, known);
  const authority = known && (await readDevelopmentAuthority(known.certsDir));
  const development = authority && { ...authority, awaited: known?.acme?.issued === false };
  const parts = { ...context, development };
  if (url !== undefined) return report([await examineUrl(url, { ...parts, ...attempt })]);
  const examinations = [await examineInstallation(context)];
  if (known?.running === true && !known.behindProxy) {
    let now = attempt;
    for (const one of ownUrls(known)) {
      examinations.push(await examineUrl(one.url, { ...parts, ...now, address: one.address }));
      if (now.key !== undefined) now = { key: undefined, keyUntried: 'the key was tried above' };
    }
  }
  return report(examinations);
}

async function examineInstallation(context: DoctorContext): Promise<Examination> {
  const { installation, network, clock } = context;
  const subject = 'this installation';
  if (installation instanceof SetupError) {
    const { message, hint } = installation;
    const failed: Finding = { check: 'configuration', state: 'failed', says: message, ...(hint && { hint }) };
    const later = ['data-folder', 'recordings', 'space', 'clock', 'certificate', 'keys', 'listener', 'name'];
    return { subject, findings: [failed, ...notTried(later, 'the configuration cannot be used')] };
  }
  const { configFile, warnings, dataDir, recordings, minFreeSpace, hosts, running } = installation;
  const says = configFile === undefined ? 'the defaults hold; there is no file' : `${configFile} is valid`;
  const findings: Finding[] = [
    { check: 'configuration', state: 'ok', says },
    ...warnings.map((warning): Finding => ({ check: 'configuration', state: 'warning', says: warning })),
    await checkFolder('data-folder', dataDir),
    await checkFolder('recordings', recordings),
    await checkSpace(recordings, minFreeSpace),
    await checkClock(clock, dataDir),
  ];
  for (const file of installation.certificateFiles) {
    findings.push(...(await checkCertificateFile(file, hosts, clock.now())));
  }
  for (const problem of installation.certificateProblems ?? [])
    findings.push({ check: 'certificate', state: 'failed', ...problem });
  if (installation.acme !== undefined) findings.push(checkAcme(installation.acme));
  findings.push(await keysOf(installation, clock.now()));
  for (const listener of installation.listeners) {
    findings.push(await checkListener(listener, running, network));
  }
  for (const host of hosts.filter(isName)) findings.push((await checkName(host, true, context)).finding);
  if (!running) findings.push(...notTried(['urls'], 'the server is not running'));
  else if (installation.behindProxy) {
    const why = 'connections from this machine must begin with a PROXY header (trustedProxies)';
    findings.push(...notTried(['urls'], why));
  } else if (installation.clientCertificates) {
    const why = 'the listeners want a client certificate (tls.clientAuth: required), and the doctor has none';
    findings.push(...notTried(['tls-urls'], why));
  }
  return { subject, findings };
}

async function keysOf(installation: Installation, now: number): Promise<Finding> {
  try {
    return checkKeys((await installation.keys()) ?? [], now);
  } catch (error) {
    const says = `the database cannot be read (${error instanceof Error ? error.message : codeOf(error)})`;
    const hint =
      error instanceof SetupError ? error.hint : 'see what is wrong with the volume of the data folder';
    return { check: 'keys', state: 'failed', says, ...(hint && { hint }) };
  }
}

/** The doors of each listener under the first public name, and TLS under each of the others. */
function ownUrls(
  installation: Installation,
): readonly { readonly url: StreamUrl; readonly address: string }[] {
  const [first = 'localhost', ...others] = installation.hosts.filter(isName);
  return installation.listeners.flatMap(({ host, port, accept }) => {
    const doors = schemes.filter((scheme) => port !== 0 && accept.includes(scheme));
    const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
    const names = doors.map((door) => [door, first] as const);
    const secured = doors.find((door) => door === 'rtmps' || door === 'rtmpts');
    const more = secured === undefined ? [] : others.map((name) => [secured, name] as const);
    return [...names, ...more]
      .map(([door, name]) => ({ url: streamUrl(door, name, port, 'live'), address }))
      .filter(({ url }) => !(url.tls && installation.clientCertificates));
  });
}

/** A wildcard is only for the certificate: nobody can connect to it. */
function isName(host: string): boolean {
  return !host.startsWith('*.');
}

interface Attempt {
  readonly key: Secret | undefined;
  readonly keyUntried: string;
}

/** A key that is live here is not tried: whoever publishes with the same key takes the stream over. */
async function attemptWith(
  key: Secret | undefined,
  installation: Installation | undefined,
): Promise<Attempt> {
  const keyUntried = 'no key was given; give one with --key-file FILE, or - for standard input';
  if (key === undefined || installation === undefined) return { key, keyUntried };
  const id = /psk_([0-9a-z]+)_/.exec(key.reveal())?.[1] ?? '';
  const stream = isKeyId(id) ? await installation.liveWith(id).catch(() => undefined) : undefined;
  return stream === undefined
    ? { key, keyUntried }
    : { key: undefined, keyUntried: `${stream} is on the air, and a try could take it over` };
}

async function readKey(file: string, { readStandardInput }: DoctorContext): Promise<Secret> {
  let text: string;
  try {
    text = (file === '-' ? await readStandardInput() : await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new SetupError('ARGUMENT_INVALID', `--key-file: the file cannot be read (${codeOf(error)}).`, {
      hint: 'Give the path of a file with nothing but the stream key in it, or - for standard input.',
    });
  }
  // The text stays out of the message: most of it may be a key.
  if (text !== '' && text.length <= longestKey && !/\s/.test(text)) return new Secret(text);
  throw new SetupError('ARGUMENT_INVALID', '--key-file: this is no stream key.', {
    hint: 'The file holds the stream key on one line, and nothing else.',
  });
}

const longestKey = 500;
const shownStates = { ok: 'ok', warning: 'WARNING', failed: 'FAILED', 'not-tried': 'not tried' } as const;

function report(examinations: readonly Examination[]): Report {
  const healthy = isHealthy(examinations);
  const told = new Set<string>();
  const all = examinations.flatMap(({ findings }) => findings);
  const count = (state: Finding['state']) => all.filter((one) => one.state === state).length;
  const [failed, warned] = [count('failed'), count('warning')];
  const summary = healthy
    ? `Nothing failed${warned === 0 ? '' : `; ${warned} to look at`}.`
    : `${failed} failed${warned === 0 ? '' : `, ${warned} to look at`}.`;
  return {
    json: {
      ok: healthy,
      examinations: examinations.map(({ subject, findings }) => ({
        subject,
        findings: findings.map((finding) => ({ ...finding, says: safeText(finding.says) })),
      })),
    },
    text: [...examinations.map((one) => examinationText(one, told)), summary].join('\n\n'),
    failed: !healthy,
  };
}

/** What was explained once is not explained again; steps that were not tried for one reason share a line. */
function examinationText({ subject, findings }: Examination, told: Set<string>): string {
  const shown: Finding[] = [];
  for (const finding of findings) {
    const last = shown.at(-1);
    if (finding.state === 'not-tried' && last?.state === 'not-tried' && last.says === finding.says) {
      shown[shown.length - 1] = { ...last, check: `${last.check}, ${finding.check}` };
    } else shown.push(finding);
  }
  const width = Math.max(
    ...shown.filter(({ state }) => state !== 'not-tried').map(({ check }) => check.length),
  );
  const lines = shown.flatMap(({ check, state, says, encoders, hint }) => {
    const line = `  ${shownStates[state].padEnd(9)}  ${check.padEnd(width)}  ${safeText(says)}`;
    const name = `${check} ${state} ${hint}`;
    if (hint === undefined || told.has(name)) return [line];
    told.add(name);
    const words =
      encoders === undefined
        ? []
        : [detail('OBS says', encoders.obs), detail('ffmpeg says', encoders.ffmpeg)];
    return [line, ...words, detail('what to do', safeText(hint))];
  });
  return [safeText(subject), ...lines].join('\n');
}

function detail(label: string, words: string): string {
  return `${' '.repeat(13)}${label.padEnd(11)}  ${words}`;
}
