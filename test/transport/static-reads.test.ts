// Over real sockets: what is tried here are undocumented fields of Node's, so a new Node.js fails here first.
import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { deliverReads, staticReadsWork } from '../../src/transport/static-reads.ts';
import { type Link, socketPair } from '../support/loopback.ts';
import { seededRandom } from '../support/seeded-random.ts';

const mebibyte = seededRandom('reads')(1024 * 1024);
const hashOf = (...pieces: readonly Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};

/** A connection whose reads are hashed as they come. */
async function listen(link: Link, trick: boolean) {
  const { near, far } = await socketPair(link);
  const hash = createHash('sha256');
  const views: { memory: ArrayBufferLike; offset: number; length: number }[] = [];
  let received = 0;
  const reads = deliverReads(
    near,
    (borrowed) => {
      hash.update(borrowed);
      received += borrowed.length;
      views.push({ memory: borrowed.buffer, offset: borrowed.byteOffset, length: borrowed.length });
    },
    trick,
  );
  return { near, far, reads, views, received: () => received, digest: () => hash.digest('hex') };
}

it('works on this Node.js', async () => {
  await expect(staticReadsWork()).resolves.toBe(true);
});

describe.each<Link>(['tcp', 'tls'])('%s', (link) => {
  it('delivers every read in the same memory, and loses nothing', async () => {
    const one = await listen(link, true);
    const other = await listen(link, true);
    for (const { reads, far } of [one, other]) {
      reads.start();
      far.write(mebibyte);
    }
    await vi.waitFor(() => expect(one.received() + other.received()).toBe(2 * mebibyte.length));
    expect([one.digest(), other.digest()]).toEqual([hashOf(mebibyte), hashOf(mebibyte)]);
    const views = [...one.views, ...other.views];
    expect(new Set(views.map(({ memory }) => memory)).size).toBe(1);
    expect(new Set(views.map(({ offset }) => offset)).size).toBe(1);
    expect(views.length).toBeGreaterThan(4); // one buffer, filled again and again
  });

  it('falls back to data events', async () => {
    const { reads, far, views, received, digest } = await listen(link, false);
    reads.start();
    far.write(mebibyte);
    await vi.waitFor(() => expect(received()).toBe(mebibyte.length));
    expect(digest()).toBe(hashOf(mebibyte));
    const trick = await listen(link, true);
    trick.reads.start();
    trick.far.write('x');
    await vi.waitFor(() => expect(trick.received()).toBe(1));
    expect(views.map(({ memory }) => memory)).not.toContain(trick.views[0]!.memory);
  });

  it.each([true, false])(
    'stops and starts, with nothing read or lost in between (trick: %s)',
    async (trick) => {
      const { reads, far, received, digest } = await listen(link, trick);
      reads.start();
      far.write('a');
      await vi.waitFor(() => expect(received()).toBe(1));
      for (let round = 0; round < 3; round += 1) {
        reads.stop();
        reads.stop();
        const before = received();
        far.write(mebibyte);
        await turns();
        // What TLS had deciphered already may still come out; what stays in the socket is the point.
        expect(received() - before).toBeLessThan(mebibyte.length / 2);
        reads.start();
        reads.start();
        await vi.waitFor(() => expect(received()).toBe(1 + (round + 1) * mebibyte.length));
      }
      expect(digest()).toBe(hashOf(Buffer.from('a'), mebibyte, mebibyte, mebibyte));
    },
  );

  it.each([true, false])('starts and stops a destroyed socket without harm (trick: %s)', async (trick) => {
    const { near, reads } = await listen(link, trick);
    near.destroy();
    expect(() => {
      reads.start();
      reads.stop();
    }).not.toThrow();
    await turns();
    reads.start();
  });
});

it('falls back on a socket without the fields it needs', () => {
  const socket = new Socket(); // not connected: no handle
  deliverReads(socket, () => undefined, true);
  expect(socket.listenerCount('data')).toBe(1);
  socket.destroy();
});

/** Time for sockets to do what they would do. */
async function turns(): Promise<void> {
  const { near, far } = await socketPair('tcp');
  for (let turn = 0; turn < 20; turn += 1) {
    far.write('.');
    await new Promise((resolve) => near.once('data', resolve));
  }
}
