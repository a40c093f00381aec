// Who did what: on two places, in order, for ever, whatever a stranger sends.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AuditEntry, openAuditLog } from '../../src/store/audit-log.ts';
import { storeLimits } from '../../src/store/store-limits.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function openAudit() {
  const folder = temporaryFolder();
  const [clock, log] = [new FakeClock(), new RecordedLog()];
  const store = await openStore({ folder, clock, log });
  onTestFinished(() => store.close());
  const audit = openAuditLog({ db: store.db, folder, clock, log });
  const path = join(folder, 'audit.jsonl');
  const file = () => readFileSync(path, 'utf8');
  const fileLines = () =>
    file()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEntry);
  return { folder, clock, log, store, audit, path, file, fileLines };
}

const used = { action: 'key.used', source: '203.0.113.7', key: '7h2kq9d4', door: 'rtmps' } as const;
const refused = { action: 'key.refused', source: '198.51.100.9', detail: 'unknown-key' } as const;

describe('audit log', () => {
  it('keeps every line in the database and, for its owner alone, in the file', async () => {
    const { clock, audit, path, fileLines } = await openAudit();
    audit.note({ ...used, stream: 'live/camera-1', detail: 'encoder OBS' });
    clock.advance(1000);
    audit.note(refused);
    await audit.close();
    const lines = [
      {
        time: '2026-11-22T13:05:09.000Z',
        action: 'key.used',
        source: '203.0.113.7',
        key: '7h2kq9d4',
        stream: 'live/camera-1',
        door: 'rtmps',
        detail: 'encoder OBS',
      },
      {
        time: '2026-11-22T13:05:10.000Z',
        action: 'key.refused',
        source: '198.51.100.9',
        key: null,
        stream: null,
        door: null,
        detail: 'unknown-key',
      },
    ];
    expect(await audit.list({})).toEqual(lines);
    expect(fileLines()).toEqual(lines);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await audit.list({ since: clock.now() })).toEqual(lines.slice(1));
    expect(await audit.list({ limit: 1 })).toEqual(lines.slice(1));
  });

  it('writes a batch within 250 ms', async () => {
    const { clock, audit } = await openAudit();
    for (let count = 0; count < 5; count++) audit.note(used);
    expect(await audit.list({})).toEqual([]);
    clock.advance(250);
    while ((await audit.list({})).length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await audit.list({})).toHaveLength(5);
    await audit.close();
    expect(clock.timers).toBe(1); // the change feed's
  });

  it('lets no encoder forge a line, move a cursor or have a key written down', async () => {
    const { audit, file } = await openAudit();
    const key = `psk_7h2kq9d4_${'a'.repeat(30)}`;
    const name = `OBS\n{"action":"key.created"}\u001b[2J\u202e${key}`;
    audit.note({ ...used, detail: `encoder ${name}${'x'.repeat(5000)}` });
    await audit.close();
    const [line] = await audit.list({});
    expect(line?.detail).toMatch(/^encoder OBS\\u000a.*\\u001b\[2J\\u202e\[secret\]/);
    expect(line?.detail?.length).toBeLessThan(400);
    expect(file().split('\n')).toHaveLength(2);
    expect(file()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]|psk_/);
  });

  it('cannot be edited or shortened, not even through the database', async () => {
    const { audit, store } = await openAudit();
    audit.note(used);
    await audit.close();
    await expect(store.db.updateTable('audit').set({ source: 'nobody' }).execute()).rejects.toThrow(
      'append-only',
    );
    await expect(store.db.deleteFrom('audit').execute()).rejects.toThrow('append-only');
    expect(await audit.list({})).toHaveLength(1);
  });

  it('keeps a million lines and prunes what is older', async () => {
    const { audit, store } = await openAudit();
    audit.note(used);
    await audit.close();
    const { action, source } = used;
    await store.db
      .insertInto('audit')
      .values({ seq: storeLimits.auditLines + 1, at: 0, action, source })
      .execute();
    const again = openAuditLog({
      db: store.db,
      folder: temporaryFolder(),
      clock: new FakeClock(),
      log: new RecordedLog(),
    });
    again.note(used);
    await again.close();
    const rows = await store.db.selectFrom('audit').select('seq').execute();
    expect(rows.map(({ seq }) => seq)).toEqual([storeLimits.auditLines + 1, storeLimits.auditLines + 2]);
  });

  it('counts a flood of refusals instead of listing it, and nothing else', async () => {
    const { clock, audit, fileLines } = await openAudit();
    for (let count = 0; count < 10_000; count++) {
      audit.note(refused);
      clock.advance(5);
    }
    audit.note(used);
    clock.advance(60_000);
    audit.note(refused);
    await audit.close();
    const lines = await audit.list({});
    const more = 10_000 - storeLimits.auditRefusals;
    expect(lines.slice(storeLimits.auditRefusals).map(({ action, detail }) => `${action} ${detail}`)).toEqual(
      ['key.used null', expect.stringContaining(`${more} more refusals`), 'key.refused unknown-key'],
    );
    expect(fileLines()).toEqual(lines);
  });

  it('says once a minute that a token is used or a recording fetched', async () => {
    const { clock, audit } = await openAudit();
    const polling = { action: 'token.used', source: '203.0.113.7', key: '7h2kq9d4' } as const;
    for (let count = 0; count < 5; count++) audit.note(polling);
    audit.note({ ...polling, key: '00000000' });
    clock.advance(60_000);
    audit.note(polling);
    await audit.close();
    expect((await audit.list({})).map(({ key }) => key)).toEqual(['7h2kq9d4', '00000000', '7h2kq9d4']);
  });

  it('notes settings that differ from the last ones', async () => {
    const { audit, store, clock, log, folder } = await openAudit();
    for (const settings of [{ a: 1 }, { a: 1 }, { a: 2 }]) {
      await audit.noteSettings(settings);
      await audit.close();
    }
    const restarted = openAuditLog({ db: store.db, folder, clock, log });
    await restarted.noteSettings({ a: 2 });
    await restarted.close();
    const changes = (await audit.list({})).map(({ detail }) => detail);
    expect(changes).toHaveLength(2);
    expect(new Set(changes).size).toBe(2);
  });

  it('puts the file aside when it is full, and keeps so many', async () => {
    const { audit, folder, path, file } = await openAudit();
    for (let round = 0; round < storeLimits.auditFiles + 2; round++) {
      if (round === 1) audit.keepFile(); // a command never does
      writeFileSync(path, `${' '.repeat(storeLimits.auditFileSize)}\n`);
      audit.note({ ...used, detail: `round ${round}` });
      await audit.close();
    }
    audit.note({ ...used, detail: 'now' });
    await audit.close();
    const files = readdirSync(folder).filter((name) => name.startsWith('audit.jsonl'));
    const aside = Array.from({ length: storeLimits.auditFiles }, (_, index) => `audit.jsonl.${index + 1}`);
    expect(files.toSorted()).toEqual(['audit.jsonl', ...aside].toSorted());
    expect(file()).toContain('"now"');
    expect(readFileSync(`${path}.1`, 'utf8')).toContain(`"round ${storeLimits.auditFiles + 1}"`);
  });

  it('goes on in one place when the other fails, and says so', async () => {
    const { audit, store, log, fileLines } = await openAudit();
    await store.close();
    audit.note(used);
    await audit.close();
    expect(fileLines()).toMatchObject([used]);
    expect(log.of('audit.failed')).toHaveLength(1);
  });
});
