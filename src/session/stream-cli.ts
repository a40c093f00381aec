// The verb `penstock stream list`: what is being published now, as the running server last wrote it down.
import type { Report } from '../ops/report.ts';
import { formatTable } from '../ops/table.ts';
import type { LiveSessionStore } from '../store/live-session-store.ts';

/** @throws ResourceError STORE_FAILED */
export async function listStreams(liveSessions: Pick<LiveSessionStore, 'list'>): Promise<Report> {
  const sessions = await liveSessions.list();
  if (sessions.length === 0) return { json: [], text: 'Nothing is being published.' };
  const rows = sessions.map(({ stream, door, remote, encoder, since, videoCodec, audioCodec, bitrate }) => [
    stream,
    door,
    remote,
    encoder,
    since,
    [videoCodec, audioCodec].filter((codec) => codec !== null).join(' + '),
    bitrate === null ? '' : `${(bitrate / 1_000_000).toFixed(2)} Mbit/s`,
  ]);
  return {
    json: sessions,
    text: formatTable(['STREAM', 'DOOR', 'FROM', 'ENCODER', 'SINCE', 'CODECS', 'BITRATE'], rows),
  };
}
