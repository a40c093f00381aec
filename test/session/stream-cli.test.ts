import { describe, expect, it } from 'vitest';
import type { StreamName } from '../../src/ops/names.ts';
import { kickStream, kickTopic, listStreams } from '../../src/session/stream-cli.ts';
import type { LiveSessionStore } from '../../src/store/live-session-store.ts';
import type { ChangeFeed } from '../../src/store/change-feed.ts';

type LiveSession = Awaited<ReturnType<LiveSessionStore['list']>>[number];

const session: LiveSession = {
  stream: 'live/camera-1' as StreamName,
  sessionId: 'k3f9',
  door: 'rtmps',
  remote: '203.0.113.7:50122',
  encoder: 'obs\u001b[2J',
  since: '2026-11-22T13:05:09.000Z',
  videoCodec: 'h264',
  audioCodec: 'aac',
  bitrate: 3_000_000,
  recording: 'failed' as const,
  recordingError: 'DISK_FULL',
};
const list = (...sessions: LiveSession[]) => ({ list: async () => sessions });

function feed() {
  const announced: [string, string][] = [];
  const changes: Pick<ChangeFeed, 'change'> = {
    change: async (work) =>
      work(undefined as never, async (topic, subject) => void announced.push([topic, subject])),
  };
  return { announced, changes };
}

describe('stream list', () => {
  it('gives scripts what was stored, and people one safe line', async () => {
    const { json, text } = await listStreams(list(session));
    expect(json).toEqual([session]);
    expect(text.split('\n')).toHaveLength(2);
    expect(text).toContain('h264 + aac');
    expect(text).toContain('3.00 Mbit/s');
    expect(text).not.toContain('\u001b');
  });

  it('says so when nothing is live, and leaves out what is not known yet', async () => {
    expect(await listStreams(list())).toEqual({ json: [], text: 'Nothing is being published.' });
    const { text } = await listStreams(
      list({ ...session, videoCodec: null, audioCodec: null, bitrate: null }),
    );
    expect(text).not.toContain('null');
  });
});

describe('stream kick', () => {
  it('asks the server to end the session', async () => {
    const { announced, changes } = feed();
    const { json } = await kickStream('live/camera-1', list(session), changes);
    expect(json).toEqual({ stream: 'live/camera-1', sessionId: 'k3f9', kicked: true });
    expect(announced).toEqual([[kickTopic, 'live/camera-1']]);
  });

  it('refuses what is no stream, or is not live', async () => {
    const { announced, changes } = feed();
    await expect(kickStream('../x', list(session), changes)).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
    await expect(kickStream('live/camera-2', list(session), changes)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(announced).toEqual([]);
  });
});
