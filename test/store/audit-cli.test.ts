// `penstock audit`: the shapes that scripts rely on.
import { describe, expect, it } from 'vitest';
import { exportAudit, listAudit } from '../../src/store/audit-cli.ts';
import type { AuditEntry } from '../../src/store/audit-log.ts';

const entry: AuditEntry = {
  time: '2026-11-22T13:05:09.000Z',
  action: 'key.used',
  source: '203.0.113.7',
  key: '7h2kq9d4',
  stream: 'live/camera-1',
  door: 'rtmps',
  detail: null,
};

describe('penstock audit', () => {
  it('lists the newest lines, or all since a moment', async () => {
    const asked: unknown[] = [];
    const audit = { list: async (range: object) => (asked.push(range), [entry]) };
    const { json, text } = await listAudit(audit, {}, 10_000_000);
    expect(json).toEqual([entry]);
    expect(text.split('\n')).toEqual([
      'TIME                      ACTION    SOURCE       KEY       STREAM         DOOR   DETAIL',
      '2026-11-22T13:05:09.000Z  key.used  203.0.113.7  7h2kq9d4  live/camera-1  rtmps  -',
    ]);
    await listAudit(audit, { since: '1h' }, 10_000_000);
    await listAudit(audit, { since: '1970-01-01T00:00:01Z' }, 10_000_000);
    expect(asked).toEqual([{ limit: 200 }, { since: 6_400_000 }, { since: 1000 }]);
    await expect(listAudit(audit, { since: 'yesterday' }, 0)).rejects.toThrow('--since: "yesterday"');
    expect((await listAudit({ list: async () => [] }, {}, 0)).text).toBe('The audit log has no lines.');
  });

  it('exports every page as JSON Lines', async () => {
    async function* all() {
      yield [entry, { ...entry, key: null }];
      yield [entry];
    }
    let out = '';
    await exportAudit({ all }, async (bytes) => void (out += Buffer.from(bytes).toString()));
    const lines = [entry, { ...entry, key: null }, entry].map((line) => `${JSON.stringify(line)}\n`);
    expect(out).toBe(lines.join(''));
  });
});
