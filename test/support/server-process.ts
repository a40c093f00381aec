// The appliance as users run it: scripts/penstock in a process of its own, found through its log, spoken to
// through its command line. It may be stopped, killed and started again on the same folders.
import { join } from 'node:path';
import type { TestKey, TestSettings } from './appliance.ts';
import { eventually } from './eventually.ts';
import { type Finished, RealProcess, runReal } from './real-process.ts';
import { fileURLToPath } from 'node:url';

const launcher = scriptPath('penstock');
/** Milliseconds in which a stop has to be over. */
const longestStop = 10_000;

export interface ServerOptions {
  /** Holds data and certificates; the server's working directory. */
  readonly folder: string;
  readonly settings?: TestSettings;
  /** What runs instead of `penstock --data-dir … serve`: a script of the project, and its arguments. */
  readonly script?: readonly [string, ...string[]];
}

export class ServerProcess {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Every secret that was made, for the search through log and folders. */
  readonly secrets: string[] = [];
  #options: ServerOptions;
  #process: RealProcess | undefined;
  /** What earlier processes said on stderr. */
  #past = '';

  constructor(options: ServerOptions) {
    this.#options = options;
    this.folder = options.folder;
    this.environment = environmentOf(options.folder, options.settings);
  }

  /** Resolves when the doors are open. */
  async start(): Promise<void> {
    this.launch();
    await this.event('appliance.started');
  }

  /** Starts the process without waiting for anything. */
  launch(): RealProcess {
    this.#past = this.log;
    const [script, ...args] = this.#options.script ?? [launcher, ...this.#dataDir, 'serve'];
    this.#process = new RealProcess(script, args, { cwd: this.folder, env: this.environment });
    return this.#process;
  }

  get process(): RealProcess {
    if (this.#process === undefined) throw new Error('the server was not started');
    return this.#process;
  }

  /** Everything that went to stderr, in the life before a restart too. */
  get log(): string {
    return this.#past + (this.#process?.stderr ?? '');
  }

  /** Real ports of the listeners, in their order. */
  get ports(): readonly number[] {
    const listeners = this.logged('appliance.started').at(-1)?.['listeners'];
    return (typeof listeners === 'string' ? listeners : '')
      .split(' ')
      .map((listener) => Number(listener.slice(listener.lastIndexOf(':') + 1)));
  }

  get port(): number {
    return this.ports[0] ?? 0;
  }

  get caFile(): string {
    return join(this.folder, 'certs/development/ca.pem');
  }

  /** Lines of the running process; those that are no JSON are left out. */
  logged(event: string): Record<string, unknown>[] {
    return (this.#process?.stderr ?? '').split('\n').flatMap((line) => {
      if (!line.startsWith('{') || !line.endsWith('}')) return [];
      const fields = JSON.parse(line) as Record<string, unknown>;
      return fields['event'] === event ? [fields] : [];
    });
  }

  /** The `count`th line of that event since the process started. */
  async event(event: string, count = 1): Promise<Record<string, unknown>> {
    return this.process.until(`${count} × ${event}`, () => this.logged(event)[count - 1]);
  }

  /** SIGTERM or SIGINT, and the end of it; killed when it takes too long. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    this.process.kill(signal);
    return this.process.finish(longestStop);
  }

  /** For the end of a test, whatever state it is in. */
  async discard(): Promise<void> {
    await this.#process?.discard();
  }

  /** `penstock …` with the settings and the data folder of this server. */
  async cli(...args: string[]): Promise<Finished> {
    return runReal(launcher, [...this.#dataDir, ...args], { cwd: this.folder, env: this.environment });
  }

  /** What a command answers with --json. */
  async json<Answer>(...args: string[]): Promise<Answer> {
    const { code, stdout, stderr } = await this.cli(...args, '--json');
    if (code !== 0) throw new Error(`penstock ${args.join(' ')}: exit code ${code}\n${stderr}`);
    return JSON.parse(stdout) as Answer;
  }

  async createKey(stream: string, ...options: string[]): Promise<TestKey> {
    const key = await this.json<TestKey>('key', 'create', stream, ...options);
    this.secrets.push(key.key);
    return key;
  }

  async createToken(scope: string, ...options: string[]): Promise<{ id: string; token: string }> {
    const token = await this.json<{ id: string; token: string }>(
      'token',
      'create',
      '--scope',
      scope,
      ...options,
    );
    this.secrets.push(token.token);
    return token;
  }

  async recordings(): Promise<readonly RecordingAnswer[]> {
    return this.json('recording', 'list');
  }

  /** All recordings, once none of them is being written or mended. */
  async settledRecordings(): Promise<readonly RecordingAnswer[]> {
    return eventually('no recording in the making', async () => {
      const all = await this.recordings();
      return all.every(({ state }) => state !== 'recording') ? all : undefined;
    });
  }

  /** All recordings of the stream, once there are so many and none of them is being written any more. */
  async finishedRecordings(stream: string, count: number): Promise<readonly RecordingAnswer[]> {
    return eventually(`${count} finished recordings of ${stream}`, async () => {
      const found = (await this.recordings()).filter((one) => one.stream === stream);
      return found.length === count && found.every(({ state }) => state !== 'recording') ? found : undefined;
    });
  }

  /** The recording in progress of a stream, once so many milliseconds of it are on disk. */
  async growingRecording(stream: string, milliseconds: number): Promise<RecordingAnswer> {
    return eventually(`${milliseconds} ms of ${stream}`, async () =>
      (await this.recordings()).find(
        (one) => one.stream === stream && one.state === 'recording' && (one.durationMs ?? 0) >= milliseconds,
      ),
    );
  }

  async finishedRecording(stream: string): Promise<RecordingAnswer> {
    const [recording] = await this.finishedRecordings(stream, 1);
    return recording!;
  }

  get #dataDir(): readonly string[] {
    return ['--data-dir', join(this.folder, 'data')];
  }
}

/** Absolute path of a script of the project. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));
}

/** As `recording list --json` answers. */
export interface RecordingAnswer {
  readonly id: string;
  readonly stream: string;
  readonly state: 'recording' | 'complete' | 'recovered';
  readonly startedAt: string;
  readonly durationMs: number | null;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly path: string;
  readonly keyId: string | null;
}

function environmentOf(folder: string, settings: TestSettings = {}): Record<string, string> {
  const all = {
    listeners: [{ address: '127.0.0.1:0', accept: ['rtmp', 'rtmps', 'rtmpe', 'https'] }],
    certsDir: join(folder, 'certs'),
    'recorder.minFreeSpace': '0',
    'recorder.reconnectWindow': '0', // a recording is finished when its connection is
    'log.level': 'debug',
    'log.format': 'json',
    ...settings,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [
      `PENSTOCK_${name.replaceAll('.', '__').toUpperCase()}`,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}
