// API tokens at rest, and what they may do. Kept like stream keys: a public id, a keyed hash, no way back.
import type { Selectable } from 'kysely';
import type { ApiTokenTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { HashedSecret } from '../keys/secret-hasher.ts';

export const scopes = [
  'keys:read',
  'keys:write',
  'streams:read',
  'streams:write',
  'recordings:read',
  'recordings:write',
  'tokens:read',
  'tokens:write',
  'metrics:read',
] as const;

export type Scope = (typeof scopes)[number];

export interface ApiToken extends HashedSecret {
  readonly id: string;
  readonly scopes: readonly Scope[];
  readonly note?: string | undefined;
  /** Times are milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt?: number | undefined;
  readonly revokedAt?: number | undefined;
  readonly lastUsedAt?: number | undefined;
}

/** Topic of the change feed; the subject is a token's id. */
const tokenTopic = 'token';

/** Every method throws ResourceError STORE_FAILED when the database does not answer. */
export interface TokenStore {
  create(token: ApiToken): Promise<void>;
  find(id: string): Promise<ApiToken | undefined>;
  /** The oldest first. */
  list(): Promise<readonly ApiToken[]>;
  /** Final; the time of the first revocation stays. Answers the token, or undefined when there is none. */
  revoke(id: string, at: number): Promise<ApiToken | undefined>;
  touch(id: string, at: number): Promise<void>;
}

export function openTokenStore({ db, changes }: Pick<Store, 'db' | 'changes'>): TokenStore {
  const find = async (id: string) => {
    const row = await db.selectFrom('api_tokens').selectAll().where('id', '=', id).executeTakeFirst();
    return row && fromRow(row);
  };
  return {
    find,
    create: (token) =>
      changes.change(async (transaction, announce) => {
        await transaction.insertInto('api_tokens').values(toRow(token)).execute();
        await announce(tokenTopic, token.id);
      }),
    list: async () => {
      const rows = await db
        .selectFrom('api_tokens')
        .selectAll()
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map(fromRow);
    },
    revoke: async (id, at) => {
      await changes.change(async (transaction, announce) => {
        const { numUpdatedRows } = await transaction
          .updateTable('api_tokens')
          .set({ revoked_at: at })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) await announce(tokenTopic, id);
      });
      return find(id);
    },
    touch: async (id, at) => {
      await db.updateTable('api_tokens').set({ last_used_at: at }).where('id', '=', id).execute();
    },
  };
}

function toRow(token: ApiToken): ApiTokenTable {
  return {
    id: token.id,
    digest: token.digest,
    pepper_version: token.pepperVersion,
    scopes: JSON.stringify(token.scopes),
    note: token.note ?? null,
    created_at: token.createdAt,
    expires_at: token.expiresAt ?? null,
    revoked_at: token.revokedAt ?? null,
    last_used_at: token.lastUsedAt ?? null,
  };
}

function fromRow(row: Selectable<ApiTokenTable>): ApiToken {
  const stored = JSON.parse(row.scopes) as readonly string[];
  return {
    id: row.id,
    digest: row.digest,
    pepperVersion: row.pepper_version,
    scopes: scopes.filter((scope) => stored.includes(scope)),
    note: row.note ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}
