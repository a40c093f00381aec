import { describe, expect, it } from 'vitest';
import { linkRecording } from '../../src/download/link-cli.ts';
import { openLink } from '../../src/download/signed-link.ts';
import { beginRecording, openTestArchive, someTags } from '../support/archive.ts';

const now = Date.UTC(2026, 10, 22, 14, 0, 0, 500);
const common = { baseUrl: 'https://ingest.example.com', secret: new Uint8Array(32), now };

describe('penstock recording link', () => {
  it('answers an address and until when it opens', async () => {
    const { archive } = await openTestArchive();
    const { recording } = await beginRecording(archive, someTags(3));
    const link = async (ttl?: string) =>
      (await linkRecording(archive, { ...common, id: recording.id, ttl })).json as {
        url: string;
        expiresAt: string;
      };
    const { url, expiresAt } = await link('2h');
    expect(expiresAt).toBe('2026-11-22T16:00:00.000Z');
    expect(url.startsWith(`https://ingest.example.com/r/${recording.id}.flv?exp=`)).toBe(true);
    expect(openLink(url.slice(common.baseUrl.length), now, common.secret)).toBe(recording.id);
    expect((await link()).expiresAt).toBe('2026-11-22T15:00:00.000Z');
    for (const wrong of ['25h', '0', 'soon']) {
      await expect(link(wrong)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    }
  });

  it('says why there can be none', async () => {
    const { archive } = await openTestArchive();
    const { recording } = await beginRecording(archive, someTags(3));
    await expect(linkRecording(archive, { ...common, id: 'nothing' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const nowhere = linkRecording(archive, { ...common, id: recording.id, baseUrl: undefined });
    await expect(nowhere).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
