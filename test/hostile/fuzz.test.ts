// Bounded fuzzing of the server connection as a whole: handshake, chunks, AMF and commands. Real conversations are
// damaged in a few thousand ways; nothing but a ProtocolError may come of it, however the bytes are cut the outcome
// is the same, and what a connection holds is in proportion to what it was sent. The seed is fixed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { ServerConnection } from '../../src/connection/server-connection.ts';
import { ProtocolError } from '../../src/errors.ts';
import { Dice } from '../support/fuzz-dice.ts';
import { chunkHeader, joined } from '../support/hostile-bytes.ts';
import { slicesAt } from '../support/slices.ts';

const inputs = 5000;
/** Milliseconds; a tenth of it is usual. */
const longestInput = 500;
/** Bytes held for each byte that was sent, buffers and objects together; S1 and its ciphers are the most of it. */
const mostHeld = 8;
const handshakeLength = 1 + 2 * 1536;

const folder = join(import.meta.dirname, 'corpus');
const corpus = readdirSync(folder)
  .filter((file) => file.endsWith('.rtmp'))
  .sort()
  .map((file) => ({ file, bytes: new Uint8Array(readFileSync(join(folder, file))) }));

/** Everything that came of a conversation; each list in its own order, because tags do not wait for events. */
interface Outcome {
  readonly events: string[];
  readonly tags: string[];
  /** SHA-256 of everything that was answered. */
  readonly output: string;
  readonly error: string | undefined;
}

class Conversation {
  readonly #events: string[] = [];
  readonly #tags: string[] = [];
  readonly #output = createHash('sha256');
  readonly #connection: ServerConnection;
  #error: string | undefined;

  constructor() {
    this.#connection = new ServerConnection({
      random: cheapRandom(),
      time: 0,
      messageSize: 8 * 1024 * 1024,
      onTag: (streamId, { type, timestamp, role, body }) => {
        this.#tags.push(`${streamId} ${type} ${timestamp} ${role} ${body.length} ${checksum(body)}`);
      },
    });
  }

  /** Throws whatever is not a ProtocolError. The bytes are given in a buffer that is spoilt afterwards. */
  receive(bytes: Uint8Array): this {
    if (this.#error !== undefined) return this;
    const borrowed = Uint8Array.from(bytes);
    try {
      this.#connection.receive(borrowed, 0);
      this.#answer();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#error = `${error.code}: ${error.message}`;
      this.#answer();
    }
    borrowed.fill(0xee);
    return this;
  }

  get outcome(): Outcome {
    return {
      events: this.#events,
      tags: this.#tags,
      output: this.#output.copy().digest('hex'),
      error: this.#error,
    };
  }

  #answer(): void {
    for (
      let event = this.#connection.nextEvent();
      event !== undefined;
      event = this.#connection.nextEvent()
    ) {
      this.#events.push(describeEvent(event));
      if (!('request' in event) || this.#error !== undefined) continue;
      if (event.type === 'play') this.#connection.refuse(event.request, 'NetStream.Play.Failed', 'no');
      else this.#connection.accept(event.request);
    }
    for (const piece of this.#connection.takeOutput()) this.#output.update(piece);
  }
}

function describeEvent(event: object): string {
  return JSON.stringify(event, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}

function checksum(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

// The same bytes as seededRandom('corpus') hands out, which the conversations were recorded with; made only once.
const prepared = corpusRandom(16_384);
function cheapRandom(): (length: number) => Uint8Array {
  let at = 0;
  return (length) => prepared.slice(at, (at += length));
}

function corpusRandom(length: number): Uint8Array {
  const blocks = Array.from({ length: length / 32 }, (_, counter) => {
    const block = Buffer.alloc(4);
    block.writeUInt32BE(counter);
    return createHash('sha256').update('corpus').update(block).digest();
  });
  return new Uint8Array(Buffer.concat(blocks));
}

const words = [
  'connect',
  'createStream',
  'publish',
  'deleteStream',
  'closeStream',
  'play',
  '@setDataFrame',
  'onMetaData',
];
const numbers = [
  0, 1, 2, 3, 4, 8, 9, 0x0a, 0x0c, 0x10, 0x11, 0x14, 0x16, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff,
];

/** Most damage is done behind the handshake, where there is most to damage. */
function place(dice: Dice, bytes: Uint8Array): number {
  const from = dice.roll(12) === 0 || bytes.length <= handshakeLength ? 0 : handshakeLength;
  return from + dice.roll(bytes.length - from);
}

const mutations: readonly ((bytes: Uint8Array, dice: Dice) => Uint8Array)[] = [
  (bytes, dice) => put(bytes, place(dice, bytes), [dice.roll(256)]),
  (bytes, dice) => put(bytes, place(dice, bytes), [dice.pick(numbers)]),
  (bytes, dice) => {
    const at = place(dice, bytes);
    return put(bytes, at, [(bytes[at] ?? 0) ^ (1 << dice.roll(8))]);
  },
  (bytes, dice) => put(bytes, place(dice, bytes), [0xff, 0xff, 0xff, 0xff].slice(0, 1 + dice.roll(4))),
  (bytes, dice) => put(bytes, place(dice, bytes), [0, 0, 0, 0].slice(0, 1 + dice.roll(4))),
  (bytes, dice) => put(bytes, place(dice, bytes), Buffer.from(dice.pick(words))),
  (bytes, dice) => bytes.slice(0, place(dice, bytes)),
  (bytes, dice) => {
    const at = place(dice, bytes);
    return splice(bytes, at, at + 1 + dice.roll(300), new Uint8Array(0));
  },
  (bytes, dice) => {
    const [at, from] = [place(dice, bytes), place(dice, bytes)];
    return splice(bytes, at, at, bytes.slice(from, from + 1 + dice.roll(2000)));
  },
  (bytes, dice) => {
    const at = place(dice, bytes);
    const random = Uint8Array.from({ length: 1 + dice.roll(40) }, () => dice.roll(256));
    return splice(bytes, at, at, random);
  },
  withMessage,
  (bytes, dice) => {
    const other = dice.pick(corpus).bytes;
    return splice(bytes, place(dice, bytes), bytes.length, other.slice(place(dice, other)));
  },
];

/** In front of all messages, where the boundary is known: one of any type, its payload out of AMF and odd bytes. */
function withMessage(bytes: Uint8Array, dice: Dice): Uint8Array {
  const same = dice.roll(4) === 0 ? dice.pick(amfPieces) : undefined;
  const payload = joined(...Array.from({ length: 1 + dice.roll(30) }, () => same ?? dice.pick(amfPieces)));
  const length = Math.min(payload.length, 128); // one chunk
  const header = chunkHeader(dice.pick([2, 3, 5, 63]), dice.pick(numbers) % 24, length, dice.roll(2));
  return splice(bytes, handshakeLength, handshakeLength, joined(header, payload.subarray(0, length)));
}

const amfPieces: readonly Uint8Array[] = [
  ...numbers.map((number) => Uint8Array.of(number)),
  ...words.map((word) => encodeAmf0(word)),
  encodeAmf0(1),
  encodeAmf0(null, true, 'camera'),
  Uint8Array.of(3, 0, 1, 0x61),
  Uint8Array.of(3, 0, 1, 0x61, 3, 0, 1, 0x61, 3, 0, 1, 0x61, 3, 0, 1, 0x61),
  Uint8Array.of(8, 0, 0, 0, 9, 0, 1, 0x61),
  Uint8Array.of(0x0a, 0, 0, 0, 2),
  Uint8Array.of(0, 0, 9),
];

function put(bytes: Uint8Array, at: number, values: ArrayLike<number>): Uint8Array {
  const copy = bytes.slice();
  for (let index = 0; index < values.length && at + index < copy.length; index += 1)
    copy[at + index] = values[index] ?? 0;
  return copy;
}

function splice(bytes: Uint8Array, from: number, to: number, inserted: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(to)]));
}

function damaged(dice: Dice): Uint8Array {
  let bytes: Uint8Array = dice.pick(corpus).bytes;
  for (let count = 1 + dice.roll(4); count > 0; count -= 1) bytes = dice.pick(mutations)(bytes, dice);
  return bytes;
}

/** A few cuts anywhere, and a stretch cut small, where headers and values are torn. */
function cutsOf(dice: Dice, bytes: Uint8Array): number[] {
  const cuts = Array.from({ length: dice.roll(20) }, () => place(dice, bytes));
  const size = 1 + dice.roll(24);
  const from = place(dice, bytes);
  for (let at = from; at < Math.min(bytes.length, from + 1000); at += size) cuts.push(at);
  return cuts;
}

describe('the corpus', () => {
  it.each(corpus)('$file gets through, cut in any way', ({ file, bytes }) => {
    const whole = new Conversation().receive(bytes).outcome;
    expect(whole.error).toBeUndefined();
    const types = whole.events.map((event) => (JSON.parse(event) as { type: string }).type);
    expect(types.slice(0, 2)).toEqual(['handshaken', 'connect']);
    expect(types).toContain(file === 'rtmpdump-play.rtmp' ? 'play' : 'publish');
    expect(whole.tags.length).toBeGreaterThanOrEqual(file === 'rtmpdump-play.rtmp' ? 0 : 9);
    for (const size of [1, 2, 7, 61, 1000]) {
      const cuts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => index * size);
      const sliced = new Conversation();
      for (const slice of slicesAt(bytes, cuts)) sliced.receive(slice);
      expect(sliced.outcome).toEqual(whole);
    }
  });
});

describe(`${inputs} damaged conversations`, () => {
  it('end in order or in a ProtocolError, the same however they are cut, and soon', () => {
    const dice = new Dice(0x5eed);
    const seen = new Map<string, number>();
    for (let index = 0; index < inputs; index += 1) {
      const bytes = damaged(dice);
      const cuts = cutsOf(dice, bytes);
      const began = performance.now();
      try {
        const whole = new Conversation().receive(bytes).outcome;
        const sliced = new Conversation();
        for (const slice of slicesAt(bytes, cuts)) sliced.receive(slice);
        expect(sliced.outcome).toEqual(whole);
        const code = whole.error?.split(':')[0] ?? 'none';
        seen.set(code, (seen.get(code) ?? 0) + 1);
      } catch (error) {
        // What is needed to make a test of its own of it.
        throw new Error(
          `input ${index}, cut at ${cuts.join(' ')}: ${Buffer.from(bytes).toString('base64')}`,
          {
            cause: error,
          },
        );
      }
      expect(performance.now() - began).toBeLessThan(longestInput);
    }
    // The damage reaches everywhere: all but the codes that need more than a conversation.
    expect([...seen.keys()].sort((one, other) => one.localeCompare(other))).toEqual(
      expect.arrayContaining(reached),
    );
  });

  it('leave no more behind in open connections than was sent', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const collect = () => Array.from({ length: 3 }, gc); // what natives held is only free after a second time
    const dice = new Dice(0xcafe);
    const open: Conversation[] = [];
    for (let index = 0; index < 50; index += 1) open.push(new Conversation().receive(damaged(dice))); // warm
    collect();
    const before = process.memoryUsage();
    let sent = 0;
    for (let index = 0; index < 500; index += 1) {
      const bytes = damaged(dice);
      sent += bytes.length;
      open.push(new Conversation().receive(bytes));
    }
    collect();
    const after = process.memoryUsage();
    const held = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
    expect(open.length).toBe(550);
    expect(held / sent).toBeLessThan(mostHeld);
  });
});

const reached = [
  'AMF_TOO_DEEP',
  'AMF_TRUNCATED',
  'AMF_TYPE_UNKNOWN',
  'CHUNK_INTERRUPTED_MESSAGE',
  'CHUNK_WITHOUT_PREVIOUS',
  'COMMAND_INVALID',
  'COMMAND_OUT_OF_STATE',
  'CONTROL_MESSAGE_INVALID',
  'HANDSHAKE_DIGEST_MISMATCH',
  'HANDSHAKE_SIGNATURE_MISMATCH',
  'MESSAGE_TOO_LARGE',
  'none',
];
