// Bytes that no honest encoder sends: AMF bombs, chunk headers that promise too much, degenerate keys. SECURITY 0.
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { ClientHandshake } from '../../src/handshake/client-handshake.ts';
import { publicKeyIn, publicKeyLength, writeDigest } from '../../src/handshake/digest.ts';
import { clientKeys } from '../../src/handshake/genuine-keys.ts';
import { ClientScript } from './client-script.ts';
import { seededRandom } from './seeded-random.ts';

export const ascii = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
export const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
export const filled = (length: number, byte = 0x55) => new Uint8Array(length).fill(byte);

/** An object whose only property is an object, and so on. Four bytes a level, and as many to end it. AMF0 2.5. */
export function nested(depth: number): Uint8Array {
  const level = Uint8Array.of(3, 0, 1, 0x61);
  const bytes = Buffer.alloc(4 * depth + 1 + 3 * depth);
  for (let at = 0; at < depth; at += 1) bytes.set(level, 4 * at);
  bytes[4 * depth] = 5;
  for (let at = 0; at < depth; at += 1) bytes.set([0, 0, 9], 4 * depth + 1 + 3 * at);
  return bytes;
}

/** An object with so many properties, each null. */
export function manyKeys(count: number): Uint8Array {
  const property = (index: number) => {
    const key = index.toString(36).padStart(4, '0');
    return Buffer.concat([Uint8Array.of(0, 4), ascii(key), Uint8Array.of(5)]);
  };
  return joined(
    Uint8Array.of(3),
    ...Array.from({ length: count }, (_, at) => property(at)),
    Uint8Array.of(0, 0, 9),
  );
}

/** An object with these names, each a string. Also names that our own encoder would not write twice. */
export function objectWith(...names: readonly string[]): Uint8Array {
  const properties = names.map((name) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(Buffer.byteLength(name));
    return joined(length, Buffer.from(name), encodeAmf0('polluted'));
  });
  return joined(Uint8Array.of(3), ...properties, Uint8Array.of(0, 0, 9));
}

export const connectPayload = (commandObject: Uint8Array) => joined(encodeAmf0('connect', 1), commandObject);

/** A command whose payload is written by hand, behind the handshake. */
export function rawCommand(payload: Uint8Array, script = new ClientScript().handshake()): ClientScript {
  return script.message(3, { type: MessageType.CommandAmf0, timestamp: 0, streamId: 0, payload }, 0);
}

/** A type 0 header that promises so many bytes. RTMP 5.3.1.2.1. */
export function chunkHeader(chunkStreamId: number, type: number, length: number, streamId = 0): Uint8Array {
  const basic =
    chunkStreamId < 64 ? [chunkStreamId] : [1, (chunkStreamId - 64) & 0xff, (chunkStreamId - 64) >> 8];
  const header = Buffer.alloc(11);
  header.writeUIntBE(length, 3, 3);
  header.writeUInt8(type, 6);
  header.writeUInt32LE(streamId, 7);
  return joined(Uint8Array.from(basic), header);
}

/** The prime of the group of RTMPE. RFC 2409 6.2. */
const prime = BigInt(
  '0xffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed' +
    'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff',
);
export const degenerateKeys = { '0': 0n, '1': 1n, 'p-1': prime - 1n, p: prime, 'p+1': prime + 1n } as const;

/** C0 and C1 of RTMPE with a valid digest over any public key. */
export function encryptedHello(version: 6 | 8 | 9, publicKey?: bigint): Uint8Array {
  const client = new ClientHandshake({ random: seededRandom(`hello ${version}`), time: 0, version });
  const [c0 = new Uint8Array(0), c1 = new Uint8Array(0)] = client.takeOutput();
  if (publicKey !== undefined) {
    const hex = publicKey.toString(16).padStart(2 * publicKeyLength, '0');
    publicKeyIn(c1, 'KD').set(Buffer.from(hex, 'hex'));
    writeDigest(c1, 'KD', clientKeys);
  }
  return joined(c0, c1);
}
