import { describe, expect, it } from 'vitest';
import {
  HandshakeReader,
  echoOf,
  isHandshakeVersion,
  newPacket,
} from '../../src/handshake/handshake-packet.ts';

describe('the packets', () => {
  it('begin with time and version, and are random behind', () => {
    const packet = newPacket(
      { random: (length) => new Uint8Array(length).fill(7), time: 0x1_0203_0405 },
      [3, 5, 1, 1],
    );
    expect(packet.subarray(0, 8)).toEqual(Uint8Array.of(2, 3, 4, 5, 3, 5, 1, 1));
    expect(packet.subarray(8)).toEqual(new Uint8Array(1528).fill(7));
  });

  it('are echoed with the time at which they were read', () => {
    const packet = Uint8Array.from({ length: 1536 }, (_, index) => index);
    const echo = echoOf(packet, 0xfffefdfc);
    expect(echo.subarray(4, 8)).toEqual(Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc));
    expect([echo.subarray(0, 4), echo.subarray(8)]).toEqual([packet.subarray(0, 4), packet.subarray(8)]);
    expect(packet[4]).toBe(4);
  });

  it('are of four versions only', () => {
    const versions = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) =>
      isHandshakeVersion(byte),
    );
    expect(versions).toEqual([3, 6, 8, 9]);
  });
});

describe('HandshakeReader', () => {
  const stream = Uint8Array.from({ length: 3100 }, (_, index) => (index * 31) % 251);

  it('hands over the same three parts however the stream is cut, and leaves the rest', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const parts: Uint8Array[] = [];
      const reader = new HandshakeReader({
        version: (byte) => parts.push(Uint8Array.of(byte)),
        first: (packet) => parts.push(packet.slice()),
        second: (packet) => parts.push(packet.slice()),
      });
      const first = reader.receive(stream.subarray(0, cut));
      expect(first).toBe(Math.min(cut, 3073));
      expect(first + reader.receive(stream.subarray(cut))).toBe(
        cut >= 3073 ? 3073 : Math.min(3073, stream.length),
      );
      expect(Buffer.compare(Buffer.concat(parts), stream.subarray(0, 3073))).toBe(0);
      expect(parts.map((part) => part.length)).toEqual([1, 1536, 1536]);
    }
  });

  it('keeps no reference to what it borrowed', () => {
    const parts: Uint8Array[] = [];
    const reader = new HandshakeReader({
      version: () => undefined,
      first: (packet) => parts.push(packet.slice()),
      second: () => undefined,
    });
    const borrowed = stream.slice(0, 1000);
    reader.receive(borrowed);
    borrowed.fill(0);
    reader.receive(stream.subarray(1000, 1537));
    expect(parts).toEqual([stream.slice(1, 1537)]);
  });

  it('takes nothing more after an error', () => {
    const reader = new HandshakeReader({
      version: () => undefined,
      first: () => {
        throw new Error('refused');
      },
      second: () => expect.unreachable(),
    });
    expect(reader.receive(stream.subarray(0, 1536))).toBe(1536);
    expect(() => reader.receive(stream.subarray(1536))).toThrow('refused');
    expect(reader.receive(stream)).toBe(0);
  });
});
