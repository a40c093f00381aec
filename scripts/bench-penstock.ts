// Penstock as an operator runs it: scripts/penstock serve, a configuration file, a key for each stream. Only what
// a load test needs differs from the defaults: more connections from one address, and clear-text RTMP beside
// RTMPS.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { openGround } from '../src/appliance.ts';
import { loadConfig } from '../src/config.ts';
import { createKey } from '../src/keys/key-cli.ts';
import { systemClock } from '../src/ops/clock.ts';
import { openLog } from '../src/ops/log.ts';
import { systemRandom } from '../src/ops/random.ts';
import { type BenchServer, freePorts, type ServerOptions, startServer } from './bench-server.ts';

const launcher = fileURLToPath(new URL('penstock', import.meta.url));

export async function startPenstock(options: ServerOptions): Promise<BenchServer> {
  const { folder, certificate, streams, profile } = options;
  const [rtmp = 0, rtmps = 0] = await freePorts(2);
  const file = join(folder, 'penstock.yaml');
  const settings = {
    dataDir: 'data',
    certsDir: 'certs',
    listeners: [
      { address: `127.0.0.1:${rtmp}`, accept: ['rtmp'] },
      { address: `127.0.0.1:${rtmps}`, accept: ['rtmps'] },
    ],
    tls: { certificate },
    recorder: { minFreeSpace: 0 },
    limits: { connectionsPerAddress: 10_000 },
    log: { level: 'info', format: 'json' },
  };
  writeFileSync(file, stringify(settings));
  const publishingNames = await makeKeys(file, streams);
  if (profile !== undefined) mkdirSync(profile, { recursive: true });
  const server = await startServer({
    command: launcher,
    args: ['serve', '--config', file],
    env: profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` },
    folder,
    ports: [rtmp, rtmps],
  });
  return {
    ...server,
    ports: { rtmp, rtmps },
    app: 'live',
    publishingNames,
    recordings: join(folder, 'data', 'recordings'),
  };
}

/** What `penstock key create live/bench-N` does, without a process for each. */
async function makeKeys(file: string, streams: number): Promise<string[]> {
  const log = openLog({ level: 'error', format: 'pretty', write: (line) => void process.stderr.write(line) });
  const parts = { clock: systemClock, random: systemRandom, log };
  const config = loadConfig({ file, env: {}, cwd: process.cwd() });
  const { store, hasher, audit } = await openGround(config, parts);
  try {
    const names: string[] = [];
    for (let stream = 0; stream < streams; stream++) {
      const context = { ...parts, store, hasher, audit, source: 'bench', serverUrls: {} };
      const { json } = await createKey({ stream: `live/bench-${stream}` }, context);
      names.push((json as { key: string }).key);
    }
    return names;
  } finally {
    await audit.close();
    await store.close();
  }
}
