// Who may use the API: asks the token gate about each request, and remembers whose request it was for the log.
import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import type { IncomingMessage } from 'node:http';
import { bearerOf } from '../download/bearer.ts';
import type { TokenGate } from '../tokens/token-gate.ts';
import type { Log } from '../ops/log.ts';
import { answerProblem, type ApiProblem } from './failure.ts';

type Scope = Parameters<TokenGate['check']>[1];

/** What the routes of the API are given beside the request: the raw request and response. */
export interface ApiEnv {
  Bindings: HttpBindings;
}

/** Who is at the other end, as the door knows it. */
export interface Guest {
  /** Behind trusted proxies the real one. */
  readonly address: string;
  /** The guest has shown something good and is no stranger any more, of whom there may be only so many. */
  admit(): void;
}

export class Access {
  readonly #gate: TokenGate;
  readonly #log: Log;
  readonly #tokenIds = new WeakMap<IncomingMessage, string>();
  readonly #guests = new WeakMap<IncomingMessage, Guest>();

  constructor(gate: TokenGate, log: Log) {
    this.#gate = gate;
    this.#log = log;
  }

  /** Call it first, for every request. */
  receive(request: IncomingMessage, guest: Guest): void {
    this.#guests.set(request, guest);
  }

  /** The guest has shown something good that is no token. */
  admit(request: IncomingMessage): void {
    this.#guests.get(request)?.admit();
  }

  addressOf(request: IncomingMessage): string | undefined {
    return this.#guests.get(request)?.address;
  }

  /** Lets a request to the API pass when its token has the scope. */
  need(scope: Scope): MiddlewareHandler<ApiEnv> {
    return async (context, next) => {
      const refusal = await this.refusal(context.env.incoming, scope);
      if (refusal !== undefined) return answerProblem(context, refusal);
      await next();
      return undefined;
    };
  }

  /** Undefined when the request may go on, else what to answer. Throws what the gate throws. */
  async refusal(request: IncomingMessage, scope: Scope): Promise<ApiProblem | undefined> {
    const bearer = bearerOf(request);
    const verdict = await this.#gate.check(bearer, scope, this.addressOf(request));
    if (verdict.tokenId !== undefined) this.#tokenIds.set(request, verdict.tokenId);
    if (verdict.granted) {
      this.admit(request);
      return undefined;
    }
    this.#log.warn('request.refused', {
      reason: verdict.reason,
      scope,
      token: verdict.tokenId,
      peer: this.addressOf(request),
    });
    // RFC 6750 3: no error code for a request that shows no token at all.
    const error =
      verdict.status === 403
        ? `, error="insufficient_scope", scope="${scope}"`
        : bearer === undefined
          ? ''
          : ', error="invalid_token"';
    return {
      status: verdict.status,
      detail:
        verdict.status === 403
          ? `The token lacks the scope ${scope}.`
          : 'A valid API token is needed: Authorization: Bearer ptk_… (penstock token create).',
      headers: { 'WWW-Authenticate': `Bearer realm="penstock"${error}` },
    };
  }

  /** Whose request it is, for the audit log. */
  sourceOf(request: IncomingMessage): string {
    return `token ${this.tokenIdOf(request) ?? 'unknown'}`;
  }

  /** The public id of the token that was shown; undefined before the gate was asked, or when none was found. */
  tokenIdOf(request: IncomingMessage): string | undefined {
    return this.#tokenIds.get(request);
  }
}
