// Downloads over a real http.Server, from real files where bytes matter and from counted ones where pace does.
import { once } from 'node:events';
import { appendFileSync, utimesSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ReadableRecording } from '../../src/archive/archive.ts';
import { downloadLimits } from '../../src/download/download-limits.ts';
import { sendRecording } from '../../src/download/recording-download.ts';
import type { RecordingId, StreamName } from '../../src/ops/names.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * 7919) & 0xff));
const modified = new Date('2026-11-22T13:05:09Z');
const clock = new FakeClock(modified.getTime() + 60_000);

function entryOf(state: 'recording' | 'complete') {
  return {
    id: '0123456789abcdef' as RecordingId,
    stream: 'live/camera-1' as StreamName,
    keyId: undefined,
    state,
    startedAt: Date.UTC(2026, 10, 22, 12, 0, 1),
    endedAt: undefined,
    durationMs: undefined,
    bytes: undefined,
    sha256: undefined,
    path: 'x',
    event: '0123456789abcdef' as RecordingId,
    segment: 1,
    gaps: [],
    locked: false,
    origin: undefined,
    codecs: [],
  };
}

async function serve(openRecording: () => Promise<ReadableRecording>, clock: FakeClock) {
  const log = new RecordedLog();
  const ends: Promise<void>[] = [];
  const server: Server = createServer((request, response) => {
    ends.push(
      openRecording().then((recording) => sendRecording(request, response, recording, { clock, log })),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const ask = (headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`http://127.0.0.1:${port}/`, { headers, method });
  return { port, log, ask, ended: () => Promise.all(ends) };
}

/** Serves a file with `content`; counts what is still open. */
async function serveFile(state: 'recording' | 'complete' = 'complete', size = content.length) {
  const path = join(temporaryFolder(), 'recording.flv');
  writeFileSync(path, content.subarray(0, size));
  utimesSync(path, modified, modified);
  let opened = 0;
  const served = await serve(async () => {
    const handle = await open(path, 'r');
    opened += 1;
    return {
      entry: entryOf(state),
      handle,
      size,
      close: async () => {
        opened -= 1;
        await handle.close();
      },
    };
  }, clock);
  return { ...served, path, stillOpen: () => opened };
}

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

describe('a finished recording', () => {
  it('is sent whole, with what a client needs to resume', async () => {
    const { ask, stillOpen, ended, log } = await serveFile();
    const response = await ask();
    expect(response.status).toBe(200);
    expect((await bytesOf(response)).equals(content)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'video/x-flv',
      'content-length': '1000000',
      'accept-ranges': 'bytes',
      'last-modified': 'Sun, 22 Nov 2026 13:05:09 GMT',
      'content-disposition': 'attachment; filename="live_camera-1_2026-11-22T12-00-01Z.flv"',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-store',
    });
    expect(response.headers.get('etag')).toMatch(/^"0123456789abcdef-[0-9a-z]+-[0-9a-z]+"$/);
    await ended();
    expect(stillOpen()).toBe(0);
    expect(log.of('download.finished')).toMatchObject([{ bytes: 1_000_000, complete: true }]);
  });

  it.each([
    ['bytes=0-0', 0, 0],
    ['bytes=300000-700000', 300_000, 700_000],
    ['bytes=999999-', 999_999, 999_999],
    ['bytes=-5', 999_995, 999_999],
  ])('is sent in part: %s', async (range, start, end) => {
    const { ask } = await serveFile();
    const response = await ask({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/1000000`);
    expect(response.headers.get('content-length')).toBe(String(end - start + 1));
    expect((await bytesOf(response)).equals(content.subarray(start, end + 1))).toBe(true);
  });

  it('is put together from two halves, and only from the same file', async () => {
    const { ask, path } = await serveFile();
    const first = await ask({ range: 'bytes=0-499999' });
    const etag = first.headers.get('etag') ?? '';
    const second = await ask({ range: 'bytes=500000-', 'if-range': etag });
    expect(second.status).toBe(206);
    expect(Buffer.concat([await bytesOf(first), await bytesOf(second)]).equals(content)).toBe(true);

    utimesSync(path, modified, new Date(modified.getTime() + 10_000));
    const other = await ask({ range: 'bytes=500000-', 'if-range': etag });
    expect(other.status).toBe(200);
    expect(await bytesOf(other)).toHaveLength(1_000_000);
    expect((await ask({ 'if-none-match': etag })).status).toBe(200);
  });

  it('answers 416 with the size, 412 and 304 without a body, and closes the file each time', async () => {
    const { ask, ended, stillOpen } = await serveFile();
    const beyond = await ask({ range: 'bytes=1000000-' });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get('content-range')).toBe('bytes */1000000');
    expect(await beyond.json()).toMatchObject({ status: 416, title: 'Range Not Satisfiable' });
    expect((await ask({ 'if-match': '"x"' })).status).toBe(412);
    const etag = (await ask({}, 'HEAD')).headers.get('etag') ?? '';
    const same = await ask({ 'if-none-match': etag });
    expect(same.status).toBe(304);
    expect(same.headers.get('etag')).toBe(etag);
    await ended();
    expect(stillOpen()).toBe(0);
  });

  it('answers HEAD for the whole, whatever range is asked', async () => {
    const { ask, ended, stillOpen } = await serveFile();
    const response = await ask({ range: 'bytes=0-1' }, 'HEAD');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('1000000');
    expect(await bytesOf(response)).toHaveLength(0);
    await ended();
    expect(stillOpen()).toBe(0);
  });

  it('may be empty', async () => {
    const { ask } = await serveFile('complete', 0);
    const response = await ask();
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0']);
    expect((await ask({ range: 'bytes=0-' })).status).toBe(416);
  });
});

describe('a recording in progress', () => {
  it('is sent as far as it is safely written, though it grows meanwhile', async () => {
    const { ask, path } = await serveFile('recording', 600_000);
    const response = await ask();
    appendFileSync(path, content.subarray(600_000));
    expect(response.headers.get('content-length')).toBe('600000');
    expect(response.headers.get('etag')).toBeNull();
    expect((await bytesOf(response)).equals(content.subarray(0, 600_000))).toBe(true);
  });

  it('has ranges of unknown total, and none that are conditional', async () => {
    const { ask } = await serveFile('recording', 600_000);
    const part = await ask({ range: 'bytes=599999-' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 599999-599999/*']);
    const conditional = await ask({ range: 'bytes=1-', 'if-range': 'Sun, 22 Nov 2026 13:05:09 GMT' });
    expect(conditional.status).toBe(200);
  });
});

describe('the pace of a download', () => {
  /** A file of 1 GiB that is not there: counts what is read of it. */
  async function serveCounted(read?: FileHandle['read']) {
    const clock = new FakeClock();
    const seen = { bytesRead: 0, closed: 0 };
    const handle = {
      stat: () => Promise.resolve({ mtimeMs: 0 }),
      read:
        read ??
        ((_: Buffer, _offset: number, length: number) => {
          seen.bytesRead += length;
          return Promise.resolve({ bytesRead: length });
        }),
    } as unknown as FileHandle;
    const served = await serve(
      () =>
        Promise.resolve({
          entry: entryOf('complete'),
          handle,
          size: 2 ** 30,
          close: () => {
            seen.closed += 1;
            return Promise.resolve();
          },
        }),
      clock,
    );
    return { ...served, clock, seen };
  }

  it('is the pace of the peer: what does not read is not read for, and is dropped in the end', async () => {
    const { port, clock, seen, ended, log } = await serveCounted();
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    socket.pause();
    socket.on('error', () => undefined);
    // The server's socket is full when the download waits for it, with its timer armed.
    while (clock.timers === 0) await new Promise((resolve) => setImmediate(resolve));
    let before = -1;
    while (before !== seen.bytesRead) {
      before = seen.bytesRead;
      for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(seen.bytesRead).toBeLessThan(32 * 2 ** 20);
    clock.advance(downloadLimits.stallTimeout - 1);
    expect(seen.closed).toBe(0);
    clock.advance(1);
    await ended();
    expect(seen.closed).toBe(1);
    expect(clock.timers).toBe(0);
    expect(log.of('download.finished')).toMatchObject([{ complete: false }]);
    socket.destroy();
  });

  it('ends when the peer goes away, and closes the file', async () => {
    const { port, seen, ended, clock } = await serveCounted();
    const response = await new Promise<IncomingMessage>((resolve) => {
      get({ port, host: '127.0.0.1' }, resolve);
    });
    await once(response, 'readable');
    response.destroy();
    await new Promise<void>((resolve) => {
      const look = (): void => void (seen.closed > 0 ? resolve() : setImmediate(look));
      look();
    });
    await ended();
    expect(seen.closed).toBe(1);
    expect(clock.timers).toBe(0);
  });

  it.each([
    ['the disk fails', () => Promise.reject(new Error('EIO: i/o error'))],
    ['the file is shorter than it was', () => Promise.resolve({ bytesRead: 0 })],
  ])('never looks complete when %s', async (_, read) => {
    const { ask, ended, seen, log } = await serveCounted(read as unknown as FileHandle['read']);
    // The head was not flushed yet, so the peer may see a cut connection or a cut body.
    await expect(ask().then((response) => response.arrayBuffer())).rejects.toThrow(/terminated|fetch failed/);
    await ended();
    expect(seen.closed).toBe(1);
    expect(log.of('download.failed')).toHaveLength(1);
  });
});
