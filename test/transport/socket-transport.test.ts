// Over real sockets on this machine; time alone is fake.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls, createServer } from 'node:tls';
import { describe, expect, it, vi } from 'vitest';
import { transportLimits } from '../../src/transport/transport-limits.ts';
import { ReadPacer, type PacedConnection } from '../../src/transport/read-pacer.ts';
import { SocketTransport } from '../../src/transport/socket-transport.ts';
import { TransportError } from '../../src/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Link, readToEnd, socketPair, TestCertificates } from '../support/loopback.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { fromHex } from '../support/vectors.ts';
import { testOrigin } from '../support/test-origin.ts';

const mebibyte = seededRandom('transport')(1024 * 1024);
const hashOf = (...pieces: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(pieces)).digest('hex');

interface Options {
  readonly link?: Link;
  readonly staticReads?: boolean;
  readonly first?: Uint8Array;
  /** Called with what arrives, borrowed. */
  readonly bytes?: (borrowed: Uint8Array, transport: SocketTransport) => void;
}

async function open({ link = 'tcp', staticReads = true, first = Uint8Array.of(3), bytes }: Options = {}) {
  const { near, far } = await socketPair(link);
  const clock = new FakeClock();
  const paced: PacedConnection[] = [];
  const pacer = new ReadPacer(clock, 0);
  vi.spyOn(pacer, 'add').mockImplementation((connection) => void paced.push(connection));
  const removed = vi.spyOn(pacer, 'remove');
  const admitted = vi.fn<() => void>();
  const transport = new SocketTransport({
    socket: near,
    first,
    door: link === 'tls' ? 'rtmps' : 'rtmp',
    peer: { address: '192.0.2.1', port: 50_000 },
    tls: link === 'tls' ? testOrigin.tls : undefined,
    acceptedAt: 7,
    refusal: undefined,
    clock,
    pacer,
    staticReads,
    onAdmit: admitted,
  });
  const hash = createHash('sha256');
  let received = 0;
  const ends: (Error | undefined)[] = [];
  transport.start({
    bytes: (borrowed) => {
      hash.update(borrowed);
      received += borrowed.length;
      bytes?.(borrowed, transport);
    },
    end: (error) => ends.push(error),
  });
  const ended = () => vi.waitFor(() => expect(ends).toHaveLength(1), 5000);
  return {
    transport,
    near,
    far,
    clock,
    paced,
    removed,
    admitted,
    ends,
    ended,
    received: () => received,
    digest: () => hash.digest('hex'),
    /** Resolves when nothing more happens by itself. */
    over: async () => {
      await ended();
      if (!near.destroyed) await once(near, 'close');
      expect([clock.timers, ends.length]).toEqual([0, 1]);
    },
  };
}

/** Resolves when the kernel's buffers are full: what was written last is still here. */
async function stuck(socket: Socket): Promise<void> {
  let before = -1;
  await vi.waitFor(
    () => {
      const waiting = socket.writableLength;
      const same = waiting > 0 && waiting === before;
      before = waiting;
      expect(same).toBe(true);
    },
    { interval: 20, timeout: 5000 },
  );
}

const kinds = [
  { link: 'tcp', staticReads: true },
  { link: 'tcp', staticReads: false },
  { link: 'tls', staticReads: true },
] as const;

describe.each(kinds)('reading ($link, static reads: $staticReads)', (kind) => {
  it('delivers what was read before, then the rest, in order', async () => {
    const { far, received, digest, transport, over } = await open({ ...kind, first: Uint8Array.of(3, 1, 2) });
    expect(received()).toBe(3);
    for (let piece = 0; piece < 4; piece += 1) far.write(mebibyte);
    await vi.waitFor(() => expect(received()).toBe(3 + 4 * mebibyte.length), 5000);
    expect(digest()).toBe(hashOf(Uint8Array.of(3, 1, 2), mebibyte, mebibyte, mebibyte, mebibyte));
    transport.destroy();
    await over();
  });

  it('stops when it is paused, so that TCP holds the peer up, and goes on without a gap', async () => {
    const { transport, far, received, digest } = await open(kind);
    transport.pause();
    for (let piece = 0; piece < 16; piece += 1) far.write(mebibyte);
    await stuck(far);
    expect(received()).toBeLessThan(mebibyte.length);
    transport.resume();
    await vi.waitFor(() => expect(received()).toBe(1 + 16 * mebibyte.length), 10_000);
    expect(digest()).toBe(hashOf(Uint8Array.of(3), ...Array.from({ length: 16 }, () => mebibyte)));
  });

  it('may be paused by the first bytes of all', async () => {
    const pauseAtOnce = (_: Uint8Array, transport: SocketTransport) => transport.pause();
    const { transport, far, received } = await open({ ...kind, bytes: pauseAtOnce });
    far.write('1');
    far.write(mebibyte);
    await vi.waitFor(() => expect(far.bytesWritten).toBeGreaterThanOrEqual(2));
    const other = await open(kind);
    other.far.write('x');
    await vi.waitFor(() => expect(other.received()).toBe(2)); // so this one had its chance
    expect(received()).toBe(1);
    transport.resume();
    await vi.waitFor(() => expect(received()).toBeGreaterThan(1));
  });
});

describe.each(kinds)('close ($link, static reads: $staticReads)', (kind) => {
  it('delivers the last words to a peer that goes on sending, and does not reset it', async () => {
    const { transport, far, over } = await open(kind);
    const heard = readToEnd(far);
    far.write(mebibyte);
    transport.pause(); // as at a request that is refused: input is unread
    transport.write([mebibyte.subarray(0, 300_000), Buffer.from('last words')]);
    transport.close();
    transport.write([Buffer.from('not these')]);
    far.write(mebibyte);
    const { bytes, reset } = await heard;
    expect([bytes.length, bytes.subarray(-10).toString(), reset]).toEqual([300_010, 'last words', false]);
    far.end();
    await over();
  });

  it('drops a peer that does not hang up', async () => {
    const { transport, far, near, clock, ends, over } = await open(kind);
    far.resume();
    transport.close();
    transport.close();
    await once(far, 'end');
    clock.advance(transportLimits.lingerTime - 1);
    expect([near.destroyed, ends.length]).toEqual([false, 0]);
    clock.advance(1);
    expect(near.destroyed).toBe(true);
    await over();
  });
});

describe('a peer that sends its end', () => {
  it.each(kinds)('is the end, without an error ($link, static reads: $staticReads)', async (kind) => {
    const { far, over, ends, received } = await open(kind);
    far.resume();
    far.end('bye');
    await over();
    expect([ends, received()]).toEqual([[undefined], 4]);
  });

  it('and then reads nothing does not keep its connection', async () => {
    const { transport, near, far, clock, ended, over } = await open();
    far.pause();
    while (near.writableLength < 100_000) transport.write([mebibyte.subarray(0, 200_000)]);
    far.end();
    await ended();
    expect(near.destroyed).toBe(false);
    clock.advance(transportLimits.lingerTime);
    expect(near.destroyed).toBe(true);
    await over();
  });
});

describe('the end', () => {
  it('is told once, with the network’s error, after a reset', async () => {
    const { far, over, ends } = await open();
    far.resetAndDestroy();
    await over();
    expect(ends[0]).toBeInstanceOf(TransportError);
    expect(ends[0]).toMatchObject({ code: 'PEER_GONE', message: 'ECONNRESET' });
  });

  it('is the network’s trouble too when the peer breaks TLS', async () => {
    const { near, far } = await socketPair('tcp');
    const certificates = new TestCertificates();
    const { chainPem, keyPem } = certificates.bundleFor();
    const server = createServer({ cert: chainPem, key: keyPem.reveal() });
    const client = connectTls({ socket: far, ca: certificates.ca, host: '127.0.0.1' });
    client.on('error', () => undefined); // the alert that comes back
    const bothSecure = Promise.all([once(server, 'secureConnection'), once(client, 'secureConnect')]);
    server.emit('connection', near);
    const [[inside]] = (await bothSecure) as [[Socket], unknown];
    const ends: (Error | undefined)[] = [];
    const clock = new FakeClock();
    const transport = new SocketTransport({
      socket: inside,
      first: Uint8Array.of(3),
      door: 'rtmps',
      peer: { address: '192.0.2.1', port: 1 },
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' },
      acceptedAt: 0,
      refusal: undefined,
      clock,
      pacer: new ReadPacer(clock, 0),
      staticReads: true,
      onAdmit: () => undefined,
    });
    transport.start({ bytes: () => undefined, end: (error) => ends.push(error) });
    far.write(Buffer.concat([fromHex('17 0303 0020'), new Uint8Array(32)])); // a record that nobody enciphered
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    expect(ends[0]).toMatchObject({ name: 'TransportError', code: 'PEER_GONE' });
  });

  it('is told once, without an error, after destroy', async () => {
    const { transport, over, ends } = await open();
    transport.destroy();
    transport.destroy();
    transport.close();
    await over();
    expect(ends).toEqual([undefined]);
  });

  it('comes with what a receiver threw, and only to its own connection', async () => {
    const bug = new TypeError('a mistake');
    const faulty = await open({
      bytes: (borrowed) => {
        if (borrowed[0] === 0x21) throw bug;
      },
    });
    const other = await open();
    faulty.far.write('!');
    other.far.write('!');
    await faulty.over();
    expect(faulty.ends).toEqual([bug]);
    await vi.waitFor(() => expect(other.received()).toBe(2));
    expect(other.ends).toEqual([]);
  });

  it('comes also when the receiver throws at the first bytes', async () => {
    const { over, ends } = await open({
      bytes: () => {
        throw new TypeError('a mistake');
      },
    });
    await over();
    expect(ends[0]).toBeInstanceOf(TypeError);
  });

  it('comes to a peer that does not read what it is sent', async () => {
    const { transport, far, ends, over } = await open();
    far.pause();
    let written = 0;
    for (; ends.length === 0 && written < 64; written += 1) {
      transport.write([mebibyte.subarray(0, 256 * 1024)]);
      await new Promise(setImmediate);
    }
    await over();
    expect(ends[0]).toMatchObject({ name: 'TransportError', code: 'WRITE_STALLED' });
    expect(written).toBeGreaterThan(transportLimits.writeQueue / (256 * 1024));
  });
});

describe('admit', () => {
  it('tells the door, has the reads gathered, and counts what moves', async () => {
    const { transport, far, admitted, paced, received } = await open();
    transport.admit();
    expect(admitted).toHaveBeenCalledOnce();
    expect(paced).toHaveLength(1);
    far.write(mebibyte);
    await vi.waitFor(() => expect(received()).toBe(1 + mebibyte.length));
    expect(paced[0]!.moved).toBe(1 + mebibyte.length);
    transport.pause();
    expect(paced[0]!.paused).toBe(true);
    transport.resume();
    expect(paced[0]!.paused).toBe(false);
  });

  it('is over with close, and nothing is gathered afterwards', async () => {
    const { transport, paced, removed, far, over } = await open();
    transport.admit();
    transport.close();
    expect(removed).toHaveBeenCalledWith(paced[0]);
    transport.admit();
    expect(paced).toHaveLength(1);
    far.resume().end();
    await over();
  });
});
