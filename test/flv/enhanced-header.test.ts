import { describe, expect, it } from 'vitest';
import { audioPacketType, fourCcOf, videoPacketType } from '../../src/flv/enhanced-header.ts';

const ascii = (text: string) => [...Buffer.from(text)];

describe('the enhanced header', () => {
  it('finds packet type and FourCC behind what may stand in front of them', () => {
    const plain = Uint8Array.of(0x91, ...ascii('hvc1'), 0, 0, 0, 9);
    // ModEx with 3 bytes of data (nanosecond offset), then CodedFramesX
    const modEx = Uint8Array.of(0x97, 2, 1, 2, 3, 0x03, ...ascii('av01'), 9);
    // ModEx with a 16-bit size of 257 bytes
    const longModEx = Uint8Array.of(0x97, 255, 1, 0, ...Array<number>(257).fill(7), 0x01, ...ascii('vp09'));
    // ModEx, ModEx, Multitrack (one track), SequenceStart
    const nested = Uint8Array.of(0x97, 0, 0, 0x07, 0, 0, 0x06, 0x00, ...ascii('avc1'), 1, 2, 3);
    // Multitrack with a codec per track: the FourCC is the first track's
    const manyCodecs = Uint8Array.of(0x96, 0x21, ...ascii('hvc1'), 0, 0, 0, 1);
    expect([plain, modEx, longModEx, nested, manyCodecs].map(videoPacketType)).toEqual([1, 3, 1, 0, 1]);
    expect([plain, modEx, longModEx, nested, manyCodecs].map((body) => fourCcOf(body, 'video'))).toEqual([
      'hvc1',
      'av01',
      'vp09',
      'avc1',
      'hvc1',
    ]);
  });

  it('knows that Multitrack is 5 for audio and 6 for video', () => {
    const body = Uint8Array.of(0x95, 0x00, ...ascii('Opus'), 0);
    expect(audioPacketType(body)).toBe(0);
    expect(fourCcOf(body, 'audio')).toBe('Opus');
    expect(videoPacketType(body)).toBe(5);
  });

  it('answers "unassigned" and no FourCC for every body that is cut short', () => {
    const whole = Uint8Array.of(0x97, 2, 1, 2, 3, 0x06, 0x01, ...ascii('av01'));
    for (let length = 0; length < whole.length; length += 1) {
      const body = whole.subarray(0, length);
      expect(videoPacketType(body)).toBe(length < 7 ? 15 : 1);
      expect(fourCcOf(body, 'video')).toBeUndefined();
    }
    expect(fourCcOf(whole, 'video')).toBe('av01');
  });
});
