// Tables for people: aligned, and deaf to what a peer wrote into a cell.
import { describe, expect, it } from 'vitest';
import { formatFields, formatTable } from '../../src/ops/report.ts';

describe('formatTable', () => {
  it('aligns columns and leaves no trailing spaces', () => {
    const table = formatTable(
      ['ID', 'STREAM', 'STATE'],
      [
        ['a1', 'live/camera-1', 'active'],
        ['b2', '', ''],
      ],
    );
    expect(table).toBe('ID  STREAM         STATE\na1  live/camera-1  active\nb2  -              -');
  });

  it('escapes control characters, so a cell cannot forge a row', () => {
    const table = formatTable(['ENCODER'], [['x\u001b[2J\nevil']]);
    expect(table.split('\n')).toHaveLength(2);
    expect(table).not.toContain('\u001b');
  });
});

describe('formatFields', () => {
  it('aligns values and leaves out what is not there', () => {
    const text = formatFields([
      ['stream', 'live/a'],
      ['id', 'x'],
      ['note', undefined],
    ]);
    expect(text).toBe('stream  live/a\nid      x');
  });
});
