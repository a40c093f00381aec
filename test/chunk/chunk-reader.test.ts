import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { limitsAfterAuth, limitsBeforeAuth } from '../../src/chunk/chunk-limits.ts';
import type { ChunkLimits } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { ChunkWriter } from '../../src/chunk/chunk-writer.ts';
import { ProtocolError } from '../../src/errors.ts';
import { handedOut, messageVectors, refusalVectors } from '../support/chunk-vectors.ts';
import { slicesAt, slicesOf } from '../support/slices.ts';
import { fromHex, toHex } from '../support/vectors.ts';

/** A reader whose messages are kept. */
function listen(limits: ChunkLimits = limitsAfterAuth) {
  const messages: { type: number; timestamp: number; streamId: number; payload: string }[] = [];
  const reader = new ChunkReader(limits, ({ type, timestamp, streamId, payload }) => {
    messages.push({ type, timestamp, streamId, payload: toHex(payload) });
  });
  return { messages, reader };
}

/** Messages and the code of the error that ended it, if one did. */
function readAll(slices: readonly Uint8Array[], limits?: ChunkLimits) {
  const { messages, reader } = listen(limits);
  let error: string | undefined;
  try {
    for (const slice of slices) {
      const consumed = reader.read(slice);
      if (consumed !== slice.length)
        throw new Error(`${consumed} of ${slice.length} consumed without a halt`);
      slice.fill(0xee); // borrowed bytes are not ours any more
    }
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown;
    error = thrown.code;
  }
  return { messages, error };
}

const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const filled = (length: number, byte = 0x55) => new Uint8Array(length).fill(byte);
const audio = (timestamp: number, payload: Uint8Array) => ({ type: 8, timestamp, streamId: 1, payload });
const setChunkSize = (size: number) => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(size);
  return new ChunkWriter().write(2, { type: 1, timestamp: 0, streamId: 0, payload });
};

describe('vectors', () => {
  it.each(messageVectors)('$name', ({ bytes, messages }) => {
    expect(readAll([bytes.slice()])).toEqual({ messages: handedOut(messages), error: undefined });
  });

  it.each(refusalVectors)('$name: $code', ({ bytes, code }) => {
    expect(readAll([bytes.slice()])).toEqual({ messages: [], error: code });
  });
});

describe('split', () => {
  const all = [
    ...messageVectors.map(({ name, bytes, messages }) => ({
      name,
      bytes,
      messages: handedOut(messages),
      error: undefined,
    })),
    ...refusalVectors.map(({ name, bytes, code }) => ({ name, bytes, messages: [], error: code })),
  ];

  it.each(all)('$name in pieces of 1 to 19 bytes', ({ bytes, messages, error }) => {
    for (let size = 1; size <= 19; size += 1)
      expect(readAll(slicesOf(bytes, size))).toEqual({ messages, error });
  });

  it.each(all)('$name cut once, anywhere', ({ bytes, messages, error }) => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(readAll(slicesAt(bytes, [cut, cut]))).toEqual({ messages, error });
    }
  });
});

describe('trailing', () => {
  const [first, second, third] = [filled(5, 1), filled(300, 2), filled(4, 3)];
  const bytes = (() => {
    const writer = new ChunkWriter();
    return joined(...[first, second, third].map((payload, index) => writer.write(4, audio(index, payload))));
  })();

  it('halt() leaves the bytes behind the message to the caller, wherever the input is cut', () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const payloads: string[] = [];
      const reader = new ChunkReader(limitsAfterAuth, ({ payload }) => {
        payloads.push(toHex(payload));
        reader.halt();
      });
      let seen = 0;
      for (const slice of slicesAt(bytes, [cut])) {
        for (let offset = 0; offset < slice.length;) {
          const consumed = reader.read(slice.subarray(offset));
          expect(payloads.length - seen).toBeLessThanOrEqual(1);
          seen = payloads.length;
          offset += consumed;
        }
      }
      expect(payloads).toEqual([first, second, third].map(toHex));
    }
  });

  it('counts the bytes up to the end of the message it halted at', () => {
    const { messages, reader } = listen();
    const halting = new ChunkReader(limitsAfterAuth, () => halting.halt());
    expect(halting.read(bytes)).toBe(12 + 5);
    expect(reader.read(bytes.subarray(0, 17))).toBe(17);
    expect(messages).toHaveLength(1);
  });

  it('halts among bytes that were held back for a timestamp that then was not repeated', () => {
    // Chunk size 1, so that the held bytes are the end of one message and the beginning of the next.
    const start = joined(setChunkSize(1), fromHex('04 ffffff 000002 08 01000000 aac4bb00 11'));
    const payloads: string[] = [];
    const reader = new ChunkReader(limitsAfterAuth, ({ payload }) => {
      payloads.push(toHex(payload));
      reader.halt();
    });
    expect(reader.read(start)).toBe(start.length);
    // aa c4 bb are held, for they could be the repeated timestamp aac4bb00.
    expect(reader.read(fromHex('c4 aa c4 bb'))).toBe(4);
    expect(payloads).toEqual([]);
    // c4 says that they are not. It stays with the caller, c4 bb stay held.
    expect(reader.read(fromHex('c4 22'))).toBe(0);
    expect(payloads).toEqual(['11aa']);
    expect(reader.read(fromHex('c4 22'))).toBe(2);
    expect(payloads).toEqual(['11aa', 'bb22']);
  });
});

describe('garbage', () => {
  it('ends in a ProtocolError or in nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 40 }), (bytes, size) => {
        const whole = readAll([bytes.slice()], limitsBeforeAuth);
        expect(readAll(slicesOf(bytes, size), limitsBeforeAuth)).toEqual(whole);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  it('ends in a ProtocolError or in nothing when good bytes are damaged', () => {
    const good = messageVectors.map(({ bytes }) => bytes);
    fc.assert(
      fc.property(
        fc.constantFrom(...good),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 40 }),
        (bytes, damages, size) => {
          const bad = bytes.slice();
          for (const [at, byte] of damages) bad[at % bad.length] = byte;
          expect(readAll(slicesOf(bad, size))).toEqual(readAll([bad.slice()]));
        },
      ),
      { seed: 7, numRuns: 2000 },
    );
  });

  it('is dead after an error, and cannot be read from within a message', () => {
    const { reader } = listen();
    expect(() => reader.read(fromHex('c3'))).toThrow(ProtocolError);
    expect(() => reader.read(fromHex('03'))).toThrow(/after an error/u);
    const nested: ChunkReader = new ChunkReader(limitsAfterAuth, () => nested.read(new Uint8Array(1)));
    expect(() => nested.read(new ChunkWriter().write(4, audio(0, filled(3))))).toThrow(/inside onMessage/u);
  });
});

describe('limits', () => {
  /** Bytes of all assembly buffers that `run` makes, outgrown ones too. */
  function allocated(run: () => void): number {
    const spy = vi.spyOn(Buffer, 'allocUnsafeSlow');
    try {
      run();
      return spy.mock.calls.reduce((sum, [size]) => sum + size, 0);
    } finally {
      spy.mockRestore();
    }
  }

  /** The first chunk of a message of `length` bytes on each chunk stream, then the second, and so on. */
  function halfSent(reader: ChunkReader, streams: number, length: number, upTo: number): number {
    const begin = (id: number) => {
      const header = Buffer.alloc(12);
      header[0] = id;
      header.writeUIntBE(length, 4, 3);
      header[7] = 9;
      return joined(header, filled(65_536));
    };
    const goOn = (id: number) => joined(Uint8Array.of(0xc0 | id), filled(65_536));
    let sent = 0;
    reader.read(setChunkSize(65_536));
    for (let round = 0; sent < upTo; round += 1) {
      for (let id = 3; id < 3 + streams; id += 1) {
        reader.read(round === 0 ? begin(id) : goOn(id));
        sent += 65_536;
      }
    }
    return sent;
  }

  it('refuses 48 half-sent messages of 3 MiB at 12 MiB, not at what they declare', () => {
    const bytes = allocated(() => {
      expect(() => halfSent(listen().reader, 48, 3 * 2 ** 20, 13 * 2 ** 20)).toThrow(
        expect.objectContaining({ code: 'MESSAGES_UNFINISHED' }),
      );
    });
    expect(bytes).toBeGreaterThan(11 * 2 ** 20);
    expect(bytes).toBeLessThan(24 * 2 ** 20);
    expect(halfSent(listen().reader, 48, 3 * 2 ** 20, 11 * 2 ** 20)).toBeGreaterThan(11 * 2 ** 20);
  });

  it('allocates for what arrived, not for what was declared', () => {
    const header = fromHex('06 000000 7a1200 09 01000000'); // 8,000,000 bytes
    const { reader } = listen();
    expect(allocated(() => reader.read(joined(header, filled(100))))).toBe(4096);
    expect(allocated(() => reader.read(joined(filled(28), fromHex('c6'), filled(128))))).toBe(0);
  });

  it('holds 64 KiB and 16 chunk streams before authentication, more after', () => {
    const { reader, messages } = listen(limitsBeforeAuth);
    const writer = new ChunkWriter();
    const largest = filled(64 * 1024);
    reader.read(writer.write(3, { type: 20, timestamp: 0, streamId: 0, payload: largest }));
    expect(messages).toHaveLength(1);
    for (let id = 4; id < 4 + 15; id += 1) reader.read(writer.write(id, audio(0, filled(1))));
    expect(messages).toHaveLength(16);
    reader.limits = limitsAfterAuth;
    reader.read(writer.write(19, audio(0, filled(200_000))));
    for (let id = 20; id < 20 + 47; id += 1) reader.read(writer.write(id, audio(0, filled(1))));
    expect(messages).toHaveLength(64);
    expect(() => reader.read(writer.write(67, audio(0, filled(1))))).toThrow(
      expect.objectContaining({ code: 'CHUNK_STREAMS_EXCEEDED' }),
    );
  });

  it('refuses the 17th chunk stream and a byte over 64 KiB before authentication', () => {
    const writer = new ChunkWriter();
    const { reader } = listen(limitsBeforeAuth);
    for (let id = 3; id < 3 + 16; id += 1) reader.read(writer.write(id, audio(0, filled(1))));
    expect(() => reader.read(writer.write(19, audio(0, filled(1))))).toThrow(
      expect.objectContaining({ code: 'CHUNK_STREAMS_EXCEEDED' }),
    );
    const large = new ChunkWriter().write(3, audio(0, filled(64 * 1024 + 1)));
    expect(() => listen(limitsBeforeAuth).reader.read(large)).toThrow(
      expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
    );
  });

  it('gives the room of finished and aborted messages back', () => {
    const { reader, messages } = listen({ ...limitsAfterAuth, unfinishedBytes: 1000 });
    const writer = new ChunkWriter();
    const abort = fromHex('02 000000 000004 02 00000000 00000006');
    for (let round = 0; round < 20; round += 1) {
      reader.read(writer.write(4, audio(round, filled(900))));
      reader.read(joined(fromHex('06 000000 000384 09 01000000'), filled(128), fromHex('c6'), filled(128)));
      reader.read(abort);
    }
    expect(messages).toHaveLength(20);
  });
});

describe('borrowing', () => {
  it('hands out a view of the input if the message lies in it in one piece', () => {
    const bytes = new ChunkWriter().write(4, audio(0, filled(100)));
    let payload: Uint8Array | undefined;
    new ChunkReader(limitsAfterAuth, (message) => (payload = message.payload)).read(bytes);
    expect(payload?.buffer).toBe(bytes.buffer);
  });

  it('uses assembly buffers again, unless they are large', () => {
    const buffers: ArrayBufferLike[] = [];
    const reader = new ChunkReader(limitsAfterAuth, ({ payload }) => buffers.push(payload.buffer));
    const writer = new ChunkWriter();
    for (let round = 0; round < 100; round += 1) reader.read(writer.write(4, audio(round, filled(5000))));
    expect(new Set(buffers).size).toBe(1);
    for (let round = 0; round < 3; round += 1) reader.read(writer.write(5, audio(round, filled(300_000))));
    expect(new Set(buffers).size).toBe(4);
  });

  it('takes plain Uint8Arrays that lie inside a larger buffer', () => {
    const bytes = new ChunkWriter().write(4, audio(7, filled(1000, 9)));
    const larger = new Uint8Array(bytes.length + 50);
    larger.set(bytes, 33);
    const { messages, reader } = listen();
    reader.read(larger.subarray(33, 33 + bytes.length));
    expect(messages).toEqual([{ type: 8, timestamp: 7, streamId: 1, payload: toHex(filled(1000, 9)) }]);
  });
});
