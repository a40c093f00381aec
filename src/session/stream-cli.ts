// The verbs of `penstock stream`: what is being published now, as the running server last wrote it down, and the
// end of one of them.
import { SetupError } from '../errors.ts';
import { argumentInvalid } from '../ops/arguments.ts';
import { parseStreamName } from '../ops/names.ts';
import { formatTable, type Report } from '../ops/report.ts';
import type { LiveSessionStore } from '../store/live-session-store.ts';
import type { Store } from '../store/store.ts';

/** Topic of the change feed: the subject is a StreamName whose session is to end. */
export const kickTopic = 'kick';

/** @throws ResourceError STORE_FAILED */
export async function listStreams(liveSessions: Pick<LiveSessionStore, 'list'>): Promise<Report> {
  const sessions = await liveSessions.list();
  if (sessions.length === 0) return { json: [], text: 'Nothing is being published.' };
  const rows = sessions.map((session) => [
    session.stream,
    session.door,
    session.remote,
    session.encoder,
    session.since,
    [session.videoCodec, session.audioCodec].filter((codec) => codec !== null).join(' + '),
    session.bitrate === null ? '' : `${(session.bitrate / 1_000_000).toFixed(2)} Mbit/s`,
    session.recordingError === null
      ? (session.recording ?? '')
      : `${session.recording ?? ''}: ${session.recordingError}`,
  ]);
  return {
    json: sessions,
    text: formatTable(['STREAM', 'DOOR', 'FROM', 'ENCODER', 'SINCE', 'CODECS', 'BITRATE', 'DISK'], rows),
  };
}

/**
 * Ends the session that publishes a stream; a server that runs does so within a second. Its key stays good.
 * @throws SetupError ARGUMENT_INVALID, NOT_FOUND; ResourceError STORE_FAILED
 */
export async function kickStream(
  text: string,
  liveSessions: Pick<LiveSessionStore, 'list'>,
  changes: Pick<Store['changes'], 'change'>,
): Promise<Report> {
  const stream = parseStreamName(text);
  if (stream === undefined) throw argumentInvalid('STREAM', text, 'Give APP/NAME such as live/camera-1.');
  const session = (await liveSessions.list()).find((one) => one.stream === stream);
  if (session === undefined) {
    throw new SetupError('NOT_FOUND', `${stream} is not being published.`, {
      hint: 'See `penstock stream list`.',
    });
  }
  await changes.change(async (_, announce) => announce(kickTopic, stream));
  return {
    json: { stream, sessionId: session.sessionId, kicked: true },
    text: `The session that publishes ${stream} ends within a second. To keep it out, disable or revoke its key.`,
  };
}
