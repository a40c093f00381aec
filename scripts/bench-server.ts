// A server under test as a process: started in a folder of its own, waited for, stopped. How either one is
// configured is in bench-penstock.ts and bench-nginx.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load } from './bench-loads.ts';
import { processTree } from './bench-process.ts';

export interface ServerOptions {
  /** Empty, for this run alone. */
  readonly folder: string;
  /** PEM files. */
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly streams: number;
  /** Where to write a CPU profile, if the server can. */
  readonly profile: string | undefined;
}

export interface BenchServer {
  readonly pid: number;
  readonly ports: Readonly<Record<Load['door'], number>>;
  readonly app: string;
  /** What to publish as, for each stream; stream N is recorded under a name that holds `bench-N`. */
  readonly publishingNames: readonly string[];
  /** Every recording ends up below. */
  readonly recordings: string;
  /** Idempotent; resolves when no process is left. */
  stop(): Promise<void>;
}

export type ServerName = 'penstock' | 'nginx';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Open when the server is ready. */
  readonly ports: readonly number[];
}

/** Milliseconds a server may take to open its ports, and to stop. */
const longestStart = 20_000;
const longestStop = 10_000;

const running = new Set<ChildProcess>();
// Whatever ends the benchmark ends its servers.
process.on('exit', () => running.forEach(killTree));

export async function startServer(options: ServerCommand): Promise<Pick<BenchServer, 'pid' | 'stop'>> {
  const { command, args, env, folder, ports } = options;
  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...ownEnvironment(), ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
    child.once('error', () => {
      running.delete(child);
      resolve();
    });
  });
  const stop = async () => {
    if (!running.has(child)) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => killTree(child), longestStop);
    await ended;
    clearTimeout(timer);
  };
  try {
    await Promise.race([
      openPorts(ports),
      ended.then(() => {
        throw new Error(`${command} ended at once:\n${lastLines(logFile)}`);
      }),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  if (child.pid === undefined) throw new Error(`${command} has no process`);
  return { pid: child.pid, stop };
}

/** Ports that nobody used a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(async (server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(async (server) => once(server.close(), 'close')));
  return ports;
}

/** Without what would lead the server to somebody's real configuration and data. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^PENSTOCK_/i.test(name)));
}

async function openPorts(ports: readonly number[]): Promise<void> {
  const deadline = Date.now() + longestStart;
  for (const port of ports) {
    while (!(await isOpen(port))) {
      if (Date.now() > deadline) throw new Error(`port ${port} does not open`);
      await sleep(50);
    }
  }
}

async function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  for (const pid of processTree(child.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
}
