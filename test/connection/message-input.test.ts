import { describe, expect, it } from 'vitest';
import { ChunkWriter } from '../../src/chunk/chunk-writer.ts';
import { MessageInput } from '../../src/connection/message-input.ts';
import { Rc4 } from '../../src/handshake/rc4.ts';
import { refusalOf } from '../support/refusal-of.ts';

const writer = new ChunkWriter();
const message = (timestamp: number, length: number) =>
  writer.write(6, { type: 9, timestamp, streamId: 1, payload: new Uint8Array(length).fill(timestamp) }, 0);

/** Halts at each message whose timestamp is among `halts`. */
function listen({ messageSize = 8 * 1024 * 1024, halts = [] as number[] } = {}) {
  const seen: string[] = [];
  const input = new MessageInput(messageSize, ({ timestamp, payload }) => {
    seen.push(`${timestamp}: ${payload.length} of ${payload[0]}`);
    if (halts.includes(timestamp)) input.halt();
  });
  return { input, seen };
}

describe('halt and proceed', () => {
  it('keeps a copy of what comes behind the message, and reads it in order', () => {
    const { input, seen } = listen({ halts: [1, 3] });
    const first = new Uint8Array(Buffer.concat([message(1, 10), message(2, 10), message(3, 300)]));
    input.receive(first);
    first.fill(0xee);
    const second = new Uint8Array(Buffer.concat([message(4, 10), message(5, 200)]));
    input.receive(second.subarray(0, 50));
    input.receive(second.subarray(50));
    second.fill(0xee);
    expect(seen).toEqual(['1: 10 of 1']);
    input.proceed(); // halts again at 3
    expect(seen).toEqual(['1: 10 of 1', '2: 10 of 2', '3: 300 of 3']);
    input.proceed();
    expect(seen.slice(3)).toEqual(['4: 10 of 4', '5: 200 of 5']);
  });

  it('bounds what is kept, and forgets it when it is read', () => {
    const { input, seen } = listen({ halts: [1] });
    input.receive(message(1, 1));
    input.receive(new Uint8Array(Buffer.concat(Array.from({ length: 10 }, () => message(2, 50_000)))));
    input.proceed();
    expect(seen).toHaveLength(11);
    input.receive(message(1, 1));
    input.receive(new Uint8Array(512 * 1024));
    expect(refusalOf(() => input.receive(new Uint8Array(1)))).toBe('COMMAND_OUT_OF_STATE');
  });
});

describe('limits', () => {
  it('are a stranger’s until trust(), then those of the configuration', () => {
    const strange = listen();
    expect(refusalOf(() => strange.input.receive(message(1, 64 * 1024 + 1)))).toBe('MESSAGE_TOO_LARGE');
    const { input, seen } = listen({ messageSize: 200_000 });
    input.trust();
    input.receive(message(1, 200_000));
    expect(seen).toEqual(['1: 200000 of 1']);
    expect(refusalOf(() => input.receive(message(2, 200_001)))).toBe('MESSAGE_TOO_LARGE');
  });

  it('let a message be as large as the configuration says, even above the usual sum', () => {
    const { input, seen } = listen({ messageSize: 15 * 1024 * 1024 });
    input.trust();
    writer.chunkSize = 0xffffff;
    input.receive(
      new ChunkWriter().write(2, {
        type: 1,
        timestamp: 0,
        streamId: 0,
        payload: Uint8Array.of(0, 0xff, 0xff, 0xff),
      }),
    );
    input.receive(message(1, 15 * 1024 * 1024));
    writer.chunkSize = 128;
    expect(seen).toHaveLength(1);
  });
});

describe('a ciphered connection', () => {
  it('is deciphered as it arrives, held or not, and the borrowed bytes stay as they were', () => {
    const { input, seen } = listen({ halts: [1] });
    const plain = new Uint8Array(Buffer.concat([message(1, 10), message(2, 10), message(3, 10)]));
    const key = Uint8Array.from({ length: 16 }, (_, index) => index);
    const enciphered = new Uint8Array(plain.length);
    new Rc4(key).apply(plain, enciphered);
    const before = enciphered.slice();
    input.decipher = new Rc4(key);
    for (let at = 0; at < enciphered.length; at += 7) input.receive(enciphered.subarray(at, at + 7));
    input.proceed();
    expect(seen).toEqual(['1: 10 of 1', '2: 10 of 2', '3: 10 of 3']);
    expect(enciphered).toEqual(before);
    expect(input.received).toBe(plain.length);
  });
});
