// An ACME authority in this process, just real enough for our client: it checks no signature and issues whatever is
// asked for. It can be moved to fail in every way that matters; pebble (pebble.ts) is the real one.
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeIssuer, makeLeaf, type TestIssuer } from './certificate-files.ts';
import { temporaryFolder } from './temporary-folder.ts';

export type AuthorityMood = 'well' | 'hanging' | 'failing' | 'limiting' | 'refusing' | 'garbled';

const day = 86_400_000;

export class FakeAuthority {
  mood: AuthorityMood = 'well';
  /** What it answers to a POST of these paths once, before anything else: status and problem type. */
  readonly mishaps = new Map<string, { status: number; type: string }>();
  /** Milliseconds since the epoch. */
  now: () => number = Date.now;
  life = 90 * day;
  renewalWindow: { readonly start: number; readonly end: number } | undefined;
  /** The private key of the order: PEM. A real authority takes the public one out of the request. */
  keyOfOrder: () => Promise<string> = async () => '';
  /** What it certifies, if not what was ordered; and what it sends after the certificate. */
  otherNames: readonly string[] | undefined;
  restOfChain = '';
  readonly requests: { readonly path: string; readonly payload: unknown }[] = [];
  readonly caFile: string;
  readonly root: TestIssuer;
  /** Challenge type → calls when it is to be validated. */
  onValidation: (type: string) => void = () => undefined;
  readonly #server: Server;
  #names: readonly string[] = [];
  #identifiers: readonly { type: string; value: string }[] = [];
  #validated = false;
  #finalized = false;
  #base = '';
  #open = 0;
  #hung = 0;

  constructor() {
    this.root = makeIssuer('Fake authority', Date.now());
    const life = { notBefore: Date.now() - day, notAfter: Date.now() + day };
    const { pem, keyPem } = makeLeaf(this.root, ['127.0.0.1'], life);
    this.caFile = join(temporaryFolder(), 'ca.pem');
    writeFileSync(this.caFile, this.root.pem);
    this.#server = createServer({ cert: pem, key: keyPem }, (request, response) => {
      void this.#take(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#open += 1;
      socket.on('close', () => (this.#open -= 1));
    });
    onTestFinished(() => this.close());
  }

  static async open(): Promise<FakeAuthority> {
    const authority = new FakeAuthority();
    await once(authority.#server.listen(0, '127.0.0.1'), 'listening');
    authority.#base = `https://127.0.0.1:${(authority.#server.address() as AddressInfo).port}`;
    return authority;
  }

  get directoryUrl(): string {
    return `${this.#base}/dir`;
  }

  /** Whether it has answered everything, or will never. */
  get idle(): boolean {
    return this.#open === this.#hung;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  asked(path: string): readonly unknown[] {
    return this.requests.filter((one) => one.path.startsWith(path)).map(({ payload }) => payload);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const path = request.url ?? '';
    const payload = payloadOf(Buffer.concat(pieces).toString());
    this.requests.push({ path, payload });
    const mishap = this.mishaps.get(path);
    if (this.mood === 'hanging') {
      this.#hung += 1;
      response.on('close', () => (this.#hung -= 1));
      return;
    }
    if (this.mood === 'garbled') return void response.writeHead(200).end('<html>welcome</html>');
    if (this.mood === 'failing') return this.#problem(response, 503, 'serverInternal');
    if (this.mood === 'limiting')
      return this.#problem(response, 429, 'rateLimited', { 'Retry-After': '7200' });
    if (mishap !== undefined) {
      this.mishaps.delete(path);
      return this.#problem(response, mishap.status, mishap.type);
    }
    const answer = await this.#answer(path, payload);
    if (answer === undefined) return this.#problem(response, 404, 'malformed');
    const { location, body } = answer;
    response.writeHead(location === undefined ? 200 : 201, {
      'Replay-Nonce': `nonce-${this.requests.length}`,
      ...(typeof body === 'string' ? {} : { 'Content-Type': 'application/json' }),
      ...(location === undefined ? {} : { Location: location }),
    });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  async #answer(path: string, payload: unknown): Promise<{ location?: string; body: unknown } | undefined> {
    const base = this.#base;
    if (path === '/dir') {
      const names = ['newNonce', 'newAccount', 'newOrder', 'revokeCert', 'keyChange'];
      const urls = Object.fromEntries(names.map((name) => [name, `${base}/${name}`]));
      return { body: { ...urls, ...(this.renewalWindow && { renewalInfo: `${base}/renewalInfo` }) } };
    }
    if (path === '/newNonce') return { body: '' };
    if (path === '/newAccount') return { location: `${base}/account/1`, body: { status: 'valid' } };
    if (path === '/newOrder') {
      this.#identifiers = (payload as { identifiers: { type: string; value: string }[] }).identifiers;
      this.#names = this.#identifiers.map(({ value }) => value);
      [this.#validated, this.#finalized] = [false, false];
      return { location: `${base}/order/1`, body: this.#order() };
    }
    if (path === '/order/1') return { body: this.#order() };
    if (path.startsWith('/authz/')) return { body: this.#authorization(Number(path.slice(7))) };
    if (path.startsWith('/challenge/')) {
      this.onValidation(path.split('/')[2] ?? '');
      this.#validated = true;
      return { body: { status: 'processing' } };
    }
    if (path === '/finalize') {
      this.#finalized = true;
      return { body: this.#order() };
    }
    if (path === '/certificate') {
      const life = { notBefore: this.now() - 60_000, notAfter: this.now() + this.life };
      const serial = Uint8Array.of(1, this.requests.length >> 8, this.requests.length & 0xff);
      const { pem } = makeLeaf(
        this.root,
        this.otherNames ?? this.#names,
        life,
        await this.keyOfOrder(),
        serial,
      );
      return { body: pem + this.restOfChain };
    }
    if (path.startsWith('/renewalInfo/') && this.renewalWindow !== undefined) {
      const { start, end } = this.renewalWindow;
      const suggestedWindow = { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
      return { body: { suggestedWindow } };
    }
    return undefined;
  }

  #order(): object {
    const base = this.#base;
    return {
      status: this.#finalized ? 'valid' : this.#validated ? 'ready' : 'pending',
      identifiers: this.#identifiers,
      authorizations: this.#names.map((_, index) => `${base}/authz/${index}`),
      finalize: `${base}/finalize`,
      certificate: `${base}/certificate`,
    };
  }

  #authorization(index: number): object {
    const bad = this.mood === 'refusing' && this.#validated;
    const status = bad ? 'invalid' : this.#validated ? 'valid' : 'pending';
    const error = { type: 'urn:ietf:params:acme:error:connection', detail: 'Connection refused' };
    const identifier = this.#identifiers[index] ?? { type: 'dns', value: '' };
    return {
      status,
      identifier: { ...identifier, value: identifier.value.replace('*.', '') },
      challenges: ['tls-alpn-01', 'http-01', 'dns-01'].map((type) => ({
        type,
        status,
        token: `token-${index}`,
        url: `${this.#base}/challenge/${type}/${index}`,
        ...(bad ? { error } : {}),
      })),
    };
  }

  #problem(
    response: ServerResponse,
    status: number,
    type: string,
    headers: Record<string, string> = {},
  ): void {
    response.writeHead(status, {
      'Content-Type': 'application/problem+json',
      'Replay-Nonce': `nonce-${this.requests.length}`,
      ...headers,
    });
    response.end(
      JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: `because of ${type}` }),
    );
  }
}

function payloadOf(body: string): unknown {
  if (body === '') return undefined;
  const { payload } = JSON.parse(body) as { payload: string };
  return payload === '' ? '' : JSON.parse(Buffer.from(payload, 'base64url').toString());
}
