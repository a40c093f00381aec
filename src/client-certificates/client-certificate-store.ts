// The list of client certificates that were issued here: what is not on it opens nothing, and what is revoked on it
// opens nothing any more. Never a private key. Every change is announced with the serial number.
import type { Selectable } from 'kysely';
import type { KeyId } from '../ops/names.ts';
import type { ClientCertificateTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

/** Topic of the change feed; the subject is a serial number. */
export const clientCertificateTopic = 'client-certificate';

export interface ClientCertificate {
  /** Hex, lower case. */
  readonly serial: string;
  readonly name: string;
  readonly keyId: KeyId;
  /** Fingerprint in hex, lower case. */
  readonly sha256: string;
  /** Times are milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt?: number | undefined;
}

/** Every method throws ResourceError STORE_FAILED when the database does not answer. */
export interface ClientCertificateStore {
  create(certificate: ClientCertificate): Promise<void>;
  find(serial: string): Promise<ClientCertificate | undefined>;
  /** The oldest first. */
  list(): Promise<readonly ClientCertificate[]>;
  /** Final; the time of the first revocation stays. */
  revoke(serials: readonly string[], at: number): Promise<void>;
}

export function openClientCertificateStore({
  db,
  changes,
}: Pick<Store, 'db' | 'changes'>): ClientCertificateStore {
  return {
    create: (certificate) =>
      changes.change(async (transaction, announce) => {
        await transaction.insertInto('client_certificates').values(toRow(certificate)).execute();
        await announce(clientCertificateTopic, certificate.serial);
      }),
    find: async (serial) => {
      const row = await db
        .selectFrom('client_certificates')
        .selectAll()
        .where('serial', '=', serial)
        .executeTakeFirst();
      return row && fromRow(row);
    },
    list: async () => {
      const rows = await db
        .selectFrom('client_certificates')
        .selectAll()
        .orderBy('created_at')
        .orderBy('serial')
        .execute();
      return rows.map(fromRow);
    },
    revoke: (serials, at) =>
      changes.change(async (transaction, announce) => {
        for (const serial of serials) {
          const { numUpdatedRows } = await transaction
            .updateTable('client_certificates')
            .set({ revoked_at: at })
            .where('serial', '=', serial)
            .where('revoked_at', 'is', null)
            .executeTakeFirst();
          if (numUpdatedRows > 0n) await announce(clientCertificateTopic, serial);
        }
      }),
  };
}

function toRow(certificate: ClientCertificate): ClientCertificateTable {
  return {
    serial: certificate.serial,
    name: certificate.name,
    key_id: certificate.keyId,
    sha256: certificate.sha256,
    created_at: certificate.createdAt,
    expires_at: certificate.expiresAt,
    revoked_at: certificate.revokedAt ?? null,
  };
}

function fromRow(row: Selectable<ClientCertificateTable>): ClientCertificate {
  return {
    serial: row.serial,
    name: row.name,
    keyId: row.key_id as KeyId,
    sha256: row.sha256,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}
