import { describe, expect, it } from 'vitest';
import {
  audioPacketType,
  fourCcOf,
  isVideoCommand,
  onlyTrackOf,
  tracksOf,
  videoPacketType,
} from '../../src/flv/enhanced-header.ts';

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

  it('finds the tracks in each of their three forms', () => {
    const one = Uint8Array.of(0x96, 0x01, ...ascii('hvc1'), 3, 9, 9, 9, 9);
    const many = Uint8Array.of(0x96, 0x11, ...ascii('av01'), 0, 0, 0, 2, 9, 9, 1, 0, 0, 1, 9);
    const tracks = [...ascii('Opus'), 0, 0, 0, 1, 9, ...ascii('mp4a'), 5, 0, 0, 0];
    const manyCodecs = Uint8Array.of(0x95, 0x21, ...tracks);
    const behindModEx = Uint8Array.of(0x97, 2, 0, 0, 5, 0x05, 0x21, ...tracks);
    expect(tracksOf(one, 'video')).toEqual([{ id: 3, fourCc: 'hvc1' }]);
    expect(tracksOf(many, 'video')).toEqual([
      { id: 0, fourCc: 'av01' },
      { id: 1, fourCc: 'av01' },
    ]);
    for (const body of [manyCodecs, behindModEx]) {
      expect(tracksOf(body, 'audio')).toEqual([
        { id: 0, fourCc: 'Opus' },
        { id: 5, fourCc: 'mp4a' },
      ]);
    }
    const plain = Uint8Array.of(0x91, ...ascii('vp09'), 7, 7);
    expect(tracksOf(plain, 'video')).toEqual([{ id: 0, fourCc: 'vp09' }]);
    expect([one, many, plain].map((body) => onlyTrackOf(body, 'video'))).toEqual([3, 0, 0]);
    expect(onlyTrackOf(behindModEx, 'audio')).toBe(0);
  });

  it('leaves out the tracks behind a cut or a size that leads nowhere', () => {
    const whole = Uint8Array.of(0x96, 0x21, ...ascii('hvc1'), 0, 0, 0, 1, 9, ...ascii('av01'), 1, 0, 0, 0);
    const found = Array.from(whole, (_, length) => tracksOf(whole.subarray(0, length), 'video').length);
    expect(found).toEqual([...Array<number>(7).fill(0), ...Array<number>(9).fill(1), 2, 2, 2]);
    const huge = Uint8Array.of(0x96, 0x11, ...ascii('hvc1'), 0, 255, 255, 255, 9);
    expect(tracksOf(huge, 'video')).toEqual([{ id: 0, fourCc: 'hvc1' }]);
  });

  it('knows a command, which has no FourCC, from Metadata, which ignores the frame type', () => {
    const [command, metadata] = [
      Uint8Array.of(0xd1, 0, ...ascii('hvc')),
      Uint8Array.of(0xd4, ...ascii('hvc1')),
    ];
    expect([command, metadata].map(isVideoCommand)).toEqual([true, false]);
    expect([command, metadata].map((body) => fourCcOf(body, 'video'))).toEqual([undefined, 'hvc1']);
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
