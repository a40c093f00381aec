import { describe, expect, it } from 'vitest';
import type { AmfObject } from '../../src/amf/amf-value.ts';
import { limitsAfterAuth } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { readCommand } from '../../src/command/command-message.ts';
import { MessageOutput } from '../../src/connection/message-output.ts';
import { Rc4 } from '../../src/handshake/rc4.ts';
import { toHex } from '../support/vectors.ts';

function read(pieces: readonly Uint8Array[]) {
  const messages: { type: number; streamId: number; payload: string }[] = [];
  const reader = new ChunkReader(limitsAfterAuth, ({ type, streamId, payload }) => {
    messages.push({ type, streamId, payload: toHex(payload) });
  });
  for (const piece of pieces) reader.read(piece);
  return messages;
}

describe('output', () => {
  it('goes to the chunk streams where clients look for it', () => {
    const output = new MessageOutput();
    output.userControl(0, 1);
    output.command(0, '_result', 1, null);
    output.status(7, 'NetStream.Publish.Start', 'Publishing.');
    const pieces = output.take();
    expect(pieces.map((piece) => piece[0]! & 0x3f)).toEqual([2, 3, 5]); // RTMP 5.4: control on 2
    expect(read(pieces)).toMatchObject([
      { type: 4, streamId: 0, payload: '000000000001' },
      { type: 20, streamId: 0 },
      { type: 20, streamId: 7 },
    ]);
    const status = readCommand(20, Buffer.from(read(pieces)[2]!.payload, 'hex'));
    expect(status).toMatchObject({ name: 'onStatus', transactionId: 0, commandObject: null });
    expect((status.args[0] as AmfObject).get('description')).toBe('Publishing.');
    expect(output.take()).toEqual([]);
  });

  it('changes the chunk size behind its announcement, not before', () => {
    const output = new MessageOutput();
    const long = 'x'.repeat(1000);
    output.command(0, 'a', 0, null, long);
    output.setChunkSize(65_536);
    output.command(0, 'b', 0, null, long);
    const [first, announcement, second] = output.take();
    expect(first!.length - second!.length).toBeGreaterThanOrEqual(7); // seven type 3 headers
    expect(read([first!, announcement!, second!])).toHaveLength(2);
  });

  it('is enciphered from the moment that there is a cipher, the handshake never', () => {
    const output = new MessageOutput();
    output.encipher = new Rc4(Uint8Array.of(1, 2, 3));
    output.raw([Uint8Array.of(3, 4)]);
    output.userControl(6, 1);
    output.userControl(6, 2);
    const [handshake, ...pieces] = output.take();
    expect(handshake).toEqual(Uint8Array.of(3, 4));
    const decipher = new Rc4(Uint8Array.of(1, 2, 3));
    for (const piece of pieces) decipher.apply(piece, piece);
    expect(read(pieces).map(({ payload }) => payload)).toEqual(['000600000001', '000600000002']);
  });
});
