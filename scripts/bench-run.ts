// One measurement: a fresh server, one load, what it cost, and whether every byte was recorded. Everything that
// was written is deleted afterwards.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findFault } from './bench-check.ts';
import type { LoaderOrder, LoaderReport, Sent } from './bench-loader.ts';
import type { Load } from './bench-loads.ts';
import { median } from './bench-median.ts';
import { startNginx } from './bench-nginx.ts';
import { startPenstock } from './bench-penstock.ts';
import { type Usage, usageOf, writtenFilesBelow } from './bench-process.ts';
import type { BenchServer, ServerName, ServerOptions } from './bench-server.ts';

export interface Run {
  readonly server: ServerName;
  /** Why the run counts for nothing; empty when every byte was recorded. */
  readonly faults: readonly string[];
  /** Of the server, from before the first byte of media until the last file was sealed. */
  readonly cpuSeconds: number;
  /** Bytes of audio and video, without headers of any kind. */
  readonly mediaBytes: number;
  /** Of a paced load, CPU seconds per GB once it runs evenly: without the compiling and opening at the beginning and the sealing at the end. */
  readonly steadyCpuSecondsPerGB: number | undefined;
  /** Of the server, for all connections from before the first until the last published. */
  readonly connectCpuSeconds: number;
  /** Of the server, from then until every file has its checksum and is signed; undefined where nobody does that. */
  readonly checksumCpuSeconds: number | undefined;
  /** Resident memory of the server before the first connection, and with all streams publishing. */
  readonly idleBytes: number;
  readonly busyBytes: number;
  /** Seconds from the last byte sent until the last file was sealed. */
  readonly sealSeconds: number;
  /** Of TLS, as negotiated. */
  readonly cipher: string | undefined;
  readonly sent: Sent | undefined;
}

export interface RunOptions extends Pick<ServerOptions, 'certificate' | 'profile'> {
  readonly server: ServerName;
  readonly load: Load;
  /** The run makes a folder in it and removes it. */
  readonly folder: string;
}

const starters = { penstock: startPenstock, nginx: startNginx } as const;
const loaderFile = fileURLToPath(new URL('bench-loader.ts', import.meta.url));

/** Milliseconds for a fresh server to come to rest. */
const rest = 500;
/** Milliseconds between looks at the server, and at the files: checksums begin as soon as these are finished. */
const sampleTick = 250;
const fileTick = 10;
/** Milliseconds after the last byte in which files must be sealed. */
const longestSeal = 20_000;
/** Milliseconds in which checksums, made in the background, must be there. */
const longestSigning = 60_000;
/** Seconds after which a load runs evenly: all streams send, and the code they need is compiled. */
const settlingSeconds = 4;
/** Bytes waiting for a paced stream from which on the server was not keeping up. */
const mostWaiting = 2 * 1024 * 1024;

/** Throws when a server or the loader does not work at all. */
export async function measure(options: RunOptions): Promise<Run> {
  const folder = join(options.folder, `run-${options.server}`);
  mkdirSync(folder);
  try {
    const { certificate, profile, load } = options;
    const server = await starters[options.server]({ folder, certificate, profile, streams: load.streams });
    try {
      return await drive(options, server);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function drive({ server: name, load }: RunOptions, server: BenchServer): Promise<Run> {
  await sleep(rest);
  const idle = usageOf(server.pid);
  const loader = new Loader({
    port: server.ports[load.door],
    tls: load.door === 'rtmps',
    app: server.app,
    names: server.publishingNames,
    chunkSize: load.chunkSize,
    pace: load.pace,
  });
  try {
    const { cipher } = await loader.published();
    const before = usageOf(server.pid);
    const samples: Sample[] = [];
    const start = performance.now();
    const timer = setInterval(() => {
      samples.push({ seconds: (performance.now() - start) / 1000, ...usageOf(server.pid) });
    }, sampleTick);
    const sent = await loader.send().finally(() => clearInterval(timer));
    const sentAt = performance.now();
    const sealed = await filesSealed(server, load.streams);
    const after = usageOf(server.pid);
    const sealSeconds = (performance.now() - sentAt) / 1000;
    const signed = sealed && name === 'penstock' && (await filesSigned(server, load.streams));
    const checksumCpuSeconds = signed ? usageOf(server.pid).cpuSeconds - after.cpuSeconds : undefined;
    await server.stop(); // so that the check has the machine for itself
    return {
      server: name,
      faults: sealed
        ? findFaults(server, load, sent)
        : ['a recording is missing or still open long after the last byte'],
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      checksumCpuSeconds,
      mediaBytes: sent.bytes,
      steadyCpuSecondsPerGB: steadyCost(load, samples, sent.bytes),
      connectCpuSeconds: before.cpuSeconds - idle.cpuSeconds,
      idleBytes: idle.memoryBytes,
      busyBytes: median(samples.slice(samples.length / 2).map(({ memoryBytes }) => memoryBytes)),
      sealSeconds,
      cipher,
      sent,
    };
  } finally {
    loader.stop();
  }
}

interface Sample extends Usage {
  /** Since the loader was told to send. */
  readonly seconds: number;
}

/** CPU seconds per GB between settling and the end of the first stream; undefined when that is too short a time. */
export function steadyCost(load: Load, samples: readonly Sample[], mediaBytes: number): number | undefined {
  if (!('seconds' in load.pace)) return undefined;
  const end = load.pace.seconds;
  const even = samples.filter(({ seconds }) => seconds >= settlingSeconds && seconds <= end);
  const [first, last] = [even[0], even.at(-1)];
  if (first === undefined || last === undefined || last.seconds - first.seconds < settlingSeconds)
    return undefined;
  const gigabytes = (mediaBytes / end / 1e9) * (last.seconds - first.seconds);
  return (last.cpuSeconds - first.cpuSeconds) / gigabytes;
}

/** Resolves to whether, in time, every stream has its file and none is open any more. */
async function filesSealed({ pid, recordings }: BenchServer, streams: number): Promise<boolean> {
  const deadline = performance.now() + longestSeal;
  while (performance.now() < deadline) {
    const files = filesBelow(recordings);
    if (
      files.filter((file) => file.endsWith('.flv')).length >= streams &&
      !files.some((file) => file.endsWith('.part')) &&
      writtenFilesBelow(pid, recordings).length === 0
    ) {
      return true;
    }
    await sleep(fileTick);
  }
  return false;
}

/** Resolves to whether, in time, every recording is signed. */
async function filesSigned({ recordings }: BenchServer, streams: number): Promise<boolean> {
  const deadline = performance.now() + longestSigning;
  while (performance.now() < deadline) {
    if (filesBelow(recordings).filter((file) => file.endsWith('.manifest.sig')).length >= streams)
      return true;
    await sleep(fileTick);
  }
  return false;
}

function findFaults({ recordings }: BenchServer, load: Load, sent: Sent): string[] {
  const faults: string[] = [];
  const files = new Map<number, string[]>();
  for (const file of filesBelow(recordings).filter((name) => name.endsWith('.flv'))) {
    const stream = Number(/bench-(\d+)/.exec(file)?.[1]);
    files.set(stream, [...(files.get(stream) ?? []), file]);
  }
  for (let stream = 0; stream < load.streams; stream++) {
    const [file, ...more] = files.get(stream) ?? [];
    if (file === undefined) faults.push(`stream ${stream}: no file`);
    else if (more.length > 0) faults.push(`stream ${stream}: ${more.length + 1} files`);
    else {
      const fault = findFault(join(recordings, file), stream, sent.messages);
      if (fault !== undefined) faults.push(`stream ${stream}: ${fault}`);
    }
  }
  if (sent.mostWaiting > mostWaiting) faults.push(`${sent.mostWaiting} bytes waited for one stream`);
  return faults;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** The loader's process, as far as its reports go. */
class Loader {
  readonly #process: ChildProcess;

  constructor(order: LoaderOrder) {
    this.#process = fork(loaderFile, { execArgv: [] });
    this.#process.send(order);
  }

  async published(): Promise<Extract<LoaderReport, { type: 'published' }>> {
    const report = await this.#report();
    if (report.type !== 'published') throw new Error(`the loader ${report.type} too early`);
    return report;
  }

  async send(): Promise<Sent> {
    this.#process.send('send');
    const report = await this.#report();
    if (report.type !== 'sent') throw new Error('the loader published twice');
    return report.sent;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }

  async #report(): Promise<LoaderReport> {
    const ended = new AbortController();
    const [report] = (await Promise.race([
      once(this.#process, 'message', { signal: ended.signal }),
      once(this.#process, 'exit', { signal: ended.signal }).then(([code]) => {
        throw new Error(`the loader ended with ${code}`);
      }),
    ]).finally(() => ended.abort())) as [LoaderReport];
    if (report.type === 'failed') throw new Error(`the loader failed: ${report.reason}`);
    return report;
  }
}
