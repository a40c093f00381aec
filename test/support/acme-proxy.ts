// Stands in front of pebble and adds what that lacks: renewal information, profiles, and the bad days of an
// authority. Everything that passes is noted.
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { Pebble } from './pebble.ts';

export interface Passed {
  readonly method: string;
  readonly path: string;
  /** What the signed request says; undefined for a GET. */
  readonly payload: Record<string, unknown> | undefined;
}

export type Mood = 'well' | 'hanging' | 'failing' | 'limiting';

export class AcmeProxy {
  mood: Mood = 'well';
  /** Seconds, when it is limiting. */
  retryAfter = 3600;
  /** What renewalInfo suggests; undefined: the directory has none. */
  window: { readonly start: number; readonly end: number } | undefined;
  profiles: readonly string[] = [];
  readonly passed: Passed[] = [];
  readonly #pebble: Pebble;
  readonly #server: Server;
  readonly #agent: Agent;

  private constructor(pebble: Pebble) {
    this.#pebble = pebble;
    this.#agent = new Agent({ ca: readFileSync(pebble.caFile) });
    const { cert, key } = pebble.files;
    this.#server = createServer(
      { cert: readFileSync(cert), key: readFileSync(key) },
      (incoming, outgoing) => {
        void this.#take(incoming, outgoing);
      },
    );
  }

  static async start(pebble: Pebble): Promise<AcmeProxy> {
    const proxy = new AcmeProxy(pebble);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get directoryUrl(): string {
    return `https://127.0.0.1:${this.#port}/dir`;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What was asked of a path that begins so. */
  asked(path: string): Passed[] {
    return this.passed.filter((one) => one.path.startsWith(path));
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const path = incoming.url ?? '/';
    this.passed.push({ method: incoming.method ?? '', path, payload: payloadOf(body) });
    if (this.mood === 'hanging') return;
    if (this.mood === 'failing') return void outgoing.writeHead(500).end('out of order');
    if (this.mood === 'limiting') {
      const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many new orders' };
      const headers = {
        'Content-Type': 'application/problem+json',
        'Retry-After': String(this.retryAfter),
      };
      return void outgoing.writeHead(429, headers).end(JSON.stringify(problem));
    }
    if (path.startsWith('/renewal-info/') && this.window !== undefined) {
      const { start, end } = this.window;
      const suggestedWindow = { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
      const headers = { 'Content-Type': 'application/json', 'Retry-After': '21600' };
      return void outgoing.writeHead(200, headers).end(JSON.stringify({ suggestedWindow }));
    }
    this.#forward(incoming, body, outgoing);
  }

  #forward(incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): void {
    const { method, headers, url } = incoming;
    // With the host that was asked, pebble names the proxy in every address it gives out.
    const options = { method, headers, agent: this.#agent, servername: 'localhost' };
    const passing = request(`https://127.0.0.1:${this.#pebble.port}${url}`, options, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const { 'content-length': _length, ...rest } = response.headers;
        const answer = Buffer.concat(pieces);
        outgoing.writeHead(response.statusCode ?? 500, rest);
        outgoing.end(url === '/dir' ? this.#extend(answer.toString()) : answer);
      });
    });
    passing.on('error', () => outgoing.destroy());
    passing.end(body);
  }

  #extend(directory: string): string {
    const found = JSON.parse(directory) as { meta: Record<string, unknown> };
    const profiles = Object.fromEntries(this.profiles.map((name) => [name, `about ${name}`]));
    return JSON.stringify({
      ...found,
      ...(this.window && { renewalInfo: `https://127.0.0.1:${this.#port}/renewal-info` }),
      meta: { ...found.meta, ...(this.profiles.length > 0 && { profiles }) },
    });
  }
}

function payloadOf(body: Buffer): Record<string, unknown> | undefined {
  if (body.length === 0) return undefined;
  const { payload } = JSON.parse(body.toString()) as { payload: string };
  return payload === ''
    ? {}
    : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>);
}
