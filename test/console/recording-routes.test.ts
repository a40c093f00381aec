import { describe, expect, it } from 'vitest';
import { makeLink } from '../../src/download/signed-link.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { answered, content, serveApi } from '../support/api-server.ts';

describe('recordings', () => {
  it('are listed page by page, all of them once', async () => {
    const served = await serveApi();
    const ids = await served.record(7);
    const { token } = await served.token('recordings:read');
    const seen: string[] = [];
    let cursor = '';
    do {
      const response = await served.ask(`/api/v1/recordings?limit=3${cursor}`, { token });
      const page = (await response.json()) as { items: { id: string }[]; nextCursor: string | null };
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(ids);
  });

  it('are filtered by stream and time, and shown in the shape of the command line', async () => {
    const served = await serveApi();
    await served.record(5);
    const { token } = await served.token('recordings:read');
    const list = async (query: string) =>
      (
        (await (await served.ask(`/api/v1/recordings?${query}`, { token })).json()) as {
          items: { id: string }[];
        }
      ).items;
    expect((await list('stream=live/camera-1')).map(({ id }) => id.at(-1))).toEqual(['1', '3']);
    expect((await list('since=2026-01-01T00:01:00Z')).map(({ id }) => id.at(-1))).toEqual(['2', '3', '4']);
    const shown = await (await served.ask('/api/v1/recordings/0000000000000001', { token })).json();
    expect(shown).toEqual({
      id: '0000000000000001',
      stream: 'live/camera-1',
      state: 'complete',
      startedAt: '2026-01-01T00:00:00.000Z',
      durationMs: 1000,
      bytes: 5000,
      sha256: null,
      path: 'live/camera-1/0000000000000001.flv',
      keyId: null,
      event: '0000000000000001',
      segment: 1,
      gaps: [],
      locked: false,
    });
  });

  it.each(['limit=0', 'cursor=!', 'cursor=aaaa', 'stream=../x', 'since=yesterday'])(
    'refuse ?%s in words',
    async (query) => {
      const { ask, token } = await serveApi();
      const response = await ask(`/api/v1/recordings?${query}`, { token: (await token()).token });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'ARGUMENT_INVALID',
        detail: expect.stringMatching(/must be/),
      });
    },
  );

  it('are downloaded, whole and in part', async () => {
    const served = await serveApi();
    const [id] = await served.record(1);
    const { token, id: tokenId } = await served.token('recordings:read');
    for (const path of [`/api/v1/recordings/${id}/file`, `/api/v1/recordings/${id}/file.flv`]) {
      const whole = await served.ask(path, { token });
      expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'video/x-flv']);
      expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    }
    const part = await served.ask(`/api/v1/recordings/${id}/file`, {
      token,
      headers: { range: 'bytes=1-2' },
    });
    expect([part.status, await part.text()]).toEqual([206, 'LV']);
    await answered(served, 3);
    expect(served.log.of('request.answered')[2]).toMatchObject({ status: 206, complete: true });
    expect((await served.ask(`/api/v1/recordings/${id}/file`, { token, method: 'HEAD' })).status).toBe(200);
    const fetched = {
      source: `token ${tokenId}`,
      stream: 'live/camera-0',
      detail: `recording ${id} to 203.0.113.9`,
    };
    expect(served.audit.of('recording.downloaded')).toMatchObject([fetched, fetched, fetched]);
  });

  it.each(['0000000000000009', '..%2f..%2fetc', 'x'.repeat(300), '%00'])(
    'are not found as %s',
    async (id) => {
      const { ask, token } = await serveApi();
      const { token: good } = await token();
      for (const path of [`/api/v1/recordings/${id}`, `/api/v1/recordings/${id}/file`]) {
        const response = await ask(path, { token: good });
        expect([path, response.status]).toEqual([path, 404]);
        expect(await response.json()).toMatchObject({ status: 404 });
      }
    },
  );
});

describe('a signed link', () => {
  it('opens its recording without a token, in ranges too, and nothing else', async () => {
    const linkSecret = new Uint8Array(32).fill(3);
    const served = await serveApi({ linkSecret });
    const [id] = await served.record(1);
    const link = makeLink(id as RecordingId, served.clock.now() + 60_000, linkSecret);
    const whole = await served.ask(link);
    expect([whole.status, Buffer.from(await whole.arrayBuffer())]).toEqual([200, content]);
    const part = await served.ask(link, { headers: { range: 'bytes=0-2' } });
    expect([part.status, await part.text()]).toEqual([206, 'FLV']);
    expect((await served.ask(link, { method: 'HEAD' })).status).toBe(200);
    expect((await served.ask(link, { method: 'POST' })).status).toBe(405);
    expect(served.audit.of('recording.downloaded')).toMatchObject([{ source: 'link' }, { source: 'link' }]);

    for (const bad of [`${link}x`, link.replace('exp=1', 'exp=2'), `/r/${id}.flv`, `${link}&more=1`]) {
      const answer = await served.ask(bad);
      expect([answer.status, await answer.json()]).toMatchObject([
        403,
        { detail: expect.stringContaining('not whole') as string },
      ]);
    }
    served.clock.advance(60_000);
    expect((await served.ask(link)).status).toBe(403);
    const gone = makeLink('zzzzzzzzzzzzzzzz' as RecordingId, served.clock.now() + 60_000, linkSecret);
    expect((await served.ask(gone)).status).toBe(404);
    expect(JSON.stringify(served.log.lines)).not.toContain('sig=');
  });
});
