import { describe, expect, it } from 'vitest';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { limitsAfterAuth } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { readCommand } from '../../src/command/command-message.ts';
import { ClientConnection } from '../../src/connection/client-connection.ts';
import { MessageOutput } from '../../src/connection/message-output.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { toHex } from '../support/vectors.ts';

const name = 'camera-1?key=psk_7h2kq9d4_x';

/** A client against a server that is written down here: the handshake is over, and all it says is read. */
function connected(options: { readonly name?: string | undefined } = { name }) {
  const client = new ClientConnection({
    random: seededRandom('client'),
    time: 0,
    version: 3,
    app: 'live',
    tcUrl: 'rtmps://h/live',
    ...options,
    chunkSize: 4096,
  });
  const said: string[] = [];
  const reader = new ChunkReader(limitsAfterAuth, ({ type, streamId, payload }) => {
    if (type === 20) {
      const { name: command, transactionId, args } = readCommand(type, payload);
      said.push(`${command}(${args.map(String).join()}) #${transactionId} on ${streamId}`);
    } else said.push(`${type} on ${streamId}: ${toHex(payload)}`);
  });
  const output = new MessageOutput();
  client.receive(new Uint8Array(1 + 2 * 1536).fill(3, 0, 1)); // S0 S1 S2
  let skip = 1 + 2 * 1536; // C0 C1 C2
  const listen = () => {
    for (const piece of client.takeOutput()) {
      const skipped = Math.min(skip, piece.length);
      skip -= skipped;
      reader.read(piece.subarray(skipped));
    }
    return said.splice(0);
  };
  /** Lets the server speak. */
  const tell = () => {
    for (const piece of output.take()) client.receive(piece);
  };
  return { client, output, listen, tell };
}

describe('a client', () => {
  it('connects, creates a stream and publishes, as encoders do', () => {
    const { client, output, listen, tell } = connected();
    expect(listen()).toEqual(['connect() #1 on 0']);
    output.command(0, '_result', 1, null, new AmfObject([]));
    tell();
    expect(listen()).toEqual([
      `releaseStream(${name}) #2 on 0`,
      `FCPublish(${name}) #3 on 0`,
      'createStream() #4 on 0',
    ]);
    output.command(0, '_result', 2, null, undefined);
    output.command(0, '_result', 4, null, 7);
    tell();
    expect(listen()).toEqual([`publish(${name},live) #5 on 7`]);
    expect(client.nextEvent()).toBeUndefined();
    output.status(7, 'NetStream.Publish.Start', 'Publishing.');
    tell();
    expect(client.nextEvent()).toEqual({ type: 'published' });

    client.sendTag(9, 2 ** 32 + 5, Uint8Array.of(0x17));
    client.unpublish();
    expect(listen()).toEqual(['9 on 7: 17', `FCUnpublish(${name}) #6 on 0`, 'deleteStream(7) #7 on 0']);
  });

  it('tells how far it has come, and without a name stops at connect', () => {
    const { client, output, listen, tell } = connected({});
    expect([client.stage, listen()]).toEqual(['connecting', ['connect() #1 on 0']]);
    output.command(0, '_result', 1, null, new AmfObject([]));
    tell();
    expect([client.stage, listen()]).toEqual(['connected', []]);
  });

  it('goes on where a server does not know the commands that only some servers want', () => {
    const { client, output, tell } = connected();
    output.command(0, '_result', 1, null, new AmfObject([]));
    const unknown = new AmfObject([
      ['level', 'error'],
      ['code', 'NetConnection.Call.Failed'],
    ]);
    output.command(0, '_error', 2, null, unknown);
    output.command(0, '_error', 3, null, unknown);
    output.command(0, '_result', 4, null, 1);
    tell();
    expect([client.stage, client.nextEvent()]).toEqual(['connected', undefined]);
    output.status(1, 'NetStream.Publish.Start', 'Publishing.');
    tell();
    expect(client.stage).toBe('published');
  });

  it('reports what it is refused with, wherever the information object stands', () => {
    const { client, output, tell } = connected();
    output.command(
      0,
      '_error',
      1,
      null,
      new AmfObject([
        ['level', 'error'],
        ['code', 'A'],
        ['description', 'a'],
      ]),
    );
    output.command(
      0,
      '_error',
      1,
      new AmfObject([
        ['level', 'error'],
        ['code', 'B'],
      ]),
    );
    output.command(0, 'onStatus', 0, null, 'no object');
    output.status(1, 'NetStream.Failed', 'c');
    tell();
    expect([client.nextEvent(), client.nextEvent(), client.nextEvent(), client.nextEvent()]).toEqual([
      { type: 'status', level: 'error', code: 'A', description: 'a' },
      { type: 'status', level: 'error', code: 'B', description: '' },
      { type: 'status', level: 'error', code: 'NetStream.Failed', description: 'c' },
      undefined,
    ]);
  });

  it('answers pings', () => {
    const { output, listen, tell } = connected();
    listen();
    output.userControl(6, 77);
    output.userControl(0, 1);
    tell();
    expect(listen()).toEqual(['4 on 0: 00070000004d']);
  });

  it('takes no more than answers from a server', () => {
    const { output, tell } = connected();
    output.setChunkSize(1 << 20);
    output.message(9, { type: 9, timestamp: 0, streamId: 1, payload: new Uint8Array(64 * 1024 + 1) });
    expect(refusalOf(tell)).toBe('MESSAGE_TOO_LARGE');
  });
});
