// The whole appliance in this process: its own folders, listeners on port 0, keys made through the command
// line's verbs. Everything that it logged, at every level, is kept for the search for secrets.
import { join } from 'node:path';
import { renewTopic } from '../../src/acme/acme-source.ts';
import { buildAppliance, openArchive, openGround, type Appliance, type Ground } from '../../src/appliance.ts';
import { loadConfig, type Config } from '../../src/config.ts';
import type { RecordingEntry } from '../../src/archive/catalogue-store.ts';
import { createKey, type NewKeyArguments, rotateKey, setKeyState, showKey } from '../../src/keys/key-cli.ts';
import { createToken } from '../../src/tokens/token-cli.ts';
import type { Report } from '../../src/ops/report.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { openLog, silentLog } from '../../src/ops/log.ts';
import { kickStream, listStreams } from '../../src/session/stream-cli.ts';
import type { AuditEntry } from '../../src/store/audit-log.ts';
import { openLiveSessionStore } from '../../src/store/live-session-store.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface TestKey {
  readonly id: string;
  readonly stream: string;
  readonly key: string;
}

/** Everything that may be set for a test; as in penstock.yaml. */
export type TestSettings = Readonly<Record<string, unknown>>;

export class TestAppliance {
  readonly folder: string;
  readonly config: Config;
  readonly log: string[];
  /** Every secret that was made, for the search through log and folders. */
  readonly secrets: string[] = [];
  #ground!: Ground;
  #appliance!: Appliance;

  private constructor(folder: string, settings: TestSettings, log: string[]) {
    this.folder = folder;
    this.log = log;
    const env = {
      PENSTOCK_LISTENERS: JSON.stringify([
        { address: '127.0.0.1:0', accept: ['rtmp', 'rtmps', 'rtmpe', 'https'] },
      ]),
      PENSTOCK_CERTSDIR: join(folder, 'certs'),
      PENSTOCK_RECORDER__MINFREESPACE: '0',
      PENSTOCK_RECORDER__RECONNECTWINDOW: '0', // a recording is finished when its connection is
      PENSTOCK_LOG__LEVEL: 'debug',
      ...Object.fromEntries(
        Object.entries(settings).map(([name, value]) => [
          `PENSTOCK_${name.replaceAll('.', '__').toUpperCase()}`,
          typeof value === 'string' ? value : JSON.stringify(value),
        ]),
      ),
    };
    this.config = loadConfig({ env, cwd: folder, dataDir: join(folder, 'data') });
  }

  /** Settings by dotted names: `{ 'limits.idleTimeout': '1s' }`. */
  static async start(settings: TestSettings = {}, folder = temporaryFolder()): Promise<TestAppliance> {
    const appliance = new TestAppliance(folder, settings, []);
    await appliance.open();
    return appliance;
  }

  /** Opens the same folders again, as a restart would. */
  async open(): Promise<void> {
    const log = openLog({ level: 'debug', format: 'json', write: (line) => void this.log.push(line) });
    const parts = { clock: systemClock, random: systemRandom, log, machineName: 'test-machine' };
    this.#ground = await openGround(this.config, parts);
    this.#appliance = await buildAppliance(this.config, this.#ground, parts);
    await this.#appliance.start();
  }

  async stop(): Promise<void> {
    await this.#appliance.stop();
  }

  get port(): number {
    return this.ports[0] ?? 0;
  }

  get ports(): readonly number[] {
    return this.#appliance.ports;
  }

  get caFile(): string {
    return this.#appliance.caFile ?? '';
  }

  async createKey(stream: string, given: Partial<NewKeyArguments> = {}): Promise<TestKey> {
    const { json } = await createKey({ stream, ...given }, this.#context());
    const key = json as TestKey;
    this.secrets.push(key.key);
    return key;
  }

  async setKeyState(id: string, verb: 'disable' | 'enable' | 'revoke'): Promise<void> {
    await setKeyState(id, verb, this.#context());
  }

  async rotateKey(id: string, grace?: string): Promise<TestKey> {
    const { json } = await rotateKey(id, { grace }, this.#context());
    const key = json as TestKey;
    this.secrets.push(key.key);
    return key;
  }

  async showKey(id: string): Promise<Report> {
    return showKey(id, this.#context());
  }

  /** What `penstock audit list --since …` answers, once it has been written. */
  async audit(): Promise<readonly AuditEntry[]> {
    await new Promise((resolve) => setTimeout(resolve, 300)); // longer than a line waits to be written
    return this.#ground.audit.list({});
  }

  async kick(stream: string): Promise<void> {
    const { store } = this.#ground;
    const list = openLiveSessionStore({ store, clock: systemClock, log: silentLog });
    await kickStream(stream, list, store.changes);
  }

  /** What `penstock cert renew` asks of a running server. */
  async renewCertificates(): Promise<void> {
    await this.#ground.store.changes.change(async (_, announce) => announce(renewTopic, 'all'));
  }

  /** What `penstock stream list` answers. */
  async streams(): Promise<Report> {
    return listStreams(
      openLiveSessionStore({ store: this.#ground.store, clock: systemClock, log: silentLog }),
    );
  }

  async createToken(scope = 'recordings:read'): Promise<string> {
    const { json } = await createToken({ scope: [scope] }, this.#context());
    const { token } = json as { token: string };
    this.secrets.push(token);
    return token;
  }

  async recordings(): Promise<readonly RecordingEntry[]> {
    return (await this.#archive()).list();
  }

  /** The only recording of the stream, once it is finished. */
  async finishedRecording(stream: string): Promise<{ entry: RecordingEntry; path: string }> {
    const [entry] = await this.finishedRecordings(stream, 1);
    if (entry === undefined) throw new Error('unreachable');
    return { entry, path: (await this.#archive()).pathOf(entry) };
  }

  /** All recordings of the stream, once there are so many and none of them is being written any more. */
  async finishedRecordings(stream: string, count: number): Promise<readonly RecordingEntry[]> {
    return this.#recordingsOnce(
      stream,
      (entries) => entries.length === count && entries.every(({ state }) => state !== 'recording'),
    );
  }

  /** Resolves when so many milliseconds of the stream are safely written. */
  async recorded(stream: string, durationMs: number): Promise<void> {
    await this.#recordingsOnce(stream, (entries) => (entries.at(-1)?.durationMs ?? 0) >= durationMs);
  }

  // Other parts of this process are at work on what is waited for; they take as long as the machine makes them.
  async #recordingsOnce(
    stream: string,
    ready: (entries: readonly RecordingEntry[]) => boolean,
  ): Promise<readonly RecordingEntry[]> {
    for (let tries = 0; tries < 500; tries++) {
      const entries = (await this.recordings()).filter((one) => one.stream === stream);
      if (ready(entries)) return entries;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`waited in vain for recordings of ${stream}`);
  }

  logged(event: string): Record<string, unknown>[] {
    return this.log
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line['event'] === event);
  }

  #archive() {
    return openArchive(this.config, this.#ground, {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
  }

  #context() {
    const { store, hasher, audit } = this.#ground;
    const parts = { clock: systemClock, random: systemRandom, serverUrls: {} };
    return { ...parts, store, hasher, audit, source: 'cli' };
  }
}
