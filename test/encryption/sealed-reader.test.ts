import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { recordOverhead, sealedHeadLength } from '../../src/encryption/sealed-format.ts';
import { SealedReader } from '../../src/encryption/sealed-reader.ts';
import { SealedWriter } from '../../src/encryption/sealed-writer.ts';
import { seededRandom } from '../support/seeded-random.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const headLength = 100;
const random = seededRandom('encryption');

/** An encrypted file in memory, and the plain one beside it. */
class TwoFiles {
  plain = Buffer.alloc(0);
  stored: Buffer;
  readonly writer = new SealedWriter({ key, headLength, random });

  constructor() {
    this.stored = Buffer.from(this.writer.head);
  }

  append(length: number): this {
    const bytes = random(length);
    this.plain = Buffer.concat([this.plain, bytes]);
    const { bytes: sealed, appended } = this.writer.append(bytes);
    this.stored = Buffer.concat([this.stored, sealed]);
    appended();
    return this;
  }

  patch(): this {
    const head = random(headLength);
    this.plain.set(head);
    const { position, bytes } = this.writer.patchHead(head);
    this.stored.set(bytes, position);
    return this;
  }

  finish(): this {
    this.stored = Buffer.concat([this.stored, this.writer.index()]);
    return this;
  }

  open(withKey: typeof key | undefined = key): Promise<SealedReader> {
    return openStored(() => this.stored, withKey);
  }
}

async function openStored(
  stored: () => Buffer,
  withKey: typeof key | undefined = key,
): Promise<SealedReader> {
  const read = async (position: number, length: number) => stored().subarray(position, position + length);
  const reader = await SealedReader.open({ read, size: async () => stored().length }, withKey);
  if (reader === undefined) throw new Error('not taken for an encrypted recording');
  return reader;
}

async function readAll(reader: SealedReader, start = 0, end = Infinity): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.read(start, end)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

describe('an encrypted recording', () => {
  it.each([['growing'], ['finished']])('%s: any part reads like the plain file', async (state) => {
    const file = new TwoFiles().append(170).append(3).append(5000).patch().append(64);
    if (state === 'finished') file.finish();
    expect(file.stored.includes(file.plain.subarray(200, 216))).toBe(false);
    const reader = await file.open();
    expect(reader.plainLength).toBe(file.plain.length);
    expect(await readAll(reader)).toEqual(file.plain);
    for (let round = 0; round < 50; round += 1) {
      const [a = 0, b = 0] = new Uint16Array(Uint8Array.from(random(4)).buffer);
      const start = a % file.plain.length;
      const end = start + (b % (file.plain.length - start));
      expect(await readAll(reader, start, end)).toEqual(file.plain.subarray(start, end));
    }
  });

  it('can be followed while it grows, its head too', async () => {
    const file = new TwoFiles().append(150);
    const reader = await file.open();
    expect(await readAll(reader)).toEqual(file.plain);
    file.append(10).patch().append(20).finish();
    await reader.refresh();
    expect(await readAll(reader)).toEqual(file.plain);
  });

  it('is told from a plain one', async () => {
    const read = async () => Buffer.from('FLV');
    expect(await SealedReader.open({ read, size: async () => 3 }, key)).toBeUndefined();
  });

  it('says which key it needs when another one is given, or none', async () => {
    const file = new TwoFiles().append(150);
    const other = createSecretKey(Buffer.alloc(32, 2));
    await expect(file.open(other)).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_WRONG' });
    const none = SealedReader.open({ read: async () => file.stored, size: async () => 0 }, undefined);
    await expect(none).rejects.toThrow('no key is configured');
  });

  it('says where it is damaged, and reads on both sides', async () => {
    const file = new TwoFiles().append(100).append(200).append(300).finish();
    file.stored[sealedHeadLength + 100 + 2 * recordOverhead + 150]! ^= 1;
    const reader = await file.open();
    await expect(readAll(reader)).rejects.toMatchObject({
      code: 'RECORDING_DAMAGED',
      message: expect.stringContaining('bytes 100 to 300') as string,
    });
    expect(await readAll(reader, 0, 100)).toEqual(file.plain.subarray(0, 100));
    expect(await readAll(reader, 300)).toEqual(file.plain.subarray(300));
  });

  it('loses no more than the record that a kill or a power cut has torn', async () => {
    const file = new TwoFiles().append(100).append(200).append(300);
    const whole = file.stored.length;
    for (let cut = 1; cut < 300 + recordOverhead; cut += 7) {
      const reader = await openStored(() => file.stored.subarray(0, whole - cut));
      expect(await reader.dropDamagedTail()).toBe(300);
    }
    file.stored.fill(0, whole - 20); // the length is there, the end is not
    const reader = await file.open();
    expect([await reader.dropDamagedTail(), reader.lengths]).toEqual([300, [100, 200]]);
  });

  it('goes on behind a repair: cut between records, written on, finished', async () => {
    const file = new TwoFiles().append(100).append(200).append(300);
    file.stored = file.stored.subarray(0, -5);
    const torn = await file.open();
    await torn.dropDamagedTail();
    const writer = new SealedWriter({ key, headLength, random }, { salt: torn.salt, lengths: torn.lengths });
    const end = writer.truncate(300);
    expect(end).toBe(sealedHeadLength + 300 + 2 * recordOverhead);
    expect(() => writer.truncate(299)).toThrow(RangeError);
    const added = Buffer.from(random(40));
    const { bytes, appended } = writer.append(added);
    appended();
    const mended = Buffer.concat([file.stored.subarray(0, end), bytes, writer.index()]);
    expect(await readAll(await openStored(() => mended))).toEqual(
      Buffer.concat([file.plain.subarray(0, 300), added]),
    );
  });
});
