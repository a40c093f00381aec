// The database file: private, migrated once, and refused in words when it cannot be used.
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ResourceError } from '../../src/errors.ts';
import { assertSqlite, openDatabase } from '../../src/store/database.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const change = { topic: 'key', subject: 'a', at: 1 };

describe('openDatabase', () => {
  it('makes file and folder private, whatever the umask and however the file was before', async () => {
    const folder = join(temporaryFolder(), 'data');
    const path = join(folder, 'penstock.sqlite');
    const before = process.umask(0);
    const first = openDatabase(path);
    process.umask(before);
    await first.db.insertInto('changes').values(change).execute();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual([
      'penstock.sqlite',
      'penstock.sqlite-shm',
      'penstock.sqlite-wal',
    ]);
    await first.close();

    chmodSync(path, 0o644);
    await openDatabase(path).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('keeps what it holds when it is opened again', async () => {
    const path = join(temporaryFolder(), 'penstock.sqlite');
    const first = openDatabase(path);
    await first.db.insertInto('changes').values(change).execute();
    await first.close();
    const second = openDatabase(path);
    expect(await second.db.selectFrom('changes').selectAll().execute()).toEqual([{ seq: 1, ...change }]);
    await second.close();
  });

  it('says in words that the file is no database, and does not touch it', () => {
    const path = join(temporaryFolder(), 'penstock.sqlite');
    const text = 'not a database at all, '.repeat(100);
    writeFileSync(path, text);
    expect(() => openDatabase(path)).toThrow(
      expect.objectContaining({
        code: 'STORE_UNUSABLE',
        message: expect.stringContaining('is damaged'),
        hint: expect.stringContaining('backup'),
      }),
    );
    expect(statSync(path).size).toBe(text.length);
  });

  it('says in words that the file is from a newer version', async () => {
    const path = join(temporaryFolder(), 'penstock.sqlite');
    const { DatabaseSync } = await import('node:sqlite');
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 9999');
    newer.close();
    expect(() => openDatabase(path)).toThrow(
      expect.objectContaining({ code: 'STORE_UNUSABLE', message: expect.stringContaining('version 9999') }),
    );
  });

  it('says in words that the file cannot be opened', () => {
    const path = join(temporaryFolder(), 'penstock.sqlite');
    mkdirSync(path);
    expect(() => openDatabase(path)).toThrow(
      expect.objectContaining({
        code: 'STORE_UNUSABLE',
        message: expect.stringContaining('cannot be opened'),
      }),
    );
  });

  it('turns a failing query into a ResourceError', async () => {
    const database = openDatabase(join(temporaryFolder(), 'penstock.sqlite'));
    await database.db
      .insertInto('changes')
      .values({ seq: 1, ...change })
      .execute();
    const again = database.db
      .insertInto('changes')
      .values({ seq: 1, ...change })
      .execute();
    await expect(again).rejects.toThrow(ResourceError);
    await expect(again).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await database.close();
  });

  it('moves dataVersion for commits of other connections only', async () => {
    const path = join(temporaryFolder(), 'penstock.sqlite');
    const [here, there] = [openDatabase(path), openDatabase(path)];
    const before = here.dataVersion();
    await here.db.insertInto('changes').values(change).execute();
    expect(here.dataVersion()).toBe(before);
    await there.db.insertInto('changes').values(change).execute();
    expect(here.dataVersion()).not.toBe(before);
    await Promise.all([here.close(), there.close()]);
  });

  it('rolls a failed transaction back and goes on', async () => {
    const database = openDatabase(join(temporaryFolder(), 'penstock.sqlite'));
    const failing = database.db.transaction().execute(async (transaction) => {
      await transaction.insertInto('changes').values(change).execute();
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await database.db.selectFrom('changes').selectAll().execute()).toEqual([]);
    await database.close();
  });
});

describe('assertSqlite', () => {
  it.each(['3.51.3', '3.51.10', '3.53.4', '4.0.0'])('takes %s', (version) =>
    expect(() => assertSqlite(version)).not.toThrow(),
  );
  it.each(['3.51.2', '3.9.99', '3.45.1', '0'])('refuses %s', (version) =>
    expect(() => assertSqlite(version)).toThrow(expect.objectContaining({ code: 'RUNTIME_TOO_OLD' })),
  );
});
