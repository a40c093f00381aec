import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { amf3CommandPayload } from '../../src/command/command-message.ts';
import { commandLimits } from '../../src/command/command-limits.ts';
import { uint32Payload } from '../../src/command/control-message.ts';
import { ClientConnection } from '../../src/connection/client-connection.ts';
import type { ConnectionEvent } from '../../src/connection/connection-event.ts';
import { ServerConnection } from '../../src/connection/server-connection.ts';
import { TagType } from '../../src/flv/tag.ts';
import type { HandshakeVersion } from '../../src/handshake/handshake-packet.ts';
import { aggregatePayload } from '../support/aggregate.ts';
import { AnswerReader, ClientScript, obsScript } from '../support/client-script.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { slicesAt, slicesOf } from '../support/slices.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const key = 'psk_7h2kq9d4_0123456789abcdefghjkmnpqrs';
const { Audio, Video, DataAmf0, DataAmf3, CommandAmf3 } = MessageType;
const aacHeader = fromHex('af 00 1210');
const aacFrame = fromHex('af 01 2110049020');
const avcHeader = fromHex('17 00 000000 0164001f');
const keyFrame = new Uint8Array(9000).fill(0x17).fill(1, 1, 2); // three chunks of 4096
const interFrame = fromHex('27 01 000000 00000002 419a');
const metadata = encodeAmf0(
  '@setDataFrame',
  'onMetaData',
  new AmfObject(
    [
      ['encoder', 'obs'],
      ['width', 1280],
    ],
    'ecma-array',
  ),
);
const audio = (timestamp: number, payload = aacFrame, streamId = 1) => ({
  type: Audio,
  timestamp,
  streamId,
  payload,
});
const video = (timestamp: number, payload = interFrame, streamId = 1) => ({
  type: Video,
  timestamp,
  streamId,
  payload,
});

interface SeenTag {
  readonly streamId: number;
  readonly type: number;
  readonly timestamp: number;
  readonly role: string;
  readonly bytes: number;
  readonly head: string;
}

/** An event without what differs in every test or must not be shown. */
function plain(event: ConnectionEvent): unknown {
  if (event.type === 'metadata')
    return {
      type: 'metadata',
      streamId: event.streamId,
      properties: Object.fromEntries(event.properties.properties),
    };
  if (!('address' in event)) return event;
  const { address, ...rest } = event;
  return { ...rest, address: { app: address.app, name: address.name.reveal(), key: address.key?.reveal() } };
}

/** A server that accepts every request, unless `answering` is false. */
function serve({ answering = true, messageSize = 8 * 1024 * 1024 } = {}) {
  const tags: SeenTag[] = [];
  const events: ConnectionEvent[] = [];
  const output: Uint8Array[] = [];
  const answers = new AnswerReader();
  const server = new ServerConnection({
    random: seededRandom('server'),
    time: 0,
    messageSize,
    onTag: (streamId, { type, timestamp, role, body }) => {
      tags.push({ streamId, type, timestamp, role, bytes: body.length, head: toHex(body.subarray(0, 16)) });
    },
  });
  const drain = () => {
    try {
      for (let event = server.nextEvent(); event !== undefined; event = server.nextEvent()) {
        events.push(event);
        if (answering && 'request' in event) server.accept(event.request);
      }
    } finally {
      const pieces = server.takeOutput();
      output.push(...pieces);
      answers.read(pieces);
    }
  };
  const send = (from: ClientScript | Uint8Array, now = 0) => {
    const bytes = from instanceof ClientScript ? from.take() : from;
    try {
      server.receive(bytes, now);
      bytes.fill(0xee); // what was borrowed is not the server's any more
    } finally {
      drain();
    }
  };
  return {
    server,
    tags,
    events,
    answers,
    send,
    drain,
    /** Everything sent, as text in which any secret would be found. */
    said: () => Buffer.concat(output).toString('latin1'),
    eventTypes: () => events.map(({ type }) => type),
    request: (type: 'connect' | 'publish' | 'play') => {
      const event = events.find((each) => each.type === type);
      if (event === undefined || !('request' in event)) throw new Error(`no ${type}`);
      return event.request;
    },
  };
}

/** A server with one accepted publication on message stream 1, and the script that goes on with it. */
function publishing(
  options: { messageSize?: number } = {},
  properties: readonly (readonly [string, AmfValue])[] = [],
) {
  const script = new ClientScript().handshake().chunkSize(4096).connect('live', '', properties);
  script.createStream().publish(1, key);
  const served = serve(options);
  served.send(script);
  return { ...served, script };
}

/** Bytes in hex as said() has them. */
const fromLatin1 = (hex: string) => Buffer.from(fromHex(hex)).toString('latin1');

/** The roles and timestamps of the tags, which is what most tests are about. */
const short = (tags: readonly SeenTag[]) => tags.map(({ role, timestamp }) => `${role}@${timestamp}`);

describe('connect', () => {
  it.each([
    ['live/_definst_', { app: 'live', bare: true }],
    [`live?key=${key}`, { app: 'live', bare: false, signIn: undefined }],
    ['live?authmod=adobe&user=u', { app: 'live', bare: false, signIn: { method: 'adobe', user: 'u' } }],
  ])('tells what %s says', (app, expected) => {
    const { send, events } = serve({ answering: false });
    send(new ClientScript().handshake().connect(app));
    expect(events.at(-1)).toMatchObject(expected);
  });
});

describe('OBS', () => {
  // WIRE 5: OBS puts metadata, audio and video on chunk stream 4, and relies on deltas of type 2 and 3 headers.
  const media = (script: ClientScript) =>
    script
      .message(4, { type: DataAmf0, timestamp: 0, streamId: 1, payload: metadata }, 0)
      .message(4, audio(0, aacHeader), 0)
      .message(4, video(0, avcHeader), 0)
      .message(4, video(0, keyFrame), 0)
      .message(4, audio(5), 1)
      .message(4, video(33), 1)
      .message(4, video(66), 2)
      .message(4, video(99), 3);
  const stop = (script: ClientScript) =>
    script.command(3, 0, 1, 'FCUnpublish', 6, null, key).command(3, 0, 1, 'deleteStream', 7, null, 1);

  it('connects, publishes, sends media and ends', () => {
    const { send, events, tags, answers, said } = serve();
    const script = obsScript(key);
    send(script);
    expect(events.map(plain)).toEqual([
      { type: 'handshaken', encrypted: false, digest: false },
      {
        type: 'connect',
        request: 1,
        app: 'live',
        flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)',
        signIn: undefined,
        bare: true,
      },
      {
        type: 'publish',
        request: 2,
        streamId: 1,
        address: { app: 'live', name: key, key: undefined },
        publishType: 'live',
      },
    ]);
    expect(answers.answers).toEqual([
      { type: 5, payload: '002625a0' },
      { type: 6, payload: '002625a002' },
      { type: 4, payload: '000000000000' },
      {
        type: 'command',
        streamId: 0,
        name: '_result',
        transactionId: 1,
        values: [
          expect.objectContaining({ fmsVer: 'FMS/3,5,3,824' }),
          expect.objectContaining({ code: 'NetConnection.Connect.Success' }),
        ],
      },
      { type: 'command', streamId: 0, name: '_result', transactionId: 2, values: [null, undefined] },
      { type: 'command', streamId: 0, name: '_result', transactionId: 3, values: [null, undefined] },
      { type: 'command', streamId: 0, name: '_result', transactionId: 4, values: [null, 1] },
      { type: 4, payload: '000000000001' },
      {
        type: 'command',
        streamId: 1,
        name: 'onStatus',
        transactionId: 0,
        values: [null, expect.objectContaining({ level: 'status', code: 'NetStream.Publish.Start' })],
      },
    ]);
    // SetChunkSize 65536, which spares FFmpeg most of its chunks. WIRE 5
    expect(said().includes(fromLatin1('00000401 00010000'))).toBe(true);

    send(media(script));
    expect(tags).toMatchObject([
      { type: TagType.ScriptData, timestamp: 0, role: 'metadata', bytes: metadata.length },
      { type: TagType.Audio, timestamp: 0, role: 'sequence-start', head: toHex(aacHeader) },
      { type: TagType.Video, timestamp: 0, role: 'sequence-start', head: toHex(avcHeader) },
      { type: TagType.Video, timestamp: 0, role: 'key-frame', bytes: 9000 },
      { type: TagType.Audio, timestamp: 5, role: 'audio', head: toHex(aacFrame) },
      { type: TagType.Video, timestamp: 33, role: 'inter-frame', head: toHex(interFrame) },
      { type: TagType.Video, timestamp: 66 },
      { type: TagType.Video, timestamp: 99 },
    ]);
    send(stop(script));
    expect(events.slice(3).map(plain)).toEqual([
      { type: 'metadata', streamId: 1, properties: { encoder: 'obs', width: 1280 } },
      { type: 'unpublish-announced', streamId: 1 },
      { type: 'stream-closed', streamId: 1 },
    ]);
    expect(answers.statuses.at(-1)).toMatchObject({ streamId: 1, code: 'NetStream.Unpublish.Success' });
    expect(said()).not.toContain(key.slice(4));
  });

  it('is the same however its bytes are cut', () => {
    const script = media(obsScript(key)).command(4, 1, 0, 'closeStream', 0, null).publish(1, 'other');
    const bytes = stop(script.message(4, video(500), 0)).take();
    const outcome = (slices: readonly Uint8Array[]) => {
      const { send, events, tags, answers } = serve();
      for (const slice of slices) send(slice);
      return { events: events.map(plain), tags, answers: answers.answers };
    };
    const whole = outcome([bytes.slice()]);
    expect(whole.tags).toHaveLength(9);
    expect(whole.events).toHaveLength(8);

    for (const size of [1, 2, 3, 7, 128, 1536, 4096]) expect(outcome(slicesOf(bytes, size))).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
        expect(outcome(slicesAt(bytes, cuts))).toEqual(whole);
      }),
      { seed: 20261122, numRuns: 150 },
    );
    // Where the requests are, and what must wait for their answers, each cut.
    for (let cut = 3073; cut < 3073 + 600; cut += 1) expect(outcome(slicesAt(bytes, [cut]))).toEqual(whole);
  });
});

describe('FFmpeg', () => {
  it('publishes on chunk stream 8, sends audio on 4, video on 6, and echoes our chunk size', () => {
    const { send, eventTypes, tags, answers } = serve();
    const script = new ClientScript().handshake().connect(); // in chunks of 128
    send(script);
    script
      .chunkSize(65_536)
      .control(MessageType.WindowAcknowledgementSize, uint32Payload(2_500_000))
      .command(3, 0, undefined, 'releaseStream', 2, null, key)
      .command(3, 0, undefined, 'FCPublish', 3, null, key)
      .command(3, 0, undefined, 'createStream', 4, null)
      .command(3, 0, undefined, '_checkbw', 5, null);
    send(script);
    script
      .command(8, 1, 0, 'publish', 6, null, key, 'live')
      .message(4, { type: DataAmf0, timestamp: 0, streamId: 1, payload: metadata })
      .message(6, video(0, avcHeader))
      .message(4, audio(0, aacHeader))
      .message(6, video(80, keyFrame))
      .message(4, audio(23))
      .message(4, audio(46))
      .message(6, video(120));
    send(script);
    expect(short(tags)).toEqual([
      'metadata@0',
      'sequence-start@0',
      'sequence-start@0',
      'key-frame@80',
      'audio@23',
      'audio@46',
      'inter-frame@120',
    ]);
    expect(eventTypes()).toEqual(['handshaken', 'connect', 'publish', 'metadata']);
    expect(answers.statuses.map(({ code }) => code)).toEqual([
      'NetConnection.Call.Failed',
      'NetStream.Publish.Start',
    ]);
  });
});

describe('an encoder that waits for nothing', () => {
  it('has what it sends behind a request set aside until the answer, and none of it is lost', () => {
    const { server, send, drain, tags, answers, eventTypes, request } = serve({ answering: false });
    const script = new ClientScript()
      .hasty(key)
      .message(4, video(0, avcHeader))
      .message(6, video(40, keyFrame));
    send(script);
    expect(eventTypes()).toEqual(['handshaken', 'connect']);
    expect(answers.answers).toEqual([]);

    server.accept(request('connect'));
    drain();
    expect(eventTypes()).toEqual(['handshaken', 'connect', 'publish']);
    send(script.message(4, audio(41))); // a read that was under way
    expect(tags).toEqual([]);
    expect(answers.statuses).toEqual([]);

    server.accept(request('publish'));
    drain();
    expect(short(tags)).toEqual(['sequence-start@0', 'key-frame@40', 'audio@41']);
    expect(answers.statuses.map(({ code }) => code)).toEqual(['NetStream.Publish.Start']);
    send(script.message(4, audio(64)));
    expect(short(tags).at(-1)).toBe('audio@64');
  });

  it('may send a frame larger than a stranger may, because it is read after the answer', () => {
    const { send, tags } = serve();
    send(new ClientScript().hasty(key).message(6, video(0, new Uint8Array(300_000).fill(0x17))));
    expect(tags).toMatchObject([{ role: 'key-frame', bytes: 300_000 }]);
  });

  it('may not go on for ever', () => {
    const { server, send, events, tags } = serve({ answering: false });
    send(new ClientScript().handshake().connect());
    const piece = new Uint8Array(128 * 1024);
    const code = refusalOf(() => {
      for (let sent = 0; sent <= 512 * 1024; sent += piece.length) send(piece.slice());
    });
    expect(code).toBe('COMMAND_OUT_OF_STATE');
    expect(server.state).toBe('closed');
    expect([events.length, tags.length]).toEqual([2, 0]);
  });
});

describe('our own client', () => {
  it.each<[HandshakeVersion, boolean]>([
    [3, false],
    [6, true],
    [8, true],
    [9, true],
  ])('with C0 %i: encrypted is %s, and what is cut anywhere arrives whole', (version, encrypted) => {
    const { server, events, tags } = serve();
    const client = new ClientConnection({
      random: seededRandom('client'),
      time: 0,
      version,
      app: 'live',
      tcUrl: 'rtmp://h/live',
      name: key,
      chunkSize: 4096,
    });
    const heard: string[] = [];
    const exchange = (size: number) => {
      for (let quiet = false; !quiet;) {
        const up = Buffer.concat(client.takeOutput());
        for (const slice of slicesOf(up, size)) server.receive(slice, 0);
        for (let event = server.nextEvent(); event !== undefined; event = server.nextEvent()) {
          events.push(event);
          if ('request' in event) server.accept(event.request);
        }
        const down = Buffer.concat(server.takeOutput());
        for (const slice of slicesOf(down, size)) client.receive(slice);
        for (let event = client.nextEvent(); event !== undefined; event = client.nextEvent())
          heard.push(event.type === 'status' ? event.code : event.type);
        quiet = up.length + down.length === 0;
      }
    };
    exchange(97);
    expect(events[0]).toEqual({ type: 'handshaken', encrypted, digest: encrypted });

    client.sendTag(TagType.Video, 0, keyFrame);
    client.sendTag(TagType.Audio, 23, aacFrame);
    client.sendTag(TagType.ScriptData, 23, metadata);
    exchange(1);
    client.unpublish();
    exchange(4096);
    expect(tags).toMatchObject([
      { role: 'key-frame', bytes: 9000, head: toHex(keyFrame.subarray(0, 16)) },
      { role: 'audio', timestamp: 23, head: toHex(aacFrame) },
      { role: 'metadata', timestamp: 23, bytes: metadata.length },
    ]);
    expect(events.at(-1)).toEqual({ type: 'stream-closed', streamId: 1 });
    expect(heard).toEqual(['published', 'NetStream.Unpublish.Success']);
  });
});

describe('what is refused', () => {
  const opened = () => new ClientScript().handshake().chunkSize(4096).connect();
  const created = () => opened().createStream();
  const bomb = new Uint8Array(6000).map((_, index) => [3, 0, 1, 97][index % 4]!);

  it.each<[string, ClientScript, string]>([
    ['publish before connect', new ClientScript().handshake().publish(1, key), 'COMMAND_OUT_OF_STATE'],
    ['createStream before connect', new ClientScript().handshake().createStream(), 'COMMAND_OUT_OF_STATE'],
    [
      'an unknown call before connect',
      new ClientScript().handshake().command(3, 0, 0, 'constructor', 1, null),
      'COMMAND_OUT_OF_STATE',
    ],
    ['connect a second time', opened().connect(), 'COMMAND_OUT_OF_STATE'],
    [
      'connect without an app',
      new ClientScript().handshake().command(3, 0, 0, 'connect', 1, new AmfObject([])),
      'COMMAND_INVALID',
    ],
    ['a command without a name', opened().command(3, 0, 0, null, 1, null), 'COMMAND_INVALID'],
    ['a publish type that nobody knows', created().publish(1, key, 'love'), 'COMMAND_INVALID'],
    ['a C0 that is not spoken here', new ClientScript().raw(fromHex('1f')), 'HANDSHAKE_VERSION_UNSUPPORTED'],
    [
      'a control message cut short',
      opened().control(MessageType.UserControl, fromHex('0006 0000')),
      'CONTROL_MESSAGE_INVALID',
    ],
    [
      'an AMF bomb in metadata, also where nobody publishes',
      opened().message(4, { type: DataAmf0, timestamp: 0, streamId: 9, payload: bomb }),
      'AMF_TOO_DEEP',
    ],
    [
      'a second publish on a stream that is live',
      created().publish(1, key).publish(1, 'x'),
      'COMMAND_OUT_OF_STATE',
    ],
  ])('%s', (_, script, code) => {
    const { server, send, tags, eventTypes } = serve();
    expect(refusalOf(() => send(script))).toBe(code);
    expect(server.state).toBe('closed');
    const before = eventTypes();
    send(new ClientScript().publish(1, key)); // dead: nothing is read any more
    expect(eventTypes()).toEqual(before);
    expect(tags).toEqual([]);
  });

  // A person may be looking at the encoder, so these are told why.
  const notCreated = 'the command names a message stream that was not created.';
  it.each<[string, number, AmfValue, string, string]>([
    ['message stream 0', 0, key, 'COMMAND_OUT_OF_STATE', notCreated],
    ['message stream 99', 99, key, 'COMMAND_OUT_OF_STATE', notCreated],
    ['message stream 0xffffffff', 0xffffffff, key, 'COMMAND_OUT_OF_STATE', notCreated],
    ['the name null', 1, null, 'STREAM_NAME_INVALID', 'the stream name is not a string.'],
    ['a number for a name', 1, 7, 'STREAM_NAME_INVALID', 'the stream name is not a string.'],
    ['an object for a name', 1, new AmfObject([]), 'STREAM_NAME_INVALID', 'the stream name is not a string.'],
    ['an empty name', 1, '', 'STREAM_NAME_INVALID', 'the publishing name is empty.'],
    ['a NUL in it', 1, `${key}\0`, 'STREAM_NAME_INVALID', 'the publishing name holds control characters.'],
  ])('publish with %s, in words', (_, streamId, name, code, description) => {
    const { send, answers, eventTypes, said } = serve();
    expect(refusalOf(() => send(created().publish(streamId, name)))).toBe(code);
    expect(eventTypes()).not.toContain('publish');
    expect(answers.statuses).toEqual([
      { streamId, level: 'error', code: 'NetStream.Publish.BadName', description },
    ]);
    expect(said()).not.toContain(key.slice(4));
  });

  it(`more than ${commandLimits.streams} message streams at once`, () => {
    const script = opened();
    const { send, answers } = serve();
    for (let count = 0; count < 40; count += 1)
      script.createStream(10).command(3, 0, undefined, 'deleteStream', 0, null, 1);
    send(script); // one after the other is no harm
    for (let count = 0; count < commandLimits.streams; count += 1) script.createStream(100 + count);
    send(script, 5000);
    const ids = answers.answers.flatMap((answer) =>
      answer.type === 'command' && answer.transactionId >= 100 ? [answer.values[1]] : [],
    );
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(refusalOf(() => send(script.createStream(), 5000))).toBe('TOO_MANY_STREAMS');
  });

  const { commandsPerSecond, controlsPerSecond, unheardPerSecond } = commandLimits;
  const empty = (type: number) => ({ type, timestamp: 0, streamId: 2, payload: new Uint8Array(0) });
  it.each<[string, number, (script: ClientScript) => ClientScript]>([
    ['commands', commandsPerSecond, (script) => script.command(3, 0, undefined, 'FCPublish', 0, null, 'x')],
    [
      'calls of nothing',
      commandsPerSecond,
      (script) => script.command(3, 0, undefined, '__proto__', 0, null),
    ],
    [
      'data messages',
      commandsPerSecond,
      (script) => script.message(4, { type: DataAmf0, timestamp: 0, streamId: 1, payload: encodeAmf0('x') }),
    ],
    ['pings', controlsPerSecond, (script) => script.userControl(6, 1)],
    ['window sizes', controlsPerSecond, (script) => script.control(5, uint32Payload(100_000))],
    ['media where nobody publishes', unheardPerSecond, (script) => script.message(6, empty(9))],
    ['aggregates where nobody publishes', unheardPerSecond, (script) => script.message(6, empty(22))],
    ['shared objects', unheardPerSecond, (script) => script.message(6, empty(19))],
    ['messages of an unknown type', unheardPerSecond, (script) => script.message(6, empty(99))],
  ])('a flood of %s', (_, perSecond, one) => {
    const { send, script } = publishing();
    const many = (count: number) => {
      for (let sent = 0; sent < count; sent += 1) one(script);
      return script;
    };
    send(many(perSecond), 60_000);
    send(many(perSecond / 2), 60_500);
    expect(refusalOf(() => send(many(1), 60_500))).toBe('TOO_MANY_COMMANDS');
  });

  it('frames above 64 KiB until the publication is accepted, and above messageSize then', () => {
    const big = (bytes: number) => video(0, new Uint8Array(bytes).fill(0x17));
    const early = serve();
    const stranger = created().chunkSize(0xffffff);
    early.send(stranger);
    expect(refusalOf(() => early.send(stranger.message(6, big(64 * 1024))))).toBeUndefined();
    expect(refusalOf(() => early.send(stranger.message(6, big(64 * 1024 + 1))))).toBe('MESSAGE_TOO_LARGE');

    const { send, script, tags } = publishing({ messageSize: 1_000_000 });
    send(script.chunkSize(0xffffff).message(6, big(1_000_000)));
    expect(tags).toMatchObject([{ bytes: 1_000_000 }]);
    expect(refusalOf(() => send(script.message(6, big(1_000_001))))).toBe('MESSAGE_TOO_LARGE');
  });
});

describe('refuse', () => {
  it('answers connect with _error and its transaction ID', () => {
    const { server, send, drain, answers, request } = serve({ answering: false });
    send(new ClientScript().hasty(key));
    server.refuse(request('connect'), 'NetConnection.Connect.Rejected', 'switched off here');
    drain();
    const information = {
      level: 'error',
      code: 'NetConnection.Connect.Rejected',
      description: 'switched off here',
    };
    expect(answers.answers).toEqual([
      { type: 'command', streamId: 0, name: '_error', transactionId: 1, values: [null, information] },
    ]);
    expect(server.state).toBe('closing');
  });

  it('answers publish on its message stream, never with Publish.Start, and what waited is never read', () => {
    const { server, send, drain, answers, request, tags, said, eventTypes } = serve({ answering: false });
    const script = new ClientScript().hasty(key).message(6, video(0, keyFrame));
    send(script);
    server.accept(request('connect'));
    drain();
    server.refuse(request('publish'), 'NetStream.Publish.BadName', 'No.');
    drain();
    send(script.message(6, video(40)).publish(1, 'again'));
    expect(answers.statuses).toEqual([
      { streamId: 1, level: 'error', code: 'NetStream.Publish.BadName', description: 'No.' },
    ]);
    expect(tags).toEqual([]);
    expect(eventTypes()).toEqual(['handshaken', 'connect', 'publish']);
    expect(said()).not.toContain(key.slice(4));
  });

  it('knows only the request that is open', () => {
    const { server, send, request } = serve({ answering: false });
    send(new ClientScript().handshake().connect());
    expect(() => server.accept(request('connect') + 1)).toThrow('the request is not open');
    server.accept(request('connect'));
    const again = () => server.refuse(request('connect'), 'NetStream.Failed', '');
    expect(again).toThrow('the request is not open');
  });

  it('and dismiss tell all who are concerned, in any order, even after an error', () => {
    const { server, send, drain, answers, events } = serve({ answering: false });
    const script = new ClientScript().hasty(key).createStream(8).publish(2, 'other');
    send(script);
    for (const request of [1, 2]) {
      server.accept(request);
      drain();
    }
    expect(events.at(-1)).toMatchObject({ type: 'publish', streamId: 2, request: 3 });
    expect(refusalOf(() => server.receive(new Uint8Array(600 * 1024), 0))).toBe('COMMAND_OUT_OF_STATE');
    server.dismiss(1, 'NetStream.Failed', 'Over.');
    server.refuse(3, 'NetStream.Failed', 'Over too.');
    server.dismiss(1, 'NetStream.Failed', 'Really.');
    drain();
    expect(answers.statuses.map(({ streamId, description }) => [streamId, description])).toEqual([
      [1, 'Publishing.'],
      [1, 'Over.'],
      [2, 'Over too.'],
      [1, 'Really.'],
    ]);
  });

  it('comes before dismiss without harm', () => {
    const { server, send, drain, answers } = serve({ answering: false });
    send(new ClientScript().hasty(key).createStream(8).publish(2, 'other'));
    for (const request of [1, 2]) {
      server.accept(request);
      drain();
    }
    server.dismiss(1, 'NetStream.Failed', 'First.');
    server.refuse(3, 'NetStream.Failed', 'Second.');
    drain();
    expect(server.state).toBe('closing');
    expect(answers.statuses.map(({ description }) => description)).toEqual([
      'Publishing.',
      'First.',
      'Second.',
    ]);
  });
});

describe('one connection', () => {
  it('publishes again after closeStream, under another name and from 0 on', () => {
    const { send, script, tags, events, answers } = publishing();
    send(script.message(6, video(90_000, keyFrame)).message(6, video(90_040)));
    send(script.command(3, 0, undefined, 'closeStream', 0, null)); // on message stream 0, where nobody publishes
    send(script.command(4, 1, undefined, 'closeStream', 0, null).message(6, video(90_080)));
    send(script.publish(1, 'camera-2').message(6, video(200_000, keyFrame)).message(6, video(200_040)));
    expect(short(tags)).toEqual(['key-frame@0', 'inter-frame@40', 'key-frame@0', 'inter-frame@40']);
    expect(events.slice(3).map(plain)).toMatchObject([
      { type: 'stream-closed', streamId: 1 },
      { type: 'publish', address: { name: 'camera-2' } },
    ]);
    expect(answers.statuses.map(({ code }) => code)).toEqual([
      'NetStream.Publish.Start',
      'NetStream.Unpublish.Success',
      'NetStream.Publish.Start',
    ]);
  });

  it('publishes two streams at once, each with its own clock', () => {
    const { send, script, tags } = publishing();
    send(script.createStream(8).publish(2, 'camera-2'));
    script.message(6, video(1000)).message(7, video(70_000, keyFrame, 2));
    send(script.message(6, video(1040)).message(7, video(70_020, interFrame, 2)));
    expect(tags.map(({ streamId, timestamp }) => [streamId, timestamp])).toEqual([
      [1, 0],
      [2, 0],
      [1, 40],
      [2, 20],
    ]);
  });

  it('drops media of message streams that nobody publishes on', () => {
    const { send, script, tags, events } = publishing();
    script.message(6, video(0, keyFrame, 0)).message(7, video(0, keyFrame, 2));
    send(script.message(8, { type: DataAmf0, timestamp: 0, streamId: 3, payload: metadata }));
    expect(tags).toEqual([]);
    expect(events).toHaveLength(3);
  });

  it.each([[1], [key]])('ends a publication with deleteStream(%s): GStreamer sends the name', (argument) => {
    const { send, script, tags, eventTypes } = publishing();
    send(script.command(3, 0, undefined, 'deleteStream', 0, null, argument).message(6, video(0)));
    expect(eventTypes().at(-1)).toBe('stream-closed');
    expect(tags).toEqual([]);
  });

  it.each([[0], [2], [Number.NaN], [-1]])(
    'goes on after deleteStream(%s), which is another stream',
    (argument) => {
      const { send, script, tags, eventTypes } = publishing();
      send(script.command(3, 0, undefined, 'deleteStream', 0, null, argument).message(6, video(0)));
      expect(eventTypes().at(-1)).toBe('publish');
      expect(tags).toHaveLength(1);
    },
  );

  it('passes over shared objects and types that nobody has named', () => {
    const { send, script, tags } = publishing();
    for (const type of [MessageType.SharedObjectAmf0, MessageType.SharedObjectAmf3, 7, 99])
      script.message(9, { type, timestamp: 0, streamId: 1, payload: fromHex('00ff00ff') });
    send(script.message(6, video(0)));
    expect(tags).toHaveLength(1);
  });

  it('answers calls of what there is not, but no answers', () => {
    const { send, script, answers } = publishing();
    const before = answers.answers.length;
    for (const name of ['constructor', '__proto__', 'getStreamLength', '_result', '_error', 'onStatus'])
      script.command(3, 0, undefined, name, 9, null);
    send(script.command(3, 0, undefined, '_checkbw', 0, null));
    expect(answers.answers.slice(before)).toMatchObject(
      Array.from({ length: 3 }, () => ({ name: '_error', transactionId: 9, streamId: 0 })),
    );
  });

  it('takes AMF3 commands and data that begin with a format byte', () => {
    const { send, tags, eventTypes } = serve();
    const amf3 = (type: number, streamId: number, values: Uint8Array) => ({
      type,
      timestamp: 0,
      streamId,
      payload: new Uint8Array([0, ...values]),
    });
    send(
      new ClientScript()
        .handshake()
        .message(3, amf3(CommandAmf3, 0, encodeAmf0('connect', 1, new AmfObject([['app', 'live']]))))
        .message(3, amf3(CommandAmf3, 0, encodeAmf0('createStream', 2, null)))
        .message(4, amf3(CommandAmf3, 1, encodeAmf0('publish', 3, null, key)))
        .message(4, amf3(DataAmf3, 1, metadata)),
    );
    expect(eventTypes()).toEqual(['handshaken', 'connect', 'publish', 'metadata']);
    expect(tags).toMatchObject([
      { type: TagType.ScriptData, head: toHex(metadata.subarray(0, 16)), bytes: metadata.length },
    ]);
  });

  it('takes an aggregate for the messages in it, and refuses one that is damaged', () => {
    const { send, script, tags } = publishing();
    const payload = aggregatePayload(
      { type: Video, timestamp: 0, payload: keyFrame },
      { type: Audio, timestamp: 10, payload: aacFrame },
    );
    const aggregate = { type: MessageType.Aggregate, timestamp: 1000, streamId: 1, payload };
    send(script.message(6, video(960)).message(6, aggregate));
    expect(short(tags)).toEqual(['inter-frame@0', 'key-frame@40', 'audio@50']);
    const damaged = script.message(6, { ...aggregate, payload: payload.subarray(0, -5) });
    expect(refusalOf(() => send(damaged))).toBe('AGGREGATE_INVALID');
  });

  it('speaks type 17 to a client that announced AMF3, from the answer to connect on', () => {
    const { server, send, drain, answers, events } = serve({ answering: false });
    const script = new ClientScript().handshake().connect('live', '', [['objectEncoding', 3]]);
    send(script);
    server.accept(1);
    drain();
    expect(answers.commands).toEqual(['_result']);
    expect(answers.amf3Commands).toBe(0);
    expect(answers.answers.at(-1)).toMatchObject({ values: [{}, { objectEncoding: 3 }] });
    const typed = (streamId: number, ...values: AmfValue[]) => ({
      type: CommandAmf3,
      timestamp: 0,
      streamId,
      payload: amf3CommandPayload(encodeAmf0(...values)),
    });
    send(script.message(3, typed(0, 'createStream', 2, null)));
    send(script.message(4, typed(1, 'publish', 3, null, key)));
    server.accept(2);
    drain();
    expect(answers.commands).toEqual(['_result', '_result', 'onStatus']);
    expect(answers.amf3Commands).toBe(2);
    expect(answers.statuses).toMatchObject([{ streamId: 1, code: 'NetStream.Publish.Start' }]);
    expect(events.at(-1)).toMatchObject({ type: 'publish' });
  });

  it('answers what of Enhanced RTMP the client announced, and nothing else', () => {
    const answered = (...properties: [string, AmfValue][]) => {
      const { send, answers } = serve();
      send(new ClientScript().handshake().chunkSize(4096).connect('live', '', properties));
      const result = answers.answers.at(-1);
      return Object.keys((result?.type === 'command' && (result.values[0] as object)) || {});
    };
    const legacy = ['fmsVer', 'capabilities'];
    expect(answered()).toEqual(legacy);
    expect(answered(['fourCcList', ['hvc1']])).toEqual([...legacy, 'fourCcList']);
    expect(answered(['capsEx', 2])).toEqual([
      ...legacy,
      'capsEx',
      'videoFourCcInfoMap',
      'audioFourCcInfoMap',
    ]);
  });

  it('asks a client to connect again if it can, and takes what it goes on to send', () => {
    const able = publishing({}, [['capsEx', 1]]);
    expect(able.server.requestReconnect('Going down.')).toBe(true);
    able.drain();
    expect(able.answers.statuses.at(-1)).toEqual({
      streamId: 0,
      level: 'status',
      code: 'NetConnection.Connect.ReconnectRequest',
      description: 'Going down.',
    });
    able.send(able.script.message(6, video(0)));
    expect(able.tags).toHaveLength(1);
    for (const properties of [[], [['capsEx', 2]], [['fourCcList', ['hvc1']]]] as [string, AmfValue][][]) {
      const { server, drain, answers } = publishing({}, properties);
      expect(server.requestReconnect('Going down.')).toBe(false);
      drain();
      expect(answers.statuses.at(-1)?.code).toBe('NetStream.Publish.Start');
    }
    able.server.close();
    expect(able.server.requestReconnect('Too late.')).toBe(false);
  });

  it('hears FCUnpublish as the announcement of an end, and closeStream and deleteStream as the end', () => {
    const { send, script, events, tags } = publishing();
    send(script.command(3, 0, undefined, 'FCUnpublish', 6, null, key).message(6, video(0)));
    expect(tags).toHaveLength(1); // what was under way
    send(script.command(3, 0, undefined, 'deleteStream', 7, null, 1));
    send(script.command(3, 0, undefined, 'FCUnpublish', 8, null, key)); // about nothing
    expect(events.slice(3).map(plain)).toEqual([
      { type: 'unpublish-announced', streamId: 1 },
      { type: 'stream-closed', streamId: 1 },
    ]);
  });

  it('does not guess which of two publications FCUnpublish means', () => {
    const { send, script, eventTypes } = publishing();
    send(script.createStream(8).publish(2, 'camera-2'));
    send(script.command(3, 0, undefined, 'FCUnpublish', 9, null, key));
    expect(eventTypes()).not.toContain('unpublish-announced');
  });

  it('reports play, which is refused on the stream that asked', () => {
    const { server, send, drain, answers, request } = serve({ answering: false });
    send(
      new ClientScript()
        .handshake()
        .connect()
        .createStream()
        .command(8, 1, 0, 'play', 5, null, 'camera-1', -2000),
    );
    server.accept(request('connect'));
    drain();
    server.refuse(request('play'), 'NetStream.Play.Failed', 'Not here.');
    drain();
    expect(answers.statuses).toMatchObject([{ streamId: 1, level: 'error', code: 'NetStream.Play.Failed' }]);
  });
});

describe('control messages', () => {
  it('acknowledges what arrived, once for each window of the peer', () => {
    const { send, script, answers } = publishing();
    const before = answers.answers.length;
    const frame = () => script.message(6, video(0, new Uint8Array(50_000)));
    send(script.control(MessageType.WindowAcknowledgementSize, uint32Payload(100_000)));
    send(frame());
    expect(answers.answers.slice(before)).toEqual([]);
    send(frame());
    send(frame());
    const acknowledged = answers.answers.slice(before);
    expect(acknowledged).toMatchObject([{ type: MessageType.Acknowledgement }]);
    const { payload } = acknowledged[0] as { payload: string };
    expect(Number.parseInt(payload, 16)).toBeGreaterThan(100_000);
    send(frame());
    send(frame());
    expect(answers.answers.slice(before)).toHaveLength(2);
  });

  it('does not let a tiny window buy an answer to every read', () => {
    const { send, script, answers } = publishing();
    const before = answers.answers.length;
    send(script.control(MessageType.WindowAcknowledgementSize, uint32Payload(1)));
    for (let sent = 0; sent < 60_000; sent += 1000) send(script.message(6, video(0, new Uint8Array(1000))));
    expect(answers.answers.slice(before)).toEqual([]);
  });

  it('answers a ping with what it held, and asks its own', () => {
    const { server, send, drain, script, answers } = publishing();
    const before = answers.answers.length;
    send(script.userControl(6, 0xfedcba98).userControl(3, 1).userControl(7, 5));
    server.ping(2 ** 32 + 7);
    drain();
    expect(answers.answers.slice(before)).toEqual([
      { type: 4, payload: '0007fedcba98' },
      { type: 4, payload: '000600000007' },
    ]);
  });
});

describe('timestamps', () => {
  const quarterTurns = Array.from({ length: 9 }, (_, index) => index * 0x4000_0000);

  it.each<[string, number[], number[]]>([
    ['begin at 0 wherever the encoder begins', [90_000, 90_040], [0, 40]],
    ['go on behind 2^32', [0xffff_fff0, 5, 0x7fff_0000], [0, 21, 0x7fff_0010]],
    ['go round twice', quarterTurns.map((each) => each % 2 ** 32), quarterTurns],
    ['may step back below the first, and are below 0 then', [1000, 980, 1020], [0, -20, 20]],
    ['may be out of order between tracks', [1000, 1080, 1040, 1120], [0, 80, 40, 120]],
  ])('%s', (_, sent, expected) => {
    const { send, script, tags } = publishing();
    sent.forEach((timestamp, index) => {
      script.message(4 + index, index % 2 === 0 ? audio(timestamp) : video(timestamp), 0);
    });
    send(script);
    expect(tags.map(({ timestamp }) => timestamp)).toEqual(expected);
  });

  it('of metadata do not set the beginning', () => {
    const { send, script, tags } = publishing();
    const data = (timestamp: number) => ({ type: DataAmf0, timestamp, streamId: 1, payload: metadata });
    send(script.message(4, data(0), 0).message(6, video(50_000), 0).message(4, data(50_010), 0));
    expect(short(tags)).toEqual(['metadata@0', 'inter-frame@0', 'metadata@10']);
  });
});
