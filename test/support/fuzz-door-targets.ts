// What stands in front of a connection or beside it, for the fuzz loop: PROXY headers, ClientHellos, the requests of
// a tunnel and their order, FLV, media headers, and the texts that decide about access.
import { isIP } from 'node:net';
import { Secret } from '../../src/bytes/secret.ts';
import { parseStreamAddress } from '../../src/command/stream-address.ts';
import { helloKindOf } from '../../src/door/client-hello.ts';
import { parseProxyHeader } from '../../src/door/proxy-header.ts';
import { parseByteRange } from '../../src/download/byte-range.ts';
import { audioCodecOf, codecsOf, videoCodecOf } from '../../src/flv/codecs.ts';
import { onlyTrackOf, tracksOf } from '../../src/flv/enhanced-header.ts';
import { metadataOf } from '../../src/flv/script-data.ts';
import { TagReader } from '../../src/flv/tag-reader.ts';
import { roleOf } from '../../src/flv/tag-role.ts';
import { fileHeader, fileHeaderLength, tagSize, writeTag } from '../../src/flv/tag-writer.ts';
import { TagType } from '../../src/flv/tag.ts';
import { crockfordAlphabet, generateKey, parseKey } from '../../src/keys/stream-key-format.ts';
import { parseTunnelRequest } from '../../src/tunnel/tunnel-request.ts';
import { TunnelSession } from '../../src/tunnel/tunnel-session.ts';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { syntheticFrames } from './media.ts';
import { borrowedSlices, borrowedWhole, check, type FuzzTarget, same, seedsOf, text } from './fuzz-run.ts';
import { readVectors } from './vectors.ts';
import { seededRandom } from './seeded-random.ts';

const words = (...texts: readonly string[]) => texts.map((word) => text(word));
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

const proxyHeader: FuzzTarget = {
  name: 'proxy-header',
  seeds: seedsOf('proxy-header'),
  words: words(
    'PROXY ',
    'TCP4 ',
    'TCP6 ',
    'UNKNOWN',
    '\r\n',
    ' ',
    '\n',
    '::ffff:1.2.3.4',
    '65536',
    '0.0.0.0',
  ),
  run: (bytes) => {
    const whole = parseProxyHeader(bytes);
    // However it comes in: whatever is said of a beginning is never taken back.
    for (let length = 0; length < bytes.length; length += 1) {
      const early = parseProxyHeader(bytes.subarray(0, length));
      if (early.kind !== 'incomplete') same(`after ${length} bytes`, early, whole);
    }
    if (whole.kind === 'incomplete') check(bytes.length < 16 + 2048, 'it waits for more than it may');
    if (whole.kind !== 'header') return whole.kind;
    check(whole.length <= bytes.length, 'the header is longer than what came');
    const { source } = whole;
    if (source === undefined) return 'itself';
    check(
      isIP(source.address) !== 0 && source.port >= 0 && source.port <= 65_535,
      `source ${source.address}`,
    );
    return 'source';
  },
  reaches: ['invalid', 'incomplete', 'itself', 'source'],
};

const clientHello: FuzzTarget = {
  name: 'client-hello',
  seeds: seedsOf('client-hello'),
  words: [
    '0010000d000b0a61636d652d746c732f31',
    '1603010000',
    '0000000e000c0000096c6f63616c686f7374',
    '002b00050403040303',
    'ff',
    '0100',
    '16',
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  run: (bytes) => {
    const whole = helloKindOf(bytes);
    for (let length = 1; length < bytes.length; length += 1) {
      const early = helloKindOf(bytes.subarray(0, length));
      if (early !== 'incomplete') same(`after ${length} bytes`, early, whole);
    }
    return whole;
  },
  reaches: ['ordinary', 'nameless', 'validation', 'incomplete'],
};

const tunnelRequest: FuzzTarget = {
  name: 'tunnel-request',
  seeds: seedsOf('tunnel-request'),
  words: words(
    '/open/',
    '/send/',
    '/idle/',
    '/close/',
    '/fcs/',
    '..',
    '%2f',
    '?',
    '//',
    '\0',
    '\n',
    '-1',
    '1e3',
    'ident',
  ),
  run: (bytes) => {
    const [method = '', path = ''] = latin1(bytes).split(' ');
    const request = parseTunnelRequest(method, path);
    if (request === undefined || !('id' in request)) return request?.type ?? 'none';
    check(/^[A-Za-z0-9_-]{1,63}$/.test(request.id), 'an id of other letters');
    check(Number.isSafeInteger(request.sequence) && request.sequence >= 0, `sequence ${request.sequence}`);
    same('written again', `/${request.type}/${request.id}`, path.slice(0, path.lastIndexOf('/')));
    return request.type;
  },
  reaches: ['none', 'open', 'ident', 'send', 'idle', 'close', 'TUNNEL_REQUEST_INVALID'],
};

/** Each three bytes are one event of a tunnel's life; a model says what may come of them. */
const tunnelSession: FuzzTarget = {
  name: 'tunnel-session',
  seeds: [
    Uint8Array.from({ length: 90 }, (_, at) => [0, 0, 8][at % 3] ?? 0),
    Uint8Array.from(
      { length: 90 },
      (_, at) =>
        [
          [0, 0, 8],
          [4, 0, 30],
          [1, 0, 1],
          [5, 0, 0],
        ][(at / 3) & 3]?.[at % 3] ?? 0,
    ),
    Uint8Array.from([0, 0, 9, 0, 2, 9, 0, 1, 9, 3, 0, 0, 0, 3, 9, 0, 3, 9, 1, 0, 1, 4, 0, 9, 2, 0, 1]),
    Uint8Array.from([1, 0, 1, 5, 0, 0, 1, 0, 1, 0, 255, 9, 6, 0, 0, 0, 0, 200, 0, 0, 200]),
  ],
  words: [
    [0, 0, 8],
    [0, 1, 255],
    [0, 255, 3],
    [1, 0, 1],
    [2, 0, 1],
    [4, 0, 255],
    [5, 0, 0],
    [3, 0, 0],
  ].map((event) => Uint8Array.from(event)),
  run: (bytes) => {
    const session = new TunnelSession<number>();
    const model = new TunnelModel();
    for (let at = 0; at + 2 < bytes.length && !model.closed; at += 3) {
      const [kind = 0, where = 0, size = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]];
      const event = kind & 7;
      if (event === 4) session.write([model.output(size)]);
      else if (event === 5) session.endPoll();
      else if (event === 6) session.admit();
      else if (event === 3) model.takeAll(session, 1);
      else model.request(session, (['send', 'idle', 'close'] as const)[event] ?? 'send', where, size, at);
      if (event !== 3 && (kind & 8) === 0) model.takeAll(session, Infinity);
      check(model.waitingBytes <= tunnelLimits.heldBytes + 64 * 1024, `${model.waitingBytes} bytes wait`);
    }
    model.takeAll(session, Infinity);
    model.finish(session.abandon());
    return model.closed ? 'closed' : model.delivered > 0 ? 'bytes' : 'none';
  },
  reaches: ['none', 'bytes', 'closed', 'TUNNEL_OUT_OF_ORDER'],
};

class TunnelModel {
  closed = false;
  delivered = 0;
  waitingBytes = 0;
  readonly #open = new Set<number>();
  readonly #bodies = new Map<number, Uint8Array>();
  readonly #answers = new Map<number, string>();
  readonly #sequences = new Map<number, number>();
  #sent = 0;
  #written = 0;
  #fetched = 0;
  #next = 0;
  #lastDelivered = -1;
  #lastAnswered = -1;

  output(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.#written++ & 0xff);
  }

  /** `where`: 0 is the next sequence, small numbers are ahead of it, large ones behind. */
  request(
    session: TunnelSession<number>,
    verb: 'send' | 'idle' | 'close',
    where: number,
    size: number,
    exchange: number,
  ) {
    const sequence = Math.max(0, this.#next + (where < 128 ? where : where - 256));
    if (where === 0) this.#next += 1;
    const known = this.#bodies.get(sequence);
    const body = known ?? new Uint8Array(verb === 'send' ? size * 300 : 1).fill(this.#sent++ & 0xff);
    this.#open.add(exchange);
    this.#sequences.set(exchange, sequence);
    session.receive({ verb, sequence, body }, exchange); // an error ends the tunnel, and the input
    if (known === undefined) this.#bodies.set(sequence, body);
    if (known === undefined && verb === 'send') this.waitingBytes += body.length;
  }

  takeAll(session: TunnelSession<number>, most: number): void {
    for (let count = 0; count < most; count += 1) {
      const step = this.closed ? undefined : session.next(); // who was told of the end only abandons
      if (step === undefined) return;
      if (step.type === 'closed') this.closed = true;
      else if (step.type === 'bytes') this.#deliver(step.bytes);
      else this.#answer(step.exchange, step.body);
    }
  }

  finish(abandoned: readonly number[]): void {
    for (const exchange of abandoned)
      check(this.#open.delete(exchange), `request ${exchange} was answered and abandoned`);
    check(this.#open.size === 0 || this.closed, `${this.#open.size} requests were forgotten`);
  }

  #deliver(bytes: Uint8Array): void {
    const sequence = [...this.#bodies].find(([, body]) => body === bytes)?.[0] ?? -1;
    check(sequence > this.#lastDelivered, `sequence ${sequence} behind ${this.#lastDelivered}`);
    this.#lastDelivered = sequence;
    this.delivered += bytes.length;
    this.waitingBytes -= bytes.length;
  }

  #answer(exchange: number, body: Uint8Array): void {
    check(this.#open.delete(exchange), `request ${exchange} was answered twice`);
    const sequence = this.#sequences.get(exchange) ?? -1;
    const [interval = 0] = body;
    check(body.length > 0 && interval <= 0x21, 'no interval in front of an answer');
    const said = this.#answers.get(sequence);
    const content = latin1(body);
    if (said !== undefined) return same('a repeated answer', content, said);
    check(sequence > this.#lastAnswered, `answer ${sequence} behind ${this.#lastAnswered}`);
    this.#lastAnswered = sequence;
    this.#answers.set(sequence, content);
    for (const byte of body.subarray(1)) check(byte === (this.#fetched++ & 0xff), 'output out of order');
    check(this.#fetched <= this.#written, 'more output than was written');
  }
}

function flvOf(seconds: number): Uint8Array {
  const frames = syntheticFrames('fuzz', seconds, 40).slice(0, 12);
  const tags = [{ type: TagType.ScriptData, timestamp: 0, payload: metadata }, ...frames];
  const bytes = new Uint8Array(
    tags.reduce((sum, { payload }) => sum + tagSize(payload.length), fileHeaderLength),
  );
  bytes.set(fileHeader(true, true));
  let at = fileHeaderLength;
  for (const { type, timestamp, payload } of tags) at = writeTag(bytes, at, type, timestamp, payload);
  return bytes;
}

const metadata = encodeAmf0(
  '@setDataFrame',
  'onMetaData',
  new AmfObject(
    [
      ['width', 1280],
      ['encoder', 'x'],
    ],
    'ecma-array',
  ),
);

const tagReader: FuzzTarget = {
  name: 'tag-reader',
  seeds: [flvOf(1), flvOf(1).slice(0, 400)],
  words: ['464c5601', '09000000', '0000000b', '12ffffff', '08000000000000000000000000000b'].map(
    (hex) => new Uint8Array(Buffer.from(hex, 'hex')),
  ),
  run: (bytes, dice) => {
    const read = (slices: Iterable<Uint8Array>) => {
      const tags: unknown[] = [];
      const reader = new TagReader(({ body, ...tag }, position) =>
        tags.push({ ...tag, body: Buffer.from(body).toString('hex'), position }),
      );
      for (const slice of slices) reader.push(slice);
      check(reader.wholeBytes <= bytes.length, 'more whole bytes than there are');
      return { tags, status: reader.status, wholeBytes: reader.wholeBytes };
    };
    const whole = read(borrowedWhole(bytes));
    same('cut differently', read(borrowedSlices(bytes, dice)), whole);
    // What was whole is whole by itself, which is what the repair of a torn file goes by.
    same('the whole tags alone', read(borrowedWhole(bytes.slice(0, whole.wholeBytes))).tags, whole.tags);
    return whole.status;
  },
  reaches: ['reading', 'not-flv', 'damaged'],
};

const scriptData: FuzzTarget = {
  name: 'script-data',
  seeds: [
    metadata,
    encodeAmf0('onMetaData', new AmfObject([])),
    ...readVectors('amf').map(({ bytes }) => Uint8Array.of(...encodeAmf0('onMetaData'), ...bytes)),
  ],
  words: [encodeAmf0('onMetaData'), encodeAmf0('@setDataFrame'), encodeAmf0(1), Uint8Array.of(0, 0, 9)],
  run: (bytes) => (metadataOf(bytes) === undefined ? 'none' : 'metadata'),
  reaches: ['none', 'metadata'],
};

const media: FuzzTarget = {
  name: 'media-header',
  seeds: ['1700000000', '2701000028aa', 'af00', 'af01aa', '90687663310000000100', '9168766331000000aa']
    .concat([
      '9668766331',
      '961068766331000000040000aaaa',
      '9600016176633100',
      '950168766331',
      '97ff00aa',
      '9f0000',
      '53',
      '22',
      '57',
    ])
    .map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  words: ['96', '9600', '9620', '97', '68766331', '6d703461', '4f707573', '000001', 'ffffff'].map(
    (hex) => new Uint8Array(Buffer.from(hex, 'hex')),
  ),
  run: (bytes) => {
    for (const [type, name] of [
      [TagType.Audio, 'audio'],
      [TagType.Video, 'video'],
    ] as const) {
      check(typeof roleOf(type, bytes) === 'string', 'no role');
      check(codecsOf(type, bytes).length <= 256, 'more codecs than tracks');
      const tracks = tracksOf(bytes, name);
      check(tracks.length <= 256, `${tracks.length} tracks`);
      check(Number.isInteger(onlyTrackOf(bytes, name)), 'no track');
    }
    return videoCodecOf(bytes) ?? audioCodecOf(bytes) ?? 'none';
  },
  reaches: ['h264', 'hevc', 'opus'],
};

const byteRange: FuzzTarget = {
  name: 'byte-range',
  seeds: seedsOf('byte-range'),
  words: words('bytes=', '-', ',', ' ', '0', '9007199254740993', '99999999999999999999', '\t', '+', 'e', '٣'),
  run: (bytes, dice) => {
    const size = dice.pick([0, 1, 2, 10_000, 2 ** 40]);
    const range = parseByteRange(latin1(bytes), size);
    if (typeof range === 'string') return range;
    const { start, end } = range;
    check(Number.isInteger(start) && Number.isInteger(end), `from ${start} to ${end}`);
    check(start >= 0 && start <= end && end < size, `from ${start} to ${end} of ${size}`);
    return 'range';
  },
  reaches: ['ignore', 'unsatisfiable', 'range'],
};

const streamAddress: FuzzTarget = {
  name: 'stream-address',
  seeds: seedsOf('stream-address'),
  words: words('?', 'key=', '&', "'", '/', '/_definst_', '\0', '\r', '..', '%00', 'x'.repeat(130)),
  run: (bytes) => {
    const [app = '', tcUrl = '', ...name] = Buffer.from(bytes).toString('utf8').split('\n');
    const address = parseStreamAddress({ app, tcUrl }, name.join('\n'));
    check(!/[\0-\x1f\x7f?]/.test(address.app + address.name.reveal()), 'a control character got through');
    check(address.app !== '' && address.name.reveal() !== '', 'an empty part');
    check(
      !JSON.stringify(address).includes(`"${address.name.reveal()}"`) ||
        address.app === address.name.reveal(),
      'the name shows',
    );
    return address.key === undefined ? 'address' : 'key';
  },
  reaches: ['address', 'key', 'STREAM_NAME_INVALID'],
};

const streamKey: FuzzTarget = {
  name: 'stream-key-format',
  seeds: [
    ...seedsOf('stream-key-format'),
    ...['a', 'b', 'c', 'd'].map((seed) => text(generateKey('psk', seededRandom(seed)).secret.reveal())),
  ],
  words: words('psk_', 'ptk_', '_', 'l', 'O', '\n', '0', ' ', '\u00e9'),
  run: (bytes) => {
    const written = latin1(bytes);
    const parsed = parseKey('psk', new Secret(written));
    if (typeof parsed === 'string') return parsed;
    check(
      new RegExp(`^psk_[${crockfordAlphabet}]{8}_[${crockfordAlphabet}]{30}$`).test(written),
      'a loose form',
    );
    check(
      parsed.secret.reveal() === written && written.slice(4, 12) === parsed.id,
      'another key than was written',
    );
    return 'key';
  },
  reaches: ['key', 'mistyped', 'not-a-key'],
};

export const doorTargets: readonly FuzzTarget[] = [
  proxyHeader,
  clientHello,
  tunnelRequest,
  tunnelSession,
  tagReader,
  scriptData,
  media,
  byteRange,
  streamAddress,
  streamKey,
];
