// A QR code (ISO/IEC 18004) for a terminal, two modules to a character: for what a person would otherwise type into
// a phone. Leaves out pictures. pure.
import { encode } from 'uqr';

/** Modules of white around it: what the standard asks for, and phones need on a dark terminal. */
const quietZone = 4;
/** Exact black on exact white: a theme may show the sixteen named colours as it likes. */
const blackOnWhite = '\u001b[38;5;16;48;5;231m';
const reset = '\u001b[0m';
/** By the upper and the lower module, dark or not. */
const halfBlocks = [
  [' ', '▄'],
  ['▀', '█'],
] as const;

/**
 * Lines without a final line feed. `coloured` for terminals with 256 colours; else it is drawn for bright letters on
 * a dark ground, as terminals mostly are.
 */
export function drawQrCode(text: string, coloured: boolean): string {
  const { data } = encode(text, { border: quietZone, ecc: 'L', boostEcc: true });
  const lines: string[] = [];
  for (let row = 0; row < data.length; row += 2) {
    const upper = data[row] ?? [];
    const lower = data[row + 1];
    const cells = upper.map((dark, column) => {
      const below = lower?.[column] ?? false;
      // What is drawn in the colour of the letters: black modules in colour, white ones without.
      return halfBlocks[Number(dark === coloured)]?.[Number(below === coloured)] ?? ' ';
    });
    lines.push(coloured ? `${blackOnWhite}${cells.join('')}${reset}` : cells.join(''));
  }
  return lines.join('\n');
}
