// The HTTP API on a real http.Server, over a real store and archive. Call it inside a test.
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Archive } from '../../src/archive/archive.ts';
import { CatalogueStore } from '../../src/archive/catalogue-store.ts';
import { createHttpHandler, type HttpHandlerParts } from '../../src/console/http-handler.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';
import { createToken } from '../../src/tokens/token-cli.ts';
import { openTokenGate } from '../../src/tokens/token-gate.ts';
import type { RecordingId, StreamName } from '../../src/ops/names.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { RecordedAudit } from './recorded-audit.ts';
import { RecordedLog } from './recorded-log.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What each recorded file holds. */
export const content = Buffer.from('FLV'.padEnd(5000, '.'));

export async function serveApi(overrides: Partial<HttpHandlerParts> = {}) {
  const folder = temporaryFolder();
  const clock = new FakeClock();
  const log = new RecordedLog();
  const store = await openStore({ folder, clock, log });
  const hasher = new SecretHasher(systemRandom.bytes(32));
  const audit = new RecordedAudit();
  const context = {
    audit,
    source: 'cli',
    store,
    hasher,
    random: systemRandom,
    clock,
    serverUrls: { rtmps: 'rtmps://ingest.example.com:1935' },
  };
  const recordings = join(folder, 'recordings');
  const archive = new Archive({
    folder: recordings,
    db: store.db,
    clock,
    random: systemRandom,
    log,
    minFreeSpace: 0,
  });
  const linkSecret = systemRandom.bytes(32);
  const handler = createHttpHandler({
    archive,
    streams: { list: () => Promise.resolve([]) },
    tokenGate: openTokenGate({ store, hasher, clock, audit }),
    keys: context,
    audit,
    linkSecret,
    ready: () => true,
    health: () => ({ recording: 'ok', certificate: 'development' }),
    metrics: () => Promise.resolve('penstock_test 1\n'),
    clock,
    log,
    ...overrides,
  });
  const admitted: string[] = [];
  const server = createServer((request, response) =>
    handler(request, response, {
      address: '203.0.113.9', // as a proxy told it
      admit: () => void admitted.push(request.url ?? ''),
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await store.close();
  });
  const { port } = server.address() as AddressInfo;

  const token = async (scope?: string, expires?: string) =>
    (await createToken({ scope, expires }, context)).json as { id: string; token: string };
  const ask = (
    path: string,
    options: { token?: string; method?: string; body?: unknown; headers?: object } = {},
  ) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined
        ? {}
        : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
    });
  /** Recordings one minute apart, of two streams in turn. */
  const record = async (count: number): Promise<string[]> => {
    const catalogue = new CatalogueStore(store.db);
    const ids: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const id = `${index}`.padStart(16, '0') as RecordingId;
      const path = `live/camera-${index % 2}/${id}.flv`;
      await catalogue.add({
        id,
        stream: `live/camera-${index % 2}` as StreamName,
        keyId: undefined,
        state: 'complete',
        startedAt: Date.UTC(2026, 0, 1, 0, Math.floor(index / 2)), // two at the same moment
        endedAt: undefined,
        durationMs: 1000,
        bytes: content.length,
        sha256: undefined,
        path,
      });
      mkdirSync(dirname(join(recordings, path)), { recursive: true });
      writeFileSync(join(recordings, path), content);
      ids.push(id);
    }
    return ids;
  };
  /** The raw bytes of an answer to raw bytes. */
  const raw = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.end(text);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return answer;
  };
  return {
    admitted,
    ask,
    raw,
    token,
    record,
    log,
    audit,
    context,
    clock,
  };
}

export type ServedApi = Awaited<ReturnType<typeof serveApi>>;

/** Resolves when so many requests were answered and logged. */
export const answered = async ({ log }: ServedApi, count: number): Promise<void> => {
  while (log.of('request.answered').length < count) await new Promise((resolve) => setImmediate(resolve));
};
