import { describe, expect, it } from 'vitest';
import { openLog, safeText, silentLog, type LogLevel } from '../../src/ops/log.ts';

function opened(format: 'json' | 'pretty', level: LogLevel = 'debug') {
  const lines: string[] = [];
  return { lines, log: openLog({ level, format, write: (line) => void lines.push(line) }) };
}

describe('log', () => {
  it('writes one JSON object a line, with time, level, event and fields', () => {
    const { lines, log } = opened('json');
    log
      .with({ session: 'k3f9' })
      .info('publish.started', { stream: 'live/mara', seconds: 3, gone: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/\n$/);
    const { time, ...rest } = JSON.parse(lines[0]!);
    expect(new Date(time).toISOString()).toBe(time);
    expect(rest).toEqual({
      level: 'info',
      event: 'publish.started',
      session: 'k3f9',
      stream: 'live/mara',
      seconds: 3,
    });
  });

  it('leaves out what is below its level', () => {
    const { lines, log } = opened('json', 'warn');
    log.debug('a.b');
    log.info('a.b');
    log.warn('a.b');
    log.error('a.b');
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(['warn', 'error']);
  });

  it.each(['json', 'pretty'] as const)(
    '%s: nobody forges a line, moves the cursor or shows a key',
    (format) => {
      const { lines, log } = opened(format);
      const evil =
        'x\n{"level":"error"}\r\u001b[2J\u009b\u2028\u202e psk_7h2kq9d4_abcdefghijklmnopqrstuvwxyz0123 PTK_abcdefgh_1';
      log.with({ agent: evil }).warn('session.ended', { reason: evil });
      expect(lines).toHaveLength(1);
      const colours = /\u001b\[\d+m/g; // what the pretty format adds itself
      expect(lines[0]!.replace(colours, '').trimEnd()).not.toMatch(
        /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/,
      );
      expect(lines[0]).not.toMatch(/7h2kq9d4|abcdefgh/);
      expect(lines[0]).toContain('[secret]');
    },
  );

  it('cuts a field at 256 characters', () => {
    expect(safeText('a'.repeat(5000))).toBe(`${'a'.repeat(256)}…`);
    // a key across the cut is masked before it is cut
    expect(safeText(`${'a'.repeat(245)} psk_7h2kq9d4_abcdefghijklmnop`)).not.toContain('psk_');
  });

  it('is readable on a terminal', () => {
    const { lines, log } = opened('pretty');
    log.info('publish.started', { stream: 'live/mara', note: 'two words' });
    const plain = lines[0]!.replace(/\u001b\[\d+m/g, '');
    expect(plain).toMatch(/^\S+Z info {2}publish\.started stream=live\/mara note="two words"\n$/);
  });

  it('can be silent', () => {
    expect(silentLog.with({ a: 1 })).toBe(silentLog);
  });
});
