// What is done to the server beside the bystanders: everything of SECURITY 0 that applies, and what else came to
// mind. Each attack says what the log has to hold of it, and is over when the server has ended what it had to end.
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { uint32Payload } from '../../src/command/control-message.ts';
import { sniff } from '../../src/transport/sniff-rule.ts';
import { TagType } from '../../src/flv/tag.ts';
import { type Attacker, clientHello } from '../support/attacker.ts';
import { ClientScript } from '../support/client-script.ts';
import type { Encoder } from '../support/encoder.ts';
import {
  ascii,
  chunkHeader,
  connectPayload,
  degenerateKeys,
  encryptedHello,
  filled,
  joined,
  manyKeys,
  nested,
  objectWith,
  rawCommand,
} from '../support/hostile-bytes.ts';

export const mebibyte = 1024 * 1024;

export interface Attack {
  readonly name: string;
  /** Every `code` that the log holds of the attacker's address, no more and no less. */
  readonly codes: readonly string[];
  /** Resolves when the server has ended what it had to end. */
  run(attack: Scene): Promise<unknown>;
}

/** What an attack works with: its own address, and a key that was made for it alone. */
export interface Scene {
  readonly port: number;
  /** A listener with clear HTTP and without RTMP. */
  readonly otherPort: number;
  readonly address: string;
  readonly key: string;
  readonly open: (options?: { reads?: boolean; tls?: boolean; port?: number }) => Attacker;
  /** An encoder with a good key that has published. */
  readonly publish: () => Promise<Encoder>;
}

const connected = () => new ClientScript().handshake().connect();
const created = () => connected().createStream();
const video = (payload: Uint8Array) => ({ type: MessageType.Video, timestamp: 0, streamId: 1, payload });
const interFrame = (length: number) => joined(Uint8Array.of(0x27, 1, 0, 0, 0), filled(length - 5));

/** One connection that sends these bytes and then waits to be thrown out. */
function sends(
  name: string,
  codes: readonly string[],
  bytes: () => Uint8Array | ClientScript,
  tls = false,
): Attack {
  return {
    name,
    codes,
    run: async ({ open }) => {
      const made = bytes();
      const attacker = open({ tls });
      attacker.send(made instanceof ClientScript ? made.take() : made);
      await attacker.closed;
    },
  };
}

/** The same on many connections, `width` of them at once. */
function sendsEach(
  name: string,
  codes: readonly string[],
  all: readonly Uint8Array[],
  tls = false,
  width = 40,
): Attack {
  return {
    name,
    codes,
    run: async ({ open }) => {
      const left = [...all];
      const one = async () => {
        for (let bytes = left.pop(); bytes !== undefined; bytes = left.pop())
          await open({ tls }).send(bytes).closed;
      };
      await Promise.all(Array.from({ length: width }, one));
    },
  };
}

/** With a good key: a publication is under way when it begins. */
function publishes(
  name: string,
  codes: readonly string[],
  attack: (encoder: Encoder) => Promise<unknown>,
): Attack {
  return { name, codes, run: async ({ publish }) => attack(await publish()) };
}

const otherFirstBytes = Array.from({ length: 256 }, (_, byte) => byte).filter(
  (byte) => sniff(byte) === 'unknown',
);
const properConnect = encodeAmf0(
  'connect',
  1,
  new AmfObject([
    ['app', 'live'],
    ['tcUrl', 'rtmp://localhost/live'],
    ['flashVer', 'FMLE/3.0'],
  ]),
);

export const firstBytes: readonly Attack[] = [
  sendsEach(
    'each first byte that is of no protocol, with a C1 behind it',
    ['PROTOCOL_UNKNOWN'],
    otherFirstBytes.map((byte) => joined(Uint8Array.of(byte), filled(1536))),
  ),
  sendsEach(
    'first bytes that are of no protocol inside TLS, TLS among them',
    ['PROTOCOL_UNKNOWN'],
    [0, 1, 2, 4, 7, 0x16, 0x1f, 0x20, 0x80, 0xff].map((byte) => joined(Uint8Array.of(byte), filled(1536))),
    true,
  ),
  sends('a banner of SSH', [], () => ascii('SSH-2.0-OpenSSH_9.2p1\r\n')),
  sends('an HTTP request in clear text', [], () => ascii('GET / HTTP/1.1\r\nHost: x\r\n\r\n')),
  sends('RTMPT, which is not open here', [], () =>
    ascii('POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n\0'),
  ),
  sends('an endless HTTP request', [], () => joined(ascii('POST / HTTP/1.1\r\n'), filled(4 * mebibyte))),
  {
    name: 'HTTP requests with targets that are no URL, where clear HTTP is open',
    codes: [],
    run: async ({ open, otherPort }) => {
      for (const target of [
        '//[',
        '//',
        'http://[',
        'https://evil.example/',
        '/\\evil',
        '*',
        '%',
        'a:b@c:99999',
      ]) {
        await open({ port: otherPort }).send(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
          .closed;
      }
    },
  },
  {
    name: 'HTTP garbage inside TLS',
    codes: [],
    run: async ({ open }) => {
      for (const text of ['GET / HTTP/9.9\r\n\r\n', 'GET\0/ HTTP/1.1\r\n\r\n', `GET /${'a'.repeat(70_000)}`])
        await open({ tls: true }).send(text).closed;
    },
  },
  {
    name: 'a TLS hello and no more',
    codes: ['HANDSHAKE_TIMEOUT'],
    run: async ({ open }) => open().send(await clientHello()).closed,
  },
  {
    name: 'half a TLS hello',
    codes: ['HANDSHAKE_TIMEOUT'],
    run: async ({ open }) => open().send((await clientHello()).subarray(0, 100)).closed,
  },
  sends('garbage behind the first byte of TLS', ['TLS_HANDSHAKE_FAILED'], () =>
    joined(Uint8Array.of(0x16), filled(4096)),
  ),
  {
    name: 'TLS and then silence',
    codes: ['HANDSHAKE_TIMEOUT'],
    run: async ({ open }) => open({ tls: true }).closed,
  },
];

export const handshakes: readonly Attack[] = [
  ...([6, 8, 9] as const).map((version) =>
    sends(`RTMPE ${version} with a bad digest`, ['HANDSHAKE_DIGEST_MISMATCH'], () => {
      const hello = encryptedHello(version);
      hello[1000]! ^= 1;
      return hello;
    }),
  ),
  ...Object.entries(degenerateKeys).map(([name, key]) =>
    sends(`RTMPE with the public key ${name}`, ['HANDSHAKE_PUBLIC_KEY_INVALID'], () =>
      encryptedHello(6, key),
    ),
  ),
  ...([6, 8, 9] as const).map((version) =>
    sends(`RTMPE ${version} with a C2 that is not signed`, ['HANDSHAKE_SIGNATURE_MISMATCH'], () =>
      joined(encryptedHello(version), filled(1536)),
    ),
  ),
  sends('silence', ['HANDSHAKE_TIMEOUT'], () => new Uint8Array(0)),
  sends('C0 alone', ['HANDSHAKE_TIMEOUT'], () => Uint8Array.of(3)),
  sends('C1 and then silence', ['HANDSHAKE_TIMEOUT'], () => joined(Uint8Array.of(3), filled(1536))),
  sends('C1 of RTMPE and then silence', ['HANDSHAKE_TIMEOUT'], () => encryptedHello(6)),
  {
    name: 'a handshake one byte at a time',
    codes: ['HANDSHAKE_TIMEOUT'],
    run: async ({ open }) => open().drip(joined(Uint8Array.of(3), filled(1536)), 5),
  },
];

/** Everything that may stand where a command object or an argument is expected, and is none. */
const brokenAmf = (marker: number, ...rest: number[]) =>
  rawCommand(connectPayload(Uint8Array.of(marker, ...rest)));
const wrongTypes: readonly AmfValue[] = [null, 7, true, undefined, [], new AmfObject([]), new Date(0)];

export const amf: readonly Attack[] = [
  sends('connect with an object 100,000 deep', ['MESSAGE_TOO_LARGE'], () =>
    rawCommand(connectPayload(nested(100_000)), new ClientScript().handshake().chunkSize(mebibyte)),
  ),
  sends('connect with as deep an object as fits', ['AMF_TOO_DEEP'], () =>
    rawCommand(connectPayload(nested(9000)), new ClientScript().handshake().chunkSize(65_536)),
  ),
  sends('connect with 100,000 keys', ['MESSAGE_TOO_LARGE'], () =>
    rawCommand(connectPayload(manyKeys(100_000)), new ClientScript().handshake().chunkSize(mebibyte)),
  ),
  sends('connect with as many keys as fit', ['AMF_TOO_LARGE'], () =>
    rawCommand(connectPayload(manyKeys(9000)), new ClientScript().handshake().chunkSize(65_536)),
  ),
  sends('names of prototypes for keys', ['COMMAND_INVALID'], () =>
    rawCommand(
      connectPayload(objectWith('__proto__', 'constructor', 'prototype', 'toString', 'app.__proto__')),
    ),
  ),
  sends('an app that is an object with such names', ['COMMAND_INVALID'], () =>
    rawCommand(
      connectPayload(
        joined(
          Uint8Array.of(3, 0, 3),
          ascii('app'),
          objectWith('__proto__', 'length'),
          Uint8Array.of(0, 0, 9),
        ),
      ),
    ),
  ),
  sendsEach(
    'every beginning of a connect',
    ['AMF_TRUNCATED', 'COMMAND_INVALID'],
    Array.from(properConnect, (_, end) => rawCommand(properConnect.subarray(0, end)).take()),
  ),
  sendsEach(
    'type markers that are unknown or not allowed',
    ['AMF_TYPE_UNKNOWN'],
    [0x04, 0x09, 0x0e, 0x12, 0x7f, 0xff].map((marker) => brokenAmf(marker, 0, 0, 0, 0).take()),
  ),
  sendsEach(
    'the switch to AMF3, and then nothing, or what AMF3 does not know',
    ['AMF_TRUNCATED', 'AMF_TYPE_UNKNOWN'],
    [brokenAmf(0x11).take(), brokenAmf(0x11, 0x7f).take(), brokenAmf(0x11, 0x0a, 0x07, 0x01).take()],
  ),
  sends('AMF3 arrays as deep as fits', ['AMF_TOO_DEEP'], () => {
    const arrays = Buffer.alloc(60_000, Uint8Array.of(9, 3, 1)); // one value, and no name before it
    const script = new ClientScript().handshake().chunkSize(65_536);
    return rawCommand(connectPayload(joined(Uint8Array.of(0x11), arrays)), script);
  }),
  sendsEach(
    'AMF3 that promises 268,435,455 bytes or values',
    ['AMF_TOO_LARGE'],
    [0x06, 0x07, 0x09, 0x0c].map((marker) => brokenAmf(0x11, marker, 0xff, 0xff, 0xff, 0xff, 1).take()),
  ),
  sends('an unsupported value for an object', ['COMMAND_INVALID'], () => brokenAmf(0x0d)),
  sends('a strict array of 4,294,967,295 values', ['AMF_TOO_LARGE'], () =>
    brokenAmf(0x0a, 0xff, 0xff, 0xff, 0xff),
  ),
  sends('a long string of 4,294,967,295 bytes', ['AMF_TOO_LARGE'], () =>
    brokenAmf(0x0c, 0xff, 0xff, 0xff, 0xff),
  ),
  sends('a reference to nothing', ['AMF_TYPE_UNKNOWN'], () => brokenAmf(0x07, 0xff, 0xff)),
  sends('connect without an app', ['COMMAND_INVALID'], () =>
    rawCommand(encodeAmf0('connect', 1, new AmfObject([]))),
  ),
  sends('connect without tcUrl', ['COMMAND_TIMEOUT'], () =>
    rawCommand(encodeAmf0('connect', 1, new AmfObject([['app', 'live']]))),
  ),
  sendsEach(
    'connect with apps and URLs of wrong types',
    ['COMMAND_INVALID'],
    wrongTypes.flatMap((value) => [
      rawCommand(encodeAmf0('connect', 1, new AmfObject([['app', value]]))).take(),
      ...(value === null || value === undefined
        ? []
        : [
            rawCommand(
              encodeAmf0(
                'connect',
                1,
                new AmfObject([
                  ['app', 'live'],
                  ['tcUrl', value],
                ]),
              ),
            ).take(),
          ]),
    ]),
  ),
  sendsEach(
    'command names and transaction IDs of wrong types',
    ['COMMAND_INVALID'],
    wrongTypes.flatMap((value) => [
      rawCommand(encodeAmf0(value, 1, null)).take(),
      ...(value === 7 ? [] : [rawCommand(encodeAmf0('connect', value, null)).take()]),
    ]),
  ),
  sendsEach(
    'transaction IDs that are no count',
    ['COMMAND_INVALID'],
    [NaN, Infinity, -1].map((id) =>
      rawCommand(encodeAmf0('connect', id, new AmfObject([['app', 'live']]))).take(),
    ),
  ),
];

export const chunks: readonly Attack[] = [
  sendsEach(
    'SetChunkSize 0 and with bit 31 set',
    ['CHUNK_SIZE_INVALID'],
    [0, 0x8000_0000, 0xffff_ffff].map((size) =>
      new ClientScript().handshake().control(MessageType.SetChunkSize, uint32Payload(size)).take(),
    ),
  ),
  sendsEach(
    'control messages without payload',
    ['CONTROL_MESSAGE_INVALID'],
    [1, 2, 3, 4, 5, 6].map((type) => new ClientScript().handshake().control(type, new Uint8Array(0)).take()),
  ),
  sendsEach(
    'type 1, 2 and 3 headers first',
    ['CHUNK_WITHOUT_PREVIOUS'],
    [1, 2, 3].map((fmt) =>
      new ClientScript()
        .handshake()
        .raw(joined(Uint8Array.of((fmt << 6) | 5), filled(64, 0)))
        .take(),
    ),
  ),
  sends('another size inside an unfinished message', ['CHUNK_INTERRUPTED_MESSAGE'], () =>
    new ClientScript()
      .handshake()
      .raw(joined(chunkHeader(6, 9, 200), filled(128), chunkHeader(6, 9, 60_000), filled(128))),
  ),
  sends('chunks of one byte', ['COMMAND_TIMEOUT'], () =>
    new ClientScript()
      .handshake()
      .chunkSize(1)
      .message(6, video(filled(60_000))),
  ),
  sends('Abort, again and again', ['COMMAND_TIMEOUT'], () => {
    const script = new ClientScript().handshake();
    for (let round = 0; round < 1000; round += 1) {
      script.raw(joined(round === 0 ? chunkHeader(6, 9, 200) : Uint8Array.of(0xc6), filled(128)));
      script.control(MessageType.Abort, uint32Payload(6));
    }
    return script;
  }),
  sends('48 half-filled chunk streams', ['CHUNK_STREAMS_EXCEEDED'], () => {
    const script = new ClientScript().handshake();
    for (let id = 3; id < 51; id += 1) script.raw(joined(chunkHeader(id, 9, 60_000), filled(128)));
    return script;
  }),
  sends('16 half-filled chunk streams of large chunks', ['MESSAGES_UNFINISHED'], () => {
    const script = new ClientScript().handshake().chunkSize(32_768);
    for (let id = 3; id < 18; id += 1) script.raw(joined(chunkHeader(id, 9, 60_000), filled(32_768)));
    return script;
  }),
  sends('half of a message of 16 MiB', ['MESSAGE_TOO_LARGE'], () =>
    new ClientScript()
      .handshake()
      .chunkSize(0xff_ff_ff)
      .raw(joined(chunkHeader(6, 9, 0xff_ff_ff), filled(8 * mebibyte))),
  ),
  {
    name: '40 connections with unfinished messages of 4 MiB',
    codes: ['MESSAGE_TOO_LARGE'],
    run: async ({ open }) => {
      const bytes = joined(
        connected()
          .chunkSize(8 * mebibyte)
          .take(),
        chunkHeader(6, 9, 4 * mebibyte),
        filled(mebibyte),
      );
      await Promise.all(Array.from({ length: 40 }, () => open().send(bytes).closed));
    },
  },
  {
    name: '40 connections with unfinished messages as large as allowed',
    codes: ['COMMAND_TIMEOUT'],
    run: async ({ open }) => {
      const bytes = joined(connected().chunkSize(65_536).take(), chunkHeader(6, 9, 65_536), filled(65_000));
      await Promise.all(Array.from({ length: 40 }, () => open().send(bytes).closed));
    },
  },
];

const wrongNames: readonly AmfValue[] = [
  null,
  7,
  new AmfObject([['toString', 'x']]),
  '',
  '?key=x',
  'good\0evil',
  'two\nlines',
  '\u001b[2Jcleared',
  'x'.repeat(60_000),
];

export const commands: readonly Attack[] = [
  sendsEach(
    'publish on message streams that do not exist',
    ['COMMAND_OUT_OF_STATE'],
    [0, 2, 99, 0xffff_ffff].map((streamId) => created().publish(streamId, 'camera').take()),
  ),
  sendsEach(
    'publish with names that are none',
    ['STREAM_NAME_INVALID'],
    wrongNames.map((name) => created().chunkSize(65_536).publish(1, name).take()),
  ),
  sendsEach(
    'publish with names that would be paths',
    ['KEY_REFUSED'],
    ['../../../../etc/passwd', '/etc/passwd', '..', '\\\\host\\share', 'a/../../b', 'ünï\u202ecode'].map(
      (name) => created().publish(1, name).take(),
    ),
  ),
  sends('publish with a type that is none', ['COMMAND_INVALID'], () =>
    created().publish(1, 'camera', 'forever'),
  ),
  sends('publish without any argument', ['STREAM_NAME_INVALID'], () =>
    created().command(4, 1, 0, 'publish', 5),
  ),
  sends('publish before connect', ['COMMAND_OUT_OF_STATE'], () =>
    new ClientScript().handshake().publish(1, 'camera'),
  ),
  sends('createStream before connect', ['COMMAND_OUT_OF_STATE'], () =>
    new ClientScript().handshake().createStream(),
  ),
  sends('connect twice', ['COMMAND_OUT_OF_STATE'], () => connected().connect()),
  sends('play', ['PLAYING_UNSUPPORTED'], () => created().command(4, 1, 0, 'play', 5, null, 'camera', -2)),
  sends('play before createStream', ['COMMAND_OUT_OF_STATE'], () =>
    connected().command(4, 1, 0, 'play', 5, null, 'x'),
  ),
  sends('commands named like properties of every object', ['COMMAND_TIMEOUT'], () => {
    const script = connected();
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'])
      script.command(3, 0, 0, name, 9, null);
    return script;
  }),
  sendsEach(
    'such commands before connect',
    ['COMMAND_OUT_OF_STATE'],
    ['constructor', '__proto__', 'toString'].map((name) => rawCommand(encodeAmf0(name, 9, null)).take()),
  ),
  sends('FCPublish 10,000 times', ['TOO_MANY_COMMANDS'], () => {
    const script = connected();
    for (let id = 2; id < 10_002; id += 1) script.command(3, 0, undefined, 'FCPublish', id, null, 'camera');
    return script;
  }),
  sends('10,000 calls of nothing', ['TOO_MANY_COMMANDS'], () => {
    const script = connected();
    for (let id = 2; id < 10_002; id += 1) script.command(3, 0, undefined, `call${id}`, id, null);
    return script;
  }),
  sends('half a million messages of one byte', ['TOO_MANY_COMMANDS'], () =>
    connected()
      .message(6, { type: MessageType.Video, timestamp: 0, streamId: 1, payload: new Uint8Array(0) })
      .raw(filled(mebibyte / 2, 0xc6)),
  ),
  sends('a flood of pings', ['TOO_MANY_COMMANDS'], () => {
    const script = connected();
    for (let id = 0; id < 10_000; id += 1) script.userControl(6, id);
    return script;
  }),
  {
    name: 'createStream 100,000 times, answers never read',
    codes: ['TOO_MANY_STREAMS'],
    run: async ({ open }) => {
      const attacker = open({ reads: false });
      const script = connected();
      for (let id = 2; id < 100_002; id += 1) script.createStream(id);
      await attacker.sent(script.take());
      await untilGone(attacker);
    },
  },
  {
    name: 'createStream and deleteStream in turn, answers never read',
    codes: ['TOO_MANY_COMMANDS'],
    run: async ({ open }) => {
      const attacker = open({ reads: false });
      const script = connected();
      for (let id = 2; id < 20_002; id += 1)
        script.createStream(id).command(3, 0, undefined, 'deleteStream', 0, null, 1);
      await attacker.sent(script.take());
      await untilGone(attacker);
    },
  },
];

/** Who does not read does not see the end; the next write tells. */
async function untilGone(attacker: Attacker): Promise<void> {
  const timer = setInterval(() => attacker.send(Uint8Array.of(0)), 100);
  await attacker.closed.finally(() => clearInterval(timer));
}

export const withGoodKey: readonly Attack[] = [
  publishes('metadata 100,000 deep', ['MESSAGE_TOO_LARGE'], async (encoder) => {
    encoder.connection.sendMessage(7, metadata(nested(100_000)));
    await encoder.flush();
    await encoder.ended;
  }),
  publishes('metadata as deep as fits', ['AMF_TOO_DEEP'], async (encoder) => {
    encoder.connection.sendMessage(7, metadata(nested(37_000)));
    await encoder.flush();
    await encoder.ended;
  }),
  publishes('metadata of 4 MiB', ['MESSAGE_TOO_LARGE'], async (encoder) => {
    encoder.connection.sendMessage(
      7,
      metadata(joined(Uint8Array.of(0x0c, 0, 0x40, 0, 0), filled(4 * mebibyte))),
    );
    await encoder.flush();
    await encoder.ended;
  }),
  publishes('metadata with as many values as fit', ['AMF_TOO_LARGE'], async (encoder) => {
    encoder.connection.sendMessage(7, metadata(filled(250_000, 5)));
    await encoder.flush();
    await encoder.ended;
  }),
  publishes('publish again on the same stream', ['COMMAND_OUT_OF_STATE'], async (encoder) => {
    const payload = encodeAmf0('publish', 9, null, 'other', 'live');
    encoder.connection.sendMessage(3, { type: MessageType.CommandAmf0, timestamp: 0, streamId: 1, payload });
    await encoder.flush();
    await encoder.ended;
  }),
  publishes('40 MB of inter frames', [], async (encoder) => {
    for (let at = 0; at < 640; at += 1) await encoder.send(TagType.Video, at * 40, interFrame(64_000));
    await encoder.finish();
  }),
  publishes('a video message of 8 MiB', [], async (encoder) => {
    await encoder.send(TagType.Video, 0, interFrame(8 * mebibyte));
    await encoder.finish();
  }),
  publishes('a video message of 8 MiB and a byte', ['MESSAGE_TOO_LARGE'], async (encoder) => {
    await encoder.send(TagType.Video, 0, interFrame(8 * mebibyte + 1));
    await encoder.ended;
  }),
  publishes('48 half-filled chunk streams of 3 MiB', ['MESSAGES_UNFINISHED'], async (encoder) => {
    await encoder.sendRaw(new ClientScript().chunkSize(3 * mebibyte).take());
    for (let id = 10; id < 58; id += 1) {
      if (encoder.socket.destroyed) break;
      await encoder.sendRaw(joined(chunkHeader(id, 9, 3 * mebibyte + 1, 1), filled(3 * mebibyte)));
    }
    await encoder.ended;
  }),
  publishes('two million chunks of one byte', [], async (encoder) => {
    const script = new ClientScript().chunkSize(1).message(6, video(interFrame(2_000_000)));
    await encoder.sendRaw(script.take());
    encoder.socket.end();
    await encoder.ended;
  }),
  publishes('an acknowledgement window of one byte', [], async (encoder) => {
    encoder.connection.sendMessage(2, {
      type: MessageType.WindowAcknowledgementSize,
      timestamp: 0,
      streamId: 0,
      payload: uint32Payload(1),
    });
    for (let at = 0; at < 100; at += 1) await encoder.send(TagType.Video, at * 40, interFrame(16_000));
    await encoder.finish();
  }),
  publishes('the end in the middle of a frame', [], async (encoder) => {
    await encoder.sendRaw(joined(chunkHeader(6, 9, 50_000, 1), filled(1000)));
    encoder.socket.end();
    await encoder.ended;
  }),
  publishes('a reset in the middle of a frame', ['PEER_GONE'], async (encoder) => {
    await encoder.sendRaw(joined(chunkHeader(6, 9, 50_000, 1), filled(1000)));
    encoder.socket.resetAndDestroy();
    await encoder.ended;
  }),
  {
    name: 'a publication for every command that is allowed',
    codes: ['TOO_MANY_STREAMS'],
    run: async ({ open, key }) => {
      const script = created();
      for (let at = 0; at < 60; at += 1) {
        script.publish(1, key).command(3, 1, 0, 'closeStream', 0, null);
        script.command(3, 0, 0, 'createStream', at + 9, null);
      }
      await open().send(script.take()).closed;
    },
  },
];

function metadata(value: Uint8Array) {
  const payload = joined(encodeAmf0('@setDataFrame', 'onMetaData'), value);
  return { type: MessageType.DataAmf0, timestamp: 0, streamId: 1, payload };
}

export const floods: readonly Attack[] = [
  {
    name: '1,000 idle connections from one address, and a good encoder from another',
    codes: ['HANDSHAKE_TIMEOUT', 'TOO_MANY_CONNECTIONS'],
    run: async ({ open, publish }) => {
      const crowd = Array.from({ length: 1000 }, () => open());
      await Promise.all(crowd.map((one) => one.opened()));
      const newcomer = await publish();
      await newcomer.send(TagType.Video, 0, interFrame(1000));
      await newcomer.finish();
      await Promise.all(crowd.map((one) => one.closed));
    },
  },
  {
    name: '2,000 connections that hang up at once',
    codes: [],
    run: async ({ open }) => {
      let left = 2000;
      const one = async () => {
        while (left-- > 0) {
          const attacker = open();
          await attacker.opened();
          attacker.socket.destroy();
          await attacker.closed;
        }
      };
      await Promise.all(Array.from({ length: 20 }, one));
    },
  },
];
