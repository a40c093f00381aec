// Whether a bearer token may do something over HTTP (RFC 6750 3.1: 401 for a bad token, 403 for a scope it
// lacks). Asks the database each time, so a token revoked by any process is refused at once.
import type { Secret } from '../bytes/secret.ts';
import type { Clock } from '../ops/clock.ts';
import type { AuditLog } from '../store/audit-log.ts';
import type { Store } from '../store/store.ts';
import type { SecretHasher } from '../keys/secret-hasher.ts';
import { parseKey } from '../keys/stream-key-format.ts';
import { openTokenStore, type ApiToken, type Scope } from './token-store.ts';

type TokenRefusal =
  | 'token-missing'
  | 'not-a-token'
  | 'mistyped'
  | 'unknown-token'
  | 'wrong-secret'
  | 'revoked'
  | 'expired'
  | 'scope-missing';

type TokenVerdict =
  | { readonly granted: true; readonly tokenId: string }
  | {
      readonly granted: false;
      readonly status: 401 | 403;
      /** For the log; whoever has no valid token is told no more than the status. */
      readonly reason: TokenRefusal;
      /** When an existing token was named. */
      readonly tokenId?: string;
    };

export interface TokenGate {
  /**
   * `bearer` as in `Authorization: Bearer …`; `from` is the address that shows it, for the audit log. Throws
   * ResourceError STORE_FAILED.
   */
  check(bearer: Secret | undefined, scope: Scope, from?: string): Promise<TokenVerdict>;
}

export interface TokenGateOptions {
  readonly store: Store;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly audit: Pick<AuditLog, 'note'>;
}

/** The last-used mark is this coarse, so that a polling script costs no write for each request. */
const touchIntervalMs = 60_000;

export function openTokenGate({ store, hasher, clock, audit }: TokenGateOptions): TokenGate {
  const tokens = openTokenStore(store);
  const decide = async (bearer: Secret | undefined, scope: Scope): Promise<TokenVerdict> => {
    if (bearer === undefined) return { granted: false, status: 401, reason: 'token-missing' };
    const parsed = parseKey('ptk', bearer);
    if (typeof parsed === 'string') {
      return { granted: false, status: 401, reason: parsed === 'mistyped' ? parsed : 'not-a-token' };
    }
    const token = await tokens.find(parsed.id);
    const matches = hasher.matches(parsed.secret, token);
    if (token === undefined) return { granted: false, status: 401, reason: 'unknown-token' };

    const now = clock.now();
    const reason = matches ? objection(token, scope, now) : 'wrong-secret';
    if (reason !== undefined) {
      return { granted: false, status: reason === 'scope-missing' ? 403 : 401, reason, tokenId: token.id };
    }
    if (now - (token.lastUsedAt ?? -Infinity) >= touchIntervalMs) await tokens.touch(token.id, now);
    return { granted: true, tokenId: token.id };
  };
  return {
    check: async (bearer, scope, from = 'unknown') => {
      const verdict = await decide(bearer, scope);
      const { granted, tokenId: key } = verdict;
      // A browser that looks in without a token is no event.
      if (granted) audit.note({ action: 'token.used', source: from, key, detail: scope });
      else if (bearer !== undefined) {
        audit.note({ action: 'token.refused', source: from, key, detail: `${verdict.reason} (${scope})` });
      }
      return verdict;
    },
  };
}

function objection(token: ApiToken, scope: Scope, now: number): TokenRefusal | undefined {
  if (token.revokedAt !== undefined) return 'revoked';
  if (token.expiresAt !== undefined && now >= token.expiresAt) return 'expired';
  return token.scopes.some((held) => covers(held, scope)) ? undefined : 'scope-missing';
}

// Who may write may also read what was written.
function covers(held: Scope, wanted: Scope): boolean {
  return held === wanted || held.replace(/:write$/, ':read') === wanted;
}
