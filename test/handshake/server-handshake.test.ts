import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import { ClientHandshake } from '../../src/handshake/client-handshake.ts';
import { findDigest, publicKeyIn, writeDigest } from '../../src/handshake/digest.ts';
import { clientKeys, serverKeys } from '../../src/handshake/genuine-keys.ts';
import type { HandshakeVersion } from '../../src/handshake/handshake-packet.ts';
import type { Rc4 } from '../../src/handshake/rc4.ts';
import { ServerHandshake } from '../../src/handshake/server-handshake.ts';
import { seededRandom } from '../support/seeded-random.ts';

interface Expectation {
  readonly version: HandshakeVersion;
  readonly digest: boolean;
  readonly encrypted: boolean;
  /** The first sixteen bytes of each direction's keystream behind the handshake, in hex. */
  readonly decipher?: string;
  readonly encipher?: string;
  /** SHA-256 of S0 S1 S2, in hex. */
  readonly answer: string;
}

const folder = new URL('../vectors/handshake/', import.meta.url);
const vectors = readdirSync(folder).map((file) => {
  const [head = '', body = ''] = readFileSync(new URL(file, folder), 'utf8').split('\n\n');
  return {
    name: file.replace('.vector', ''),
    expected: JSON.parse(/^expect: (.*)$/m.exec(head)?.[1] ?? '') as Expectation,
    bytes: Uint8Array.from(Buffer.from(body.replaceAll('\n', ''), 'hex')),
  };
});

const vector = (name: string): (typeof vectors)[number] => vectors.find((each) => each.name === name)!;
const serverOf = (name: string): ServerHandshake =>
  new ServerHandshake({ random: seededRandom(`server ${name}`), time: 0x01020304 });

function keystream(rc4: Rc4 | undefined): string | undefined {
  const bytes = new Uint8Array(16);
  rc4?.apply(bytes, bytes);
  return rc4 && Buffer.from(bytes).toString('hex');
}

/** What the whole handshake came to, to compare with an expectation. */
function outcome(server: ServerHandshake, answer: readonly Uint8Array[]): unknown {
  const { decipher, encipher, ...rest } = server.result ?? {};
  return {
    ...rest,
    ...(decipher && { decipher: keystream(decipher), encipher: keystream(encipher) }),
    answer: createHash('sha256').update(Buffer.concat(answer)).digest('hex'),
  };
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const changed = bytes.slice();
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
};

describe('ServerHandshake', () => {
  it('has vectors of every version', () => {
    expect(new Set(vectors.map(({ expected }) => expected.version))).toEqual(new Set([3, 6, 8, 9]));
  });

  it.each(vectors)('answers $name byte for byte', ({ name, bytes, expected }) => {
    const server = serverOf(name);
    expect(server.receive(bytes.subarray(0, 1536))).toBe(1536);
    expect(server.takeOutput()).toEqual([]);
    expect(server.receive(bytes.subarray(1536, 1537))).toBe(1);
    const answer = server.takeOutput();
    expect(answer.map((part) => part.length)).toEqual([3073]);
    expect(server.receive(bytes.subarray(1537, 3072))).toBe(1535);
    expect(server.result).toBeUndefined();
    expect(server.receive(bytes.subarray(3072))).toBe(1);
    expect(server.takeOutput()).toEqual([]);
    expect(outcome(server, answer)).toEqual(expected);
  });

  it.each(vectors)(
    'comes to the same however $name is cut, and stops behind C2',
    ({ name, bytes, expected }) => {
      const withMore = Buffer.concat([bytes, Buffer.from('ciphertext already')]);
      fc.assert(
        fc.property(fc.array(fc.nat({ max: withMore.length }), { maxLength: 6 }), (places) => {
          const server = serverOf(name);
          const answer: Uint8Array[] = [];
          let consumed = 0;
          let from = 0;
          for (const to of [...places.sort((a, b) => a - b), withMore.length]) {
            const borrowed = Uint8Array.from(withMore.subarray(from, to));
            consumed += server.receive(borrowed);
            borrowed.fill(0xff);
            answer.push(...server.takeOutput());
            from = to;
          }
          expect(consumed).toBe(3073);
          expect(outcome(server, answer)).toEqual(expected);
        }),
        { seed: 6, numRuns: 15, examples: [[[]], [[1]], [[1537]], [[1, 1537, 3072]], [[3073]]] },
      );
    },
  );

  it('takes one byte at a time', () => {
    const { name, bytes, expected } = vector('rtmpe-9');
    const server = serverOf(name);
    const answer: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      expect(server.receive(bytes.subarray(at, at + 1))).toBe(1);
      answer.push(...server.takeOutput());
    }
    expect(outcome(server, answer)).toEqual(expected);
    expect(server.receive(Uint8Array.of(1, 2, 3))).toBe(0);
  });

  it('refuses every other C0 at that byte', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      if ([3, 6, 8, 9].includes(byte)) continue;
      const server = serverOf('c0');
      expect(codeOf(() => server.receive(Uint8Array.of(byte)))).toBe('HANDSHAKE_VERSION_UNSUPPORTED');
      expect(server.receive(new Uint8Array(3073))).toBe(0);
      expect(server.takeOutput()).toEqual([]);
    }
  });

  it('never answers RTMPE without a valid digest in C1, least of all in plain', () => {
    for (const name of ['rtmpe-6', 'rtmpe-6-digest-first', 'rtmpe-8', 'rtmpe-9']) {
      const { bytes } = vector(name);
      for (const at of [1, 9, 500, 900, 1536]) {
        const server = serverOf(name);
        expect(codeOf(() => server.receive(flipped(bytes, at)))).toBe('HANDSHAKE_DIGEST_MISMATCH');
        expect(server.takeOutput()).toEqual([]);
        expect(server.result).toBeUndefined();
        expect(server.receive(bytes)).toBe(0);
      }
    }
    const simple = vector('plain-simple').bytes.slice();
    simple[0] = 6;
    expect(codeOf(() => serverOf('downgrade').receive(simple))).toBe('HANDSHAKE_DIGEST_MISMATCH');
  });

  it('refuses a C2 that is neither signed nor S1', () => {
    for (const name of ['rtmpe-6', 'rtmpe-8', 'rtmpe-9', 'rtmpe-6-echo']) {
      const { bytes } = vector(name);
      for (const at of [1537, 2000, 3040, 3041, 3072]) {
        const server = serverOf(name);
        expect(codeOf(() => server.receive(flipped(bytes, at)))).toBe('HANDSHAKE_SIGNATURE_MISMATCH');
        expect(server.result).toBeUndefined();
      }
    }
  });

  it('refuses a C2 that is masked for another version', () => {
    const { name, bytes } = vector('rtmpe-8');
    for (const version of [6, 9]) {
      const other = bytes.slice();
      other[0] = version; // C1 does not depend on it, C2 does.
      expect(codeOf(() => serverOf(name).receive(other))).toBe('HANDSHAKE_SIGNATURE_MISMATCH');
    }
  });

  it('refuses degenerate public keys', () => {
    const prime = Buffer.from(
      'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
        'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed' +
        'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff',
      'hex',
    );
    const zero = new Uint8Array(128);
    const lessOne = flipped(prime, 127);
    for (const key of [zero, flipped(zero, 127), lessOne, prime, new Uint8Array(128).fill(0xff)]) {
      const bytes = vector('rtmpe-6').bytes.slice(0, 1537);
      publicKeyIn(bytes.subarray(1), 'KD').set(key);
      writeDigest(bytes.subarray(1), 'KD', clientKeys);
      const server = serverOf('degenerate');
      expect(codeOf(() => server.receive(bytes))).toBe('HANDSHAKE_PUBLIC_KEY_INVALID');
      expect(server.takeOutput()).toEqual([]);
    }
  });

  it('answers with S1 in DK layout, version 3.5.1.1, and S0 as C0, whatever the layout of C1', () => {
    for (const version of [3, 6, 8, 9] as const) {
      for (const layout of ['DK', 'KD'] as const) {
        const random = seededRandom(`layout ${version} ${layout}`);
        const client = new ClientHandshake({ random, time: 1, version, kind: 'digest', layout });
        const server = new ServerHandshake({ random, time: 2 });
        for (const part of client.takeOutput()) server.receive(part);
        const answer = Buffer.concat(server.takeOutput());
        expect(answer[0]).toBe(version);
        expect([...answer.subarray(5, 9)]).toEqual([3, 5, 1, 1]);
        expect(findDigest(answer.subarray(1, 1537), serverKeys)?.layout).toBe('DK');
      }
    }
  });

  it('takes plain clients as they are: a damaged digest is a simple handshake, C2 is not judged', () => {
    const { bytes } = vector('plain-digest-first');
    const server = serverOf('plain');
    expect(server.receive(flipped(bytes, 700))).toBe(3073);
    expect(server.result).toEqual({ version: 3, digest: false, encrypted: false });
    const answer = Buffer.concat(server.takeOutput());
    expect(answer.subarray(5, 9)).toEqual(Buffer.alloc(4));
    expect(answer.subarray(1545)).toEqual(Buffer.from(flipped(bytes, 700).subarray(9, 1537)));

    for (const name of ['plain-simple', 'plain-digest-first']) {
      const other = serverOf(name);
      expect(other.receive(Buffer.concat([vector(name).bytes.subarray(0, 1537), Buffer.alloc(1536)]))).toBe(
        3073,
      );
      expect(other.result).toEqual({ version: 3, digest: name !== 'plain-simple', encrypted: false });
    }
  });

  it('meets garbage with a ProtocolError or waits for more', () => {
    const { random, codes } = { random: seededRandom('garbage'), codes: new Set<string | undefined>() };
    for (let round = 0; round < 60; round += 1) {
      for (const first of [0, 3, 6, 8, 9, 0x16, 0x47]) {
        const garbage = random(1 + ((round * 61) % 3600));
        garbage[0] = first;
        const server = serverOf('garbage');
        codes.add(codeOf(() => server.receive(garbage)));
        // Anything is good enough for the simple handshake, nothing for the others.
        expect(server.result !== undefined).toBe(first === 3 && garbage.length >= 3073);
      }
    }
    expect(codes).toEqual(new Set([undefined, 'HANDSHAKE_VERSION_UNSUPPORTED', 'HANDSHAKE_DIGEST_MISMATCH']));
  });
});
