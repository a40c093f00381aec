// The feed of changes: two stores on one folder stand for the server and the command line.
import { describe, expect, it, onTestFinished } from 'vitest';
import { anySubject } from '../../src/store/change-feed.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function openPair() {
  const folder = temporaryFolder();
  const clock = new FakeClock();
  const log = new RecordedLog();
  const open = async () => {
    const store = await openStore({ folder, clock, log });
    onTestFinished(() => store.close());
    return store;
  };
  const [server, command] = [await open(), await open()];
  const heard: string[] = [];
  server.changes.on('key', (subject) => heard.push(subject));
  return { clock, log, server, command, heard, open };
}

const announce = (store: Store, subject: string, topic = 'key') =>
  store.changes.change((_, announce) => announce(topic, subject));

describe('change feed', () => {
  it('tells another process within 250 ms, once', async () => {
    const { clock, command, heard } = await openPair();
    await announce(command, 'a');
    await announce(command, 'b');
    await settled();
    expect(heard).toEqual([]);
    clock.advance(250);
    await settled();
    expect(heard).toEqual(['a', 'b']);
    clock.advance(1000);
    await settled();
    expect(heard).toEqual(['a', 'b']);
  });

  it('tells local changes before the change resolves, and not again', async () => {
    const { clock, server, heard } = await openPair();
    await announce(server, 'a');
    expect(heard).toEqual(['a']);
    clock.advance(1000);
    await settled();
    expect(heard).toEqual(['a']);
  });

  it('keeps the order of both processes and tells each change once, even when looked for in parallel', async () => {
    const { server, command, heard } = await openPair();
    await announce(command, 'a');
    await Promise.all([announce(server, 'b'), server.changes.catchUp(), server.changes.catchUp()]);
    await announce(command, 'c');
    await server.changes.catchUp();
    expect(heard).toEqual(['a', 'b', 'c']);
  });

  it('tells only the topic, and nothing after the listener has left', async () => {
    const { server, heard } = await openPair();
    const other: string[] = [];
    const leave = server.changes.on('token', (subject) => other.push(subject));
    await announce(server, 't', 'token');
    leave();
    await announce(server, 'u', 'token');
    expect(heard).toEqual([]);
    expect(other).toEqual(['t']);
  });

  it('tells nothing of a change that was rolled back', async () => {
    const { clock, server, heard } = await openPair();
    const failing = server.changes.change(async (transaction, announce) => {
      await announce('key', 'a');
      await transaction.deleteFrom('stream_keys').execute();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    clock.advance(1000);
    await settled();
    expect(heard).toEqual([]);
  });

  it('does not tell what was changed before it was opened', async () => {
    const { clock, command, open } = await openPair();
    await announce(command, 'old');
    const late = await open();
    const heard: string[] = [];
    late.changes.on('key', (subject) => heard.push(subject));
    clock.advance(1000);
    await settled();
    expect(heard).toEqual([]);
  });

  it('prunes old rows, and tells a process that slept through them to look at everything', async () => {
    const { server, command, heard } = await openPair();
    const other: string[] = [];
    server.changes.on('token', (subject) => other.push(subject));
    await command.changes.change(async (_, announce) => {
      for (let count = 0; count < 1100; count++) await announce('key', `k${count}`);
    });
    const { rows } = await command.db
      .selectFrom('changes')
      .select(({ fn }) => fn.countAll<number>().as('rows'))
      .executeTakeFirstOrThrow();
    expect(rows).toBe(1000);
    await server.changes.catchUp();
    expect(heard).toEqual([anySubject]);
    expect(other).toEqual([anySubject]);
    await announce(command, 'next');
    await server.changes.catchUp();
    expect(heard).toEqual([anySubject, 'next']);
  });

  it('tells the others when one listener fails', async () => {
    const { server, log } = await openPair();
    const later: string[] = [];
    server.changes.on('stream', () => {
      throw new Error('a bug');
    });
    server.changes.on('stream', (subject) => later.push(subject));
    await announce(server, 's', 'stream');
    expect(later).toEqual(['s']);
    expect(log.events).toEqual(['change-listener.failed']);
  });

  it('runs a change with full synchronisation and goes back to normal, also after a failure', async () => {
    const { server } = await openPair();
    const { sql } = await import('kysely');
    type Row = { synchronous: number };
    const inside: number[] = [];
    const change = server.changes.change(async (transaction) => {
      const { rows } = await sql<Row>`PRAGMA synchronous`.execute(transaction);
      inside.push(...rows.map((row) => row.synchronous));
      throw new Error('no');
    });
    await expect(change).rejects.toThrow('no');
    const { rows } = await sql<Row>`PRAGMA synchronous`.execute(server.db);
    expect([...inside, ...rows.map((row) => row.synchronous)]).toEqual([2, 1]);
  });

  it('says once that the database fails, and recovers', async () => {
    const { clock, log, server, command, heard } = await openPair();
    await command.db.schema.alterTable('changes').renameTo('changes_away').execute();
    clock.advance(1000);
    await settled();
    expect(log.events).toEqual(['store.failed']);
    await command.db.schema.alterTable('changes_away').renameTo('changes').execute();
    await announce(command, 'a');
    clock.advance(250);
    await settled();
    expect(heard).toEqual(['a']);
    await server.close();
  });
});
