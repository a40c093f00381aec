import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitsAfterAuth } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { ChunkWriter } from '../../src/chunk/chunk-writer.ts';
import type { Message } from '../../src/chunk/message.ts';
import { asMessage, messageVectors } from '../support/chunk-vectors.ts';
import { slicesAt } from '../support/slices.ts';
import { toHex } from '../support/vectors.ts';

const audio = (timestamp: number, length = 3, streamId = 1): Message => ({
  type: 8,
  timestamp,
  streamId,
  payload: new Uint8Array(length),
});
const fmtOf = (bytes: Uint8Array) => (bytes[0] ?? 0) >> 6;

describe('vectors', () => {
  it.each(messageVectors.filter(({ readOnly }) => !readOnly))('$name', ({ messages, bytes }) => {
    const writer = new ChunkWriter();
    const written = messages.map((planned) => {
      const output = writer.write(planned.chunkStreamId, asMessage(planned), planned.fmt);
      if (planned.type === 1) writer.chunkSize = Number.parseInt(planned.payload, 16);
      return output;
    });
    expect(toHex(Buffer.concat(written))).toBe(toHex(bytes));
  });
});

describe('choice of header', () => {
  it('is the shortest that says it', () => {
    const writer = new ChunkWriter();
    const fmts = [
      audio(1000), // nothing before
      audio(1023), // same length and type
      audio(1046), // same delta
      audio(1046, 4), // other length, no time between
      audio(1046, 4), // same delta of 0
      audio(1060, 4, 2), // other message stream
      audio(900, 4, 2), // back in time
      audio(900 + 0xff_ff_fe, 4, 2), // the largest delta without an extended timestamp
      audio(900 + 0xff_ff_fe + 0xff_ff_ff, 4, 2), // one more
    ].map((message) => fmtOf(writer.write(4, message)));
    expect(fmts).toEqual([0, 2, 3, 1, 3, 0, 0, 2, 0]);
  });

  it('avoids type 3 directly after type 0, unless the timestamp is 0', () => {
    const writer = new ChunkWriter();
    expect([0, 0, 0].map((at) => fmtOf(writer.write(4, audio(at))))).toEqual([0, 3, 3]);
    expect([20, 40, 60].map((at) => fmtOf(writer.write(5, audio(at))))).toEqual([0, 2, 3]);
    writer.write(6, audio(20));
    writer.write(6, audio(40), 3);
    expect(fmtOf(writer.write(6, audio(60)))).toBe(2); // it is still that of type 0
  });

  it('refuses what a header cannot say, and is none the worse for it', () => {
    const writer = new ChunkWriter();
    const impossible = (id: number, message: Message, fmt?: 0 | 1 | 2 | 3) =>
      expect(() => writer.write(id, message, fmt)).toThrow(Error);
    for (const fmt of [1, 2, 3] as const) impossible(4, audio(0), fmt);
    writer.write(4, audio(100));
    impossible(4, audio(100, 3, 2), 1);
    impossible(4, audio(100, 4), 2);
    impossible(4, audio(100), 3);
    for (const id of [0, 1, 65_600, -1, Number.NaN]) impossible(id, audio(0));
    impossible(4, audio(0, 0x1_00_00_00));
    expect(fmtOf(writer.write(4, audio(200), 3))).toBe(3);
  });
});

describe('round trip', () => {
  const planned = fc.record({
    id: fc.constantFrom(2, 3, 4, 63, 64, 319, 320, 65_599),
    size: fc.oneof(fc.nat(40), fc.nat(3000), fc.constantFrom(128, 256, 70_000, 70_001)),
    type: fc.constantFrom(8, 9, 22),
    delta: fc.oneof(
      fc.constantFrom(0, 23, 0xff_ff_fe, 0xff_ff_ff, 0xff_ff_ff_ff),
      fc.nat(100),
      fc.nat(0xff_ff_ff_ff),
    ),
    streamId: fc.constantFrom(0, 1, 0xff_ff_ff_ff),
    fmt: fc.constantFrom(undefined, 0, 1, 2, 3),
    seed: fc.nat(255),
    times: fc.integer({ min: 1, max: 4 }),
    chunkSize: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 70_000 })),
  });

  it('reads back what was written, in any chunk size, header and slices', () => {
    const headers = new Set<string>();
    fc.assert(
      fc.property(
        fc.array(planned, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(100_000), { maxLength: 12 }),
        (plan, cuts) => {
          const writer = new ChunkWriter();
          const parts: Uint8Array[] = [];
          const sent: object[] = [];
          let timestamp = 0;
          for (const { id, size, type, delta, streamId, fmt, seed, chunkSize, times } of plan) {
            const announced = Buffer.alloc(4);
            announced.writeUInt32BE(chunkSize);
            parts.push(writer.write(2, { type: 1, timestamp: 0, streamId: 0, payload: announced }));
            writer.chunkSize = chunkSize;
            const payload = new Uint8Array(Math.min(size, chunkSize * 2000)).map(
              (_, index) => seed + index * 31,
            );
            for (let time = 0; time < times; time += 1) {
              timestamp = (timestamp + delta) >>> 0;
              const message = { type, timestamp, streamId, payload };
              let written: Uint8Array;
              try {
                written = writer.write(id, message, fmt);
              } catch {
                written = writer.write(id, message); // the header that was asked for cannot say it
              }
              headers.add(`${fmtOf(written)} ${delta < 0xff_ff_ff ? 'short' : 'extended'}`);
              parts.push(written);
              sent.push({ type, timestamp, streamId, payload: toHex(payload) });
            }
          }
          const received: object[] = [];
          const reader = new ChunkReader(limitsAfterAuth, (message) => {
            received.push({ ...message, payload: toHex(message.payload) });
          });
          for (const slice of slicesAt(new Uint8Array(Buffer.concat(parts)), cuts)) reader.read(slice);
          expect(received).toEqual(sent);
        },
      ),
      { seed: 11, numRuns: 300 },
    );
    // The runs have met every header, with and without an extended delta.
    expect(headers.size).toBe(8);
  });
});
