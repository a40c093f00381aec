import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EventReader, type SegmentSource } from '../../src/archive/event-reader.ts';
import { sendEvent } from '../../src/download/event-download.ts';
import { beginRecording, openTestArchive, someTags, testKey, testStream } from '../support/archive.ts';
import { streamTags } from '../support/media-tags.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { testOrigin } from '../support/test-origin.ts';

async function serveEvent(change: (archive: SegmentSource) => SegmentSource = (archive) => archive) {
  const { archive, clock } = await openTestArchive();
  const first = await beginRecording(archive, someTags());
  await first.writer.end('unpublished');
  const second = await archive.create({
    stream: testStream,
    keyId: testKey,
    startedAt: Date.UTC(2026, 10, 22, 13, 6),
    origin: testOrigin,
    continues: first.recording.id,
  });
  for await (const piece of archive.read(first.recording.id)) await second.append(piece);
  await second.seal({ durationMs: 2405, gaps: [] });
  const segments = await archive.listEvent(first.recording.id);
  const log = new RecordedLog();
  const ends: Promise<void>[] = [];
  const server = createServer((request, response) => {
    ends.push(sendEvent(request, response, { archive: change(archive), segments }, { clock, log }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { archive, segments, log, port, ends, url: `http://127.0.0.1:${port}/` };
}

describe('an event over HTTP', () => {
  it('is the whole of it in one file, whose length nobody knows before', async () => {
    const { archive, segments, log, url } = await serveEvent();
    const answer = await fetch(url, { headers: { range: 'bytes=5-9' } });
    const file = Buffer.from(await answer.arrayBuffer());
    expect([answer.status, answer.headers.get('content-length'), answer.headers.get('etag')]).toEqual([
      200,
      null,
      null,
    ]);
    expect(answer.headers.get('content-disposition')).toBe(
      'attachment; filename="live_camera-1_2026-11-22T13-05-09Z_event.flv"',
    );
    const direct: Uint8Array[] = [];
    for await (const piece of new EventReader(archive, segments).pieces()) direct.push(piece);
    expect(file).toEqual(Buffer.concat(direct));
    expect(streamTags(file)).toHaveLength(2 * 122 - 2);
    expect(log.of('download.finished')).toMatchObject([{ bytes: file.length, complete: true }]);
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('is cut, not ended, when a segment cannot be read', async () => {
    const { log, port, ends } = await serveEvent((archive) => ({
      async *read(id) {
        if (id.endsWith('-2')) throw new Error('disk');
        yield* archive.read(id);
      },
    }));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += (chunk as Buffer).toString('latin1');
    await Promise.all(ends);
    expect(answer.startsWith('HTTP/1.1 200')).toBe(true);
    expect(answer.endsWith('0\r\n\r\n')).toBe(false);
    expect(log.of('download.failed')).toHaveLength(1);
    expect(log.of('download.finished')).toMatchObject([{ complete: false }]);
  });
});
