// Migrations: in order, once, all or nothing, whoever else starts at the same moment.
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from 'node:sqlite';
import { migrate, type MigratableDatabase } from '../../src/store/migrations.ts';
import { openDatabase } from '../../src/store/database.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { runInProcesses } from '../support/run-in-processes.ts';
import { join } from 'node:path';

function openPlain(
  path: string,
): MigratableDatabase & { readonly sqlite: DatabaseSync; readonly ran: string[] } {
  const sqlite = new DatabaseSync(path);
  const ran: string[] = [];
  return {
    sqlite,
    ran,
    run: (sql) => {
      ran.push(sql);
      sqlite.exec(sql);
    },
    readVersion: () => Number(sqlite.prepare('PRAGMA user_version').get()?.['user_version']),
  };
}

const steps = ['CREATE TABLE a (x) STRICT', 'CREATE TABLE b (y)'].map((step) =>
  step.replace('(x) STRICT', '(x)'),
);

describe('migrate', () => {
  it('runs each step once, and only the new ones later', () => {
    const database = openPlain(':memory:');
    migrate(database, steps.slice(0, 1));
    migrate(database, steps);
    const before = database.ran.length;
    migrate(database, steps);
    expect(database.ran.length).toBe(before);
    expect(database.ran.filter((sql) => sql.startsWith('CREATE'))).toEqual(steps);
    expect(database.readVersion()).toBe(2);
  });

  it('leaves nothing behind when a step fails', () => {
    const database = openPlain(':memory:');
    expect(() => migrate(database, [...steps, 'CREATE NONSENSE'])).toThrow('NONSENSE');
    expect(database.readVersion()).toBe(0);
    expect(database.sqlite.prepare('SELECT count(*) AS n FROM sqlite_master').get()).toEqual({ n: 0 });
    migrate(database, steps);
    expect(database.readVersion()).toBe(2);
  });

  it('looks again once it has the lock: the other process may have been first', () => {
    const path = join(temporaryFolder(), 'x.sqlite');
    const [first, second] = [openPlain(path), openPlain(path)];
    const late = { ...second, run: (sql: string) => (migrateFirst(), second.run(sql)) };
    let done = false;
    const migrateFirst = () => {
      if (!done) migrate(first, steps);
      done = true;
    };
    migrate(late, steps);
    expect(second.ran.filter((sql) => sql.startsWith('CREATE'))).toEqual([]);
    expect(second.readVersion()).toBe(2);
  });

  it('holds the write lock while it looks, so that no other process does the same steps', () => {
    const path = join(temporaryFolder(), 'x.sqlite');
    const [first, second] = [openPlain(path), openPlain(path)];
    const tries: string[] = [];
    const watched = {
      ...first,
      readVersion: () => {
        try {
          second.sqlite.exec('BEGIN IMMEDIATE; ROLLBACK');
          tries.push('free');
        } catch (error) {
          tries.push(String(error));
        }
        return first.readVersion();
      },
    };
    migrate(watched, steps);
    expect(tries).toEqual(['free', expect.stringContaining('locked')]);
  });

  it('lets many processes start on an empty folder at once', async () => {
    const path = join(temporaryFolder(), 'data', 'penstock.sqlite');
    const answers = await runInProcesses(
      6,
      `import { openDatabase } from './src/store/database.ts';
       const { db, close } = openDatabase(${JSON.stringify(path)});
       await db.insertInto('changes').values({ topic: 'key', subject: String(process.pid), at: 1 }).execute();
       await close();
       process.stdout.write('ready');`,
    );
    expect(answers).toEqual(Array.from({ length: 6 }, () => 'ready'));
    const database = openDatabase(path);
    expect(await database.db.selectFrom('changes').select('seq').execute()).toHaveLength(6);
    await database.close();
  });
});
