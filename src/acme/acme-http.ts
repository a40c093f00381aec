// Requests to an ACME authority: every one that this program makes comes through here, is counted, and ends in
// bounded time and memory. acme-client would try again by itself, five times in a row; here a failure is a
// failure (AcmeFailure) and renewal-rule.ts says when to come back.
import { request as requestHttps } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { rootCertificates } from 'node:tls';
import type { Clock } from '../ops/clock.ts';
import { acmeLimits } from './acme-limits.ts';
import { AcmeFailure, type AcmeProblem } from './explain-problem.ts';

export interface AcmeHttpOptions {
  /** PEM of roots that are trusted beside the public ones. */
  readonly extraRoots?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface AcmeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** What the JSON says, or else the text. */
  readonly data: unknown;
}

const errorPrefix = 'urn:ietf:params:acme:error:'; // RFC 8555 6.7

export class AcmeHttp {
  readonly #options: AcmeHttpOptions;
  #sent = 0;
  #nonce: string | undefined;
  #retryAt: number | undefined;

  constructor(options: AcmeHttpOptions) {
    this.#options = options;
  }

  /** Requests so far. */
  get sent(): number {
    return this.#sent;
  }

  /** What the last answer asked for by Retry-After, milliseconds since the epoch. */
  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  /** @throws AcmeFailure for everything but an answer below 400 and a badNonce, which the client repeats */
  readonly request = async (
    url: string,
    method: string,
    options: { readonly data?: unknown } = {},
  ): Promise<AcmeResponse> => {
    if (method.toUpperCase() === 'HEAD' && this.#nonce !== undefined) {
      // RFC 8555 6.5: every answer to a POST brings the next nonce; asking for one would double the requests.
      const nonce = this.#nonce;
      this.#nonce = undefined;
      return { status: 200, headers: { 'replay-nonce': nonce }, data: '' };
    }
    const response = await this.#send(url, method.toUpperCase(), options.data);
    this.#nonce = response.headers['replay-nonce'];
    this.#retryAt = this.#retryAfter(response.headers['retry-after']);
    if (response.status < 400) return response;
    const problem = this.#problemOf(response);
    if (problem.type === 'badNonce') return response;
    throw new AcmeFailure(problem);
  };

  #send(url: string, method: string, data: unknown): Promise<AcmeResponse> {
    const { clock, signal, extraRoots } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<AcmeResponse>();
    this.#sent += 1;
    const body = data === undefined ? undefined : JSON.stringify(data);
    const request = requestHttps(url, {
      method,
      agent: false,
      signal,
      ...(extraRoots === undefined ? {} : { ca: [...rootCertificates, extraRoots] }),
      headers: {
        'User-Agent': 'penstock', // RFC 8555 6.1
        ...(body === undefined
          ? {}
          : { 'Content-Type': 'application/jose+json', 'Content-Length': Buffer.byteLength(body) }),
      },
    });
    const cancel = clock.after(acmeLimits.requestTime, () =>
      request.destroy(
        new AcmeFailure({ type: 'silent', detail: `no answer within ${acmeLimits.requestTime / 1000} s` }),
      ),
    );
    request.on('error', (error) => reject(failureOf(error, new URL(url).host)));
    request.on('close', () => {
      cancel();
      reject(new AcmeFailure({ type: 'silent', detail: 'the connection was closed without an answer' }));
    });
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      let size = 0;
      response.on('data', (piece: Buffer) => {
        size += piece.length;
        if (size <= acmeLimits.responseSize) pieces.push(piece);
        else
          request.destroy(new AcmeFailure({ type: 'unintelligible', detail: 'its answer is far too long' }));
      });
      response.on('error', (error) => reject(failureOf(error, new URL(url).host)));
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString('utf8');
        const headers = flatten(response.headers);
        try {
          resolve({ status: response.statusCode ?? 0, headers, data: parsed(text, headers['content-type']) });
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    request.end(body);
    return promise;
  }

  #problemOf({ status, headers, data }: AcmeResponse): AcmeProblem {
    const document = isBlock(data) ? data : {};
    const retryAt = this.#retryAfter(headers['retry-after']);
    const type = typeof document['type'] === 'string' ? document['type'] : '';
    const said = typeof document['detail'] === 'string' ? document['detail'] : '';
    const known = type.startsWith(errorPrefix) ? type.slice(errorPrefix.length) : undefined;
    return {
      type: status === 429 ? 'rateLimited' : status >= 500 ? 'failing' : (known ?? 'unintelligible'),
      detail: said === '' ? `HTTP ${status}` : said,
      status,
      ...(retryAt === undefined ? {} : { retryAt }),
    };
  }

  // RFC 9110 10.2.3: seconds, or a date.
  #retryAfter(header: string | undefined): number | undefined {
    if (header === undefined) return undefined;
    const now = this.#options.clock.now();
    const at = /^\d+$/.test(header.trim()) ? now + Number(header) * 1000 : Date.parse(header);
    return Number.isNaN(at) ? undefined : Math.min(at, now + acmeLimits.longestRetryAfter);
  }
}

/** A problem document inside another answer: of an authorization or order that became invalid. */
export function problemIn(data: unknown): AcmeProblem | undefined {
  if (!isBlock(data) || typeof data['type'] !== 'string') return undefined;
  const detail = typeof data['detail'] === 'string' ? data['detail'] : '';
  return { type: data['type'].replace(errorPrefix, ''), detail };
}

function failureOf(error: Error, host: string): AcmeFailure {
  if (error instanceof AcmeFailure) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const untrusted = /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME|ERR_TLS/.test(code);
  const detail = `${host}: ${error.message || code}`;
  return new AcmeFailure({ type: untrusted ? 'untrusted' : 'unreachable', detail }, error);
}

/** @throws AcmeFailure */
function parsed(text: string, contentType = ''): unknown {
  if (!/json/i.test(contentType)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AcmeFailure({ type: 'unintelligible', detail: 'its JSON is damaged' });
  }
}

function flatten(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
