// Stream keys at rest. Every change is announced on the topic `key` with the key's id, so that a running gate
// follows; marks of use are not, as they decide nothing.
import { sql, type Selectable } from 'kysely';
import { formatAddressBlock, parseAddressBlock, type AddressBlock } from '../ops/address.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import type { StreamKeyTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { KeySecret, KeyState, KeyUse, PreviousSecret, StreamKey } from './key-rule.ts';

/** Topic of the change feed; the subject is a KeyId. */
export const keyTopic = 'key';

/** Every method throws ResourceError STORE_FAILED when the database does not answer. */
export interface KeyStore {
  create(key: StreamKey): Promise<void>;
  find(id: KeyId): Promise<StreamKey | undefined>;
  /** The oldest first. */
  list(): Promise<readonly StreamKey[]>;
  /** Revoked is final. Answers the key as it is then, or undefined when there is none. */
  setState(id: KeyId, state: KeyState): Promise<StreamKey | undefined>;
  /**
   * Gives the key a new secret; the one it has works until then, the one before that no longer. Answers the key,
   * unchanged when it is revoked, or undefined when there is none.
   */
  rotate(id: KeyId, secret: KeySecret, until: number): Promise<StreamKey | undefined>;
  /** `generation` says which of its secrets was used. */
  touch(id: KeyId, use: KeyUse, generation: number): Promise<void>;
}

export function openKeyStore({ db, changes }: Pick<Store, 'db' | 'changes'>): KeyStore {
  const find = async (id: KeyId) => {
    const row = await db.selectFrom('stream_keys').selectAll().where('id', '=', id).executeTakeFirst();
    return row && fromRow(row);
  };
  return {
    find,
    create: (key) =>
      changes.change(async (transaction, announce) => {
        await transaction.insertInto('stream_keys').values(toRow(key)).execute();
        await announce(keyTopic, key.id);
      }),
    list: async () => {
      const rows = await db
        .selectFrom('stream_keys')
        .selectAll()
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map(fromRow);
    },
    setState: async (id, state) => {
      await changes.change(async (transaction, announce) => {
        const { numUpdatedRows } = await transaction
          .updateTable('stream_keys')
          .set({ state })
          .where('id', '=', id)
          .where('state', '!=', 'revoked')
          .where('state', '!=', state)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) await announce(keyTopic, id);
      });
      return find(id);
    },
    rotate: async (id, secret, until) => {
      await changes.change(async (transaction, announce) => {
        const { numUpdatedRows } = await transaction
          .updateTable('stream_keys')
          .set((row) => ({
            digest: secret.digest,
            pepper_version: secret.pepperVersion,
            verifiers: secret.verifiers ?? null,
            generation: sql<number>`generation + 1`,
            previous_digest: row.ref('digest'),
            previous_pepper_version: row.ref('pepper_version'),
            previous_until: until,
            previous_verifiers: row.ref('verifiers'),
            previous_used_at: row.ref('last_used_at'),
            previous_used_from: row.ref('last_used_from'),
            previous_used_encoder: row.ref('last_used_encoder'),
            previous_used_door: row.ref('last_used_door'),
          }))
          .where('id', '=', id)
          .where('state', '!=', 'revoked')
          .executeTakeFirst();
        if (numUpdatedRows > 0n) await announce(keyTopic, id);
      });
      return find(id);
    },
    touch: async (id, use, generation) => {
      await db
        .updateTable('stream_keys')
        .set({
          last_used_at: use.at,
          last_used_from: use.address,
          last_used_encoder: use.encoder,
          last_used_door: use.door,
        })
        .where('id', '=', id)
        .execute();
      await db
        .updateTable('stream_keys')
        .set({
          previous_used_at: use.at,
          previous_used_from: use.address,
          previous_used_encoder: use.encoder,
          previous_used_door: use.door,
        })
        .where('id', '=', id)
        .where('generation', '=', generation + 1)
        .execute();
    },
  };
}

function toRow(key: StreamKey): StreamKeyTable {
  return {
    id: key.id,
    stream: key.stream,
    role: key.role,
    digest: key.digest,
    pepper_version: key.pepperVersion,
    created_at: key.createdAt,
    not_before: key.notBefore ?? null,
    expires_at: key.expiresAt ?? null,
    allow: JSON.stringify(key.allow.map(formatAddressBlock)),
    require: key.require,
    max_bitrate: key.maxBitrate ?? null,
    max_session_ms: key.maxSession ?? null,
    note: key.note ?? null,
    state: key.state,
    last_used_at: key.lastUse?.at ?? null,
    last_used_from: key.lastUse?.address ?? null,
    last_used_encoder: key.lastUse?.encoder ?? null,
    last_used_door: key.lastUse?.door ?? null,
    codecs: JSON.stringify(key.codecs),
    generation: key.generation,
    verifiers: key.verifiers ?? null,
    previous_digest: key.previous?.digest ?? null,
    previous_pepper_version: key.previous?.pepperVersion ?? null,
    previous_until: key.previous?.until ?? null,
    previous_verifiers: key.previous?.verifiers ?? null,
    previous_used_at: key.previous?.lastUse?.at ?? null,
    previous_used_from: key.previous?.lastUse?.address ?? null,
    previous_used_encoder: key.previous?.lastUse?.encoder ?? null,
    previous_used_door: key.previous?.lastUse?.door ?? null,
  };
}

function fromRow(row: Selectable<StreamKeyTable>): StreamKey {
  return {
    id: row.id as KeyId,
    stream: row.stream as StreamName,
    role: row.role,
    state: row.state,
    digest: row.digest,
    pepperVersion: row.pepper_version,
    createdAt: row.created_at,
    notBefore: row.not_before ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    allow: readAllow(row.allow),
    require: row.require,
    maxBitrate: row.max_bitrate ?? undefined,
    maxSession: row.max_session_ms ?? undefined,
    codecs: JSON.parse(row.codecs) as readonly string[],
    generation: row.generation,
    verifiers: row.verifiers ?? undefined,
    previous: readPrevious(row),
    note: row.note ?? undefined,
    lastUse: readUse(row.last_used_at, row.last_used_from, row.last_used_encoder, row.last_used_door),
  };
}

function readPrevious(row: Selectable<StreamKeyTable>): PreviousSecret | undefined {
  const { previous_digest: digest, previous_pepper_version: pepperVersion, previous_until: until } = row;
  if (digest === null || pepperVersion === null || until === null) return undefined;
  return {
    digest,
    pepperVersion,
    until,
    verifiers: row.previous_verifiers ?? undefined,
    lastUse: readUse(
      row.previous_used_at,
      row.previous_used_from,
      row.previous_used_encoder,
      row.previous_used_door,
    ),
  };
}

function readUse(
  at: number | null,
  address: string | null,
  encoder: string | null,
  door: string | null,
): KeyUse | undefined {
  if (at === null) return undefined;
  return { at, address: address ?? '', encoder: encoder ?? '', door: door ?? '' };
}

// A block that cannot be read must not widen the list, so it stays in it as one that holds no address.
function readAllow(json: string): readonly AddressBlock[] {
  const nowhere: AddressBlock = { family: 4, base: -1n, prefix: 32 };
  const blocks = JSON.parse(json) as readonly string[];
  return blocks.map((block) => parseAddressBlock(block) ?? nowhere);
}
