// What travels inside a connection, for the fuzz loop: handshakes, chunks, AMF, aggregates, control messages.
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { Amf0Decoder, decodeAmf0 } from '../../src/amf/amf0-decoder.ts';
import { decodeAmf3 } from '../../src/amf/amf3-decoder.ts';
import { encodeAmf3 } from '../../src/amf/amf3-encoder.ts';
import { amfLimits } from '../../src/amf/amf-limits.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { limitsAfterAuth, limitsBeforeAuth, type ChunkLimits } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { ChunkWriter } from '../../src/chunk/chunk-writer.ts';
import type { Message } from '../../src/chunk/message.ts';
import { readAggregate } from '../../src/command/aggregate-message.ts';
import { readCommand, readDataMessage } from '../../src/command/command-message.ts';
import { readConnect } from '../../src/command/connect-command.ts';
import { readControlMessage, uint32Payload } from '../../src/command/control-message.ts';
import { ProtocolError } from '../../src/errors.ts';
import { ClientHandshake } from '../../src/handshake/client-handshake.ts';
import { publicKeyIn, writeDigest } from '../../src/handshake/digest.ts';
import { clientKeys, serverKeys } from '../../src/handshake/genuine-keys.ts';
import { type HandshakeVersion, ServerHandshake } from '../../src/handshake/server-handshake.ts';
import { type AmfNotation, toNotation } from './amf-notation.ts';
import type { Dice } from './fuzz-dice.ts';
import { borrowedSlices, borrowedWhole, check, type FuzzTarget, same, text } from './fuzz-run.ts';
import { readVectors, toHex } from './vectors.ts';

const fromDigits = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const packetLength = 1536;
/** Bytes of random material are drawn from one supply: making it anew would be most of the time. */
const supply = Uint8Array.from({ length: 8192 }, (_, at) => (at * 167 + (at >> 5) * 13) & 0xff);

function cheapRandom(): (length: number) => Uint8Array {
  let at = 0;
  return (length) => {
    at = (at + 61) % (supply.length - packetLength);
    return supply.slice(at, at + length);
  };
}

interface Handshake {
  readonly result: unknown;
  receive(borrowed: Uint8Array): number;
  takeOutput(): readonly Uint8Array[];
}

/** Feeds a handshake until it wants no more, or throws; what it answered and took comes back either way. */
function shake(handshake: Handshake, slices: Iterable<Uint8Array>) {
  const answered: Uint8Array[] = [];
  let consumed = 0;
  let code = 'unfinished';
  try {
    for (const slice of slices) {
      const taken = handshake.receive(slice);
      check(taken >= 0 && taken <= slice.length, `${taken} of ${slice.length} bytes were consumed`);
      consumed += taken;
      answered.push(...handshake.takeOutput());
      if (handshake.result !== undefined) check(consumed <= 1 + 2 * packetLength, 'too much was consumed');
      else check(taken === slice.length, 'an unfinished handshake left bytes alone');
      if (handshake.result !== undefined) break;
    }
    const result = handshake.result as { version: number; encrypted: boolean } | undefined;
    if (result !== undefined) code = `${result.version}${result.encrypted ? ' encrypted' : ''}`;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    answered.push(...handshake.takeOutput());
    code = error.code;
    same('after its end it takes', handshake.receive(supply), 0);
  }
  return { code, consumed, answer: toHex(Buffer.concat(answered)) };
}

/** A valid digest over whatever the packet says now. */
function signedAnew(bytes: Uint8Array, dice: Dice): Uint8Array {
  const signed = bytes.slice();
  if (signed.length <= packetLength) return signed;
  if (dice.roll(8) === 0) publicKeyIn(signed.subarray(1, 1 + packetLength), 'KD').fill(dice.pick([0, 0xff]));
  writeDigest(signed.subarray(1, 1 + packetLength), dice.pick(['KD', 'DK'] as const), clientKeys);
  return signed;
}

/** C0 C1 C2 that a server with the same random bytes lets in. */
function conversationOf(version: HandshakeVersion): Uint8Array {
  const client = new ClientHandshake({ random: cheapRandom(), time: 7, version });
  const hello = client.takeOutput();
  const server = new ServerHandshake({ random: cheapRandom(), time: 7 });
  for (const piece of hello) server.receive(piece);
  for (const piece of server.takeOutput()) client.receive(piece);
  return new Uint8Array(Buffer.concat([...hello, ...client.takeOutput()]));
}

const handshake: FuzzTarget = {
  name: 'handshake',
  seeds: [
    ...readVectors('handshake').map(({ bytes }) => bytes),
    ...([6, 8, 9] as const).map((version) => conversationOf(version)),
  ],
  words: [3, 6, 8, 9, 0x16].map((byte) => Uint8Array.of(byte)),
  mend: signedAnew,
  run: (bytes, dice) => {
    const make = () => new ServerHandshake({ random: cheapRandom(), time: 7 });
    const whole = shake(make(), borrowedWhole(bytes));
    const sliced = shake(make(), borrowedSlices(bytes, dice));
    // Who throws tells nothing of how far it came.
    same('cut differently', { ...sliced, consumed: 0 }, { ...whole, consumed: 0 });
    return whole.code;
  },
  reaches: [
    '3',
    '6 encrypted',
    'unfinished',
    'HANDSHAKE_VERSION_UNSUPPORTED',
    'HANDSHAKE_DIGEST_MISMATCH',
    'HANDSHAKE_SIGNATURE_MISMATCH',
    'HANDSHAKE_PUBLIC_KEY_INVALID',
  ],
};

/** S0 S1 S2 as a server answers a client with the same random bytes. */
function answerOf(version: HandshakeVersion): Uint8Array {
  const client = new ClientHandshake({ random: cheapRandom(), time: 7, version });
  const server = new ServerHandshake({ random: cheapRandom(), time: 7 });
  for (const piece of client.takeOutput()) server.receive(piece);
  return new Uint8Array(Buffer.concat(server.takeOutput()));
}

const clientHandshake: FuzzTarget = {
  name: 'client-handshake',
  seeds: ([3, 6, 8, 9] as const).map((version) => answerOf(version)),
  words: [3, 6, 8, 9].map((byte) => Uint8Array.of(byte)),
  mend: (bytes, dice) => {
    const signed = bytes.slice();
    if (signed.length <= packetLength) return signed;
    if (dice.roll(8) === 0) publicKeyIn(signed.subarray(1, 1 + packetLength), 'DK').fill(0);
    writeDigest(signed.subarray(1, 1 + packetLength), 'DK', serverKeys);
    return signed;
  },
  run: (bytes, dice) => {
    const version = bytes[0] === 3 || bytes[0] === 8 || bytes[0] === 9 ? bytes[0] : 6;
    const make = () => new ClientHandshake({ random: cheapRandom(), time: 7, version });
    const whole = shake(make(), borrowedWhole(bytes));
    same(
      'cut differently',
      { ...shake(make(), borrowedSlices(bytes, dice)), consumed: 0 },
      { ...whole, consumed: 0 },
    );
    return whole.code;
  },
  reaches: [
    '3',
    '8 encrypted',
    'HANDSHAKE_VERSION_UNSUPPORTED',
    'HANDSHAKE_DIGEST_MISMATCH',
    'HANDSHAKE_SIGNATURE_MISMATCH',
    'HANDSHAKE_PUBLIC_KEY_INVALID',
  ],
};

/** Reads slices to the end or to the error; messages are copied, and now and then the reader is halted. */
function readChunks(slices: Iterable<Uint8Array>, limits: ChunkLimits, halts: () => boolean) {
  const messages: Message[] = [];
  const reader = new ChunkReader(limits, (message) => {
    messages.push({ ...message, payload: Uint8Array.from(message.payload) });
    if (halts()) reader.halt();
  });
  let sent = 0;
  let code = 'read';
  try {
    for (const slice of slices) {
      sent += slice.length;
      let offset = 0;
      for (let before = -1; before < messages.length;) {
        before = messages.length;
        offset += reader.read(slice.subarray(offset)); // who halted reads on, even with nothing
        if (offset < slice.length) check(messages.length > before, 'bytes were left alone without a halt');
      }
      // Memory follows what has come, not what was announced: 4 KiB for a beginning, then at most eightfold.
      const most = 8192 * limits.chunkStreams + 8 * Math.min(sent, limits.unfinishedBytes);
      check(reader.heldBytes <= most, `${reader.heldBytes} bytes are held after ${sent} have come`);
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    code = error.code;
  }
  return { code, messages };
}

const plainMessages = (messages: readonly Message[]) =>
  messages.map(({ payload, ...header }) => ({ ...header, payload: toHex(payload) }));

/** What our own writer makes of messages is what our own reader reads of it, whatever the chunk size. */
function rewrite(messages: readonly Message[], dice: Dice): void {
  const writer = new ChunkWriter();
  const size = 1 + dice.roll(dice.pick([4, 300, 70_000]));
  const pieces = [writer.write(2, { type: 1, timestamp: 0, streamId: 0, payload: uint32Payload(size) })];
  writer.chunkSize = size;
  for (const message of messages)
    pieces.push(writer.write(dice.pick([3, 4, 63, 64, 319, 320, 65_599]), message));
  const bytes = new Uint8Array(Buffer.concat(pieces));
  const again = readChunks(borrowedSlices(bytes, dice), limitsAfterAuth, () => false);
  same(
    'written and read again',
    [again.code, plainMessages(again.messages)],
    ['read', plainMessages(messages)],
  );
}

const chunk: FuzzTarget = {
  name: 'chunk',
  seeds: readVectors('chunk')
    .map(({ bytes }) => bytes)
    .filter(({ length }) => length < 20_000),
  words: [
    '020000000000040100000000',
    '02000000000004010000000000000001',
    '0200000000000401000000007fffffff',
    '02000000000004020000000000000004',
    '04ffffff000005080100000001000000',
    '84ffffff01000000',
    'c4',
    'c3',
    '00ff',
    '01ffff',
    '0600000000ffff0901000000',
  ].map(fromDigits),
  run: (bytes, dice) => {
    const limits = dice.roll(2) === 0 ? limitsBeforeAuth : limitsAfterAuth;
    const whole = readChunks(borrowedWhole(bytes), limits, () => false);
    const sliced = readChunks(borrowedSlices(bytes, dice), limits, () => dice.roll(3) === 0);
    same(
      'cut and halted differently',
      [sliced.code, plainMessages(sliced.messages)],
      [whole.code, plainMessages(whole.messages)],
    );
    for (const { type, payload } of whole.messages)
      check(payload.length <= (type < 7 ? 64 : limits.messageSize), 'a message is larger than allowed');
    rewrite(whole.messages, dice);
    return whole.code;
  },
  reaches: [
    'read',
    'CHUNK_WITHOUT_PREVIOUS',
    'CHUNK_INTERRUPTED_MESSAGE',
    'CHUNK_SIZE_INVALID',
    'CONTROL_MESSAGE_INVALID',
    'MESSAGE_TOO_LARGE',
  ],
};

/** Nodes, text and depth that values unfold into when somebody walks through them. */
function unfolded(values: readonly AmfValue[], depth = 0): { nodes: number; depth: number } {
  const sum = { nodes: 0, depth };
  for (const value of values) {
    sum.nodes += 1;
    const inside =
      value instanceof AmfObject ? [...value.properties.values()] : Array.isArray(value) ? value : undefined;
    if (inside === undefined) continue;
    const below = unfolded(inside as readonly AmfValue[], depth + 1);
    sum.nodes += below.nodes;
    sum.depth = Math.max(sum.depth, below.depth);
  }
  return sum;
}

function checkUnfolded(values: readonly AmfValue[]): void {
  const { nodes, depth } = unfolded(values);
  check(nodes <= amfLimits.nodes, `${nodes} values`);
  check(depth <= amfLimits.depth, `${depth} levels`);
}

/** Bytes that are no UTF-8 grow to three times their size when they are written again. */
const generous = { ...amfLimits, stringBytes: 4 * amfLimits.stringBytes, textBytes: 4 * amfLimits.textBytes };
const notation = (values: readonly AmfValue[]): AmfNotation => values.map((value) => toNotation(value));

const amfWords = [
  ...['connect', 'onMetaData', '@setDataFrame', '__proto__', ''].map((word) => encodeAmf0(word)),
  ...(
    '0300016103 030001610300016103000161 0a00000002 0a00001000 0800000009000161 000009 070000 ' +
    '070001 1000036162630000 110a0b01 11 0c00010000 0bffffffffffffffff0000 0f00000001 0d'
  )
    .split(' ')
    .map(fromDigits),
];

const amf0: FuzzTarget = {
  name: 'amf0',
  seeds: readVectors('amf').map(({ bytes }) => bytes),
  words: amfWords,
  run: (bytes) => {
    const decoder = new Amf0Decoder(bytes);
    const values: AmfValue[] = [];
    let failure: unknown;
    try {
      while (!decoder.done) values.push(decoder.read());
    } catch (error) {
      failure = error; // the values before count all the same
    }
    checkUnfolded(values);
    if (failure === undefined) same('all at once', notation(decodeAmf0(bytes.slice())), notation(values));
    if (!decoder.switched)
      same('written and read again', notation(decodeAmf0(encodeAmf0(...values), generous)), notation(values));
    if (failure !== undefined) throw failure;
    return decoder.switched ? 'amf3' : 'values';
  },
  reaches: ['values', 'amf3', 'AMF_TRUNCATED', 'AMF_TOO_DEEP', 'AMF_TOO_LARGE', 'AMF_TYPE_UNKNOWN'],
};

const amf3: FuzzTarget = {
  name: 'amf3',
  seeds: [
    ...readVectors('amf3').map(({ bytes }) => bytes),
    fromDigits('090301'.repeat(20)),
    fromDigits('0a0b010361'.repeat(20)),
  ],
  words: (
    '0a0b01 0a1301 0a01 0a07 0903 0901 0600 0602 04ffffffff 0c03 0d0300 0effffffff00 0f0300 ' +
    '100300 110300 08017ff8000000000000 0b03 0703 ffffffff 80808000 0901016101 0a0b010361 ' +
    '090301090301090301090301090301090301090301090301090301090301090301090301'
  )
    .split(' ')
    .map(fromDigits),
  run: (bytes) => {
    const values = decodeAmf3(bytes);
    checkUnfolded(values);
    same('written and read again', notation(decodeAmf3(encodeAmf3(...values), generous)), notation(values));
    return 'values';
  },
  reaches: ['values', 'AMF_TRUNCATED', 'AMF_TOO_DEEP', 'AMF_TOO_LARGE', 'AMF_TYPE_UNKNOWN'],
};

function aggregateOf(
  ...parts: readonly (readonly [type: number, timestamp: number, body: Uint8Array])[]
): Uint8Array {
  const pieces = parts.map(([type, timestamp, body]) => {
    const header = Buffer.alloc(11);
    header.writeUInt8(type);
    header.writeUIntBE(body.length, 1, 3);
    header.writeUIntBE(timestamp & 0xff_ff_ff, 4, 3);
    header.writeUInt8(timestamp >>> 24, 7);
    return Buffer.concat([header, body, Buffer.alloc(4)]);
  });
  return new Uint8Array(Buffer.concat(pieces));
}

const connectValues = [
  'connect',
  1,
  new AmfObject([
    ['app', 'live'],
    ['tcUrl', 'rtmp://localhost/live'],
    ['fourCcList', ['hvc1', 'av01']],
    ['videoFourCcInfoMap', new AmfObject([['*', 7]])],
    ['capsEx', 15],
  ]),
] as const;

const message: FuzzTarget = {
  name: 'message',
  seeds: [
    joinType(
      22,
      aggregateOf([9, 0, text('\x17\x01abc')], [8, 20, text('\xaf\x01')], [18, 40, encodeAmf0('x')]),
    ),
    joinType(22, aggregateOf([20, 0xffffffff, text('')], [9, 0xfffffff0, text('\x27')])),
    joinType(20, encodeAmf0(...connectValues)),
    joinType(17, Uint8Array.of(0, ...encodeAmf0(...connectValues))),
    joinType(18, encodeAmf0('@setDataFrame', 'onMetaData', new AmfObject([['width', 1]], 'ecma-array'))),
    joinType(15, Uint8Array.of(0, ...encodeAmf0('onMetaData', null))),
    ...[3, 4, 5, 6].map((type) => joinType(type, Uint8Array.of(0, 6, 0, 0, 0, 1))),
  ],
  words: amfWords,
  run: (bytes) => {
    const type = bytes[0] ?? 0;
    const payload = bytes.subarray(1);
    if (type === 22) {
      let total = 0;
      readAggregate(
        { type, timestamp: 5, streamId: 1, payload },
        (part) => (total += 15 + part.payload.length),
      );
      check(total <= payload.length, 'the parts are more than the whole');
      return 'aggregate';
    }
    if (type >= 3 && type <= 6) return readControlMessage(type, payload).type;
    if (type === 15 || type === 18) return typeof readDataMessage(type, payload);
    const command = readCommand(type === 17 ? 17 : 20, payload);
    if (command.name !== 'connect') return 'command';
    const { app, tcUrl, flashVer } = readConnect(command);
    check(app.length + tcUrl.length + flashVer.length < 4096, 'connect keeps too much');
    return 'connect';
  },
  reaches: [
    'aggregate',
    'connect',
    'command',
    'AGGREGATE_INVALID',
    'CONTROL_MESSAGE_INVALID',
    'COMMAND_INVALID',
  ],
};

function joinType(type: number, payload: Uint8Array): Uint8Array {
  return Uint8Array.of(type, ...payload);
}

export const wireTargets: readonly FuzzTarget[] = [handshake, clientHandshake, chunk, amf0, amf3, message];
