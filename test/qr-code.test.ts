import { encode } from 'uqr';
import { describe, expect, it } from 'vitest';
import { drawQrCode } from '../src/qr-code.ts';

const text = `rtmps://ingest.example.com:1935/live/${'k'.repeat(43)}`;

/** What a camera sees: true for dark. `light` is whether the letters are the light parts. */
function seen(drawn: string, light: boolean): boolean[][] {
  return drawn.split('\n').flatMap((line) => {
    const cells = line.split('');
    const upper = cells.map((cell) => '▀█'.includes(cell) !== light);
    const lower = cells.map((cell) => '▄█'.includes(cell) !== light);
    return [upper, lower];
  });
}

describe('a QR code in a terminal', () => {
  const { data } = encode(text, { border: 4, ecc: 'L', boostEcc: true });

  it('without colours is light letters on a dark ground', () => {
    const picture = seen(drawQrCode(text, false), true);
    expect(picture.slice(0, data.length)).toEqual(data);
    expect(picture.slice(data.length).flat().some(Boolean)).toBe(false); // half a line more of white
  });

  it('with colours is black on white, whatever the theme, and every line puts the colours back', () => {
    const lines = drawQrCode(text, true).split('\n');
    const plain = lines.map((line) => /^\u001b\[38;5;16;48;5;231m(.+)\u001b\[0m$/.exec(line)?.[1] ?? '');
    expect(seen(plain.join('\n'), false).slice(0, data.length)).toEqual(data);
  });

  it('has a quiet zone of four modules and fits into 80 columns', () => {
    const lines = drawQrCode(text, false).split('\n');
    expect(lines.slice(0, 2).join('')).toMatch(/^█+$/);
    expect(lines.every((line) => line.startsWith('████') && line.endsWith('████') && line.length <= 80)).toBe(
      true,
    );
  });
});
