// The database as the rooms see it: queries through kysely, and the feed of changes. One file on disk, opened
// by the server and by every command at the same time.
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { openChangeFeed, type ChangeFeed } from './change-feed.ts';
import { openDatabase } from './database.ts';
import type { Schema } from './schema.ts';

export interface Store {
  /** A write made here outlives a crash; through `changes.change` also a power cut. */
  readonly db: Kysely<Schema>;
  readonly changes: ChangeFeed;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Holds `penstock.sqlite`; made when there is none. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Throws SetupError STORE_UNUSABLE or RUNTIME_TOO_OLD. */
export async function openStore({ folder, clock, log }: StoreOptions): Promise<Store> {
  const database = openDatabase(join(folder, 'penstock.sqlite'));
  const changes = await openChangeFeed({ database, clock, log });
  let closed: Promise<void> | undefined;
  return {
    db: database.db,
    changes,
    close: () => {
      changes.stop();
      closed ??= database.close();
      return closed;
    },
  };
}
