// GET /api/v1/recordings and /api/v1/recordings/ID: the catalogue. `path` is relative here, for the folders of
// the server are nobody's business.
import type { Hono } from 'hono';
import type { Archive } from '../archive/archive.ts';
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { recordingJson } from '../archive/recording-cli.ts';
import { parseRecordingId } from '../archive/recording-name.ts';
import { SetupError } from '../errors.ts';
import { parseStreamName, type StreamName } from '../ops/names.ts';
import { parseInstant } from '../ops/quantities.ts';
import type { Access, ApiEnv } from './access.ts';
import { cursorInvalid, readPageRequest, toPage } from './paging.ts';

type Catalogue = Pick<Archive, 'list' | 'find'>;

export function recordingRoutes(api: Hono<ApiEnv>, access: Access, archive: Catalogue): void {
  api.get('/api/v1/recordings', access.need('recordings:read'), async (context) => {
    const { limit, after } = readPageRequest((name) => context.req.query(name));
    const entries = await archive.list({
      stream: readStream(context.req.query('stream')),
      since: readSince(context.req.query('since')),
      after: after === undefined ? undefined : readPlace(after),
      limit: limit + 1,
    });
    const page = toPage(entries, limit, ({ startedAt, id }) => `${startedAt} ${id}`);
    return context.json({ ...page, items: page.items.map(recordingBody) });
  });

  api.get('/api/v1/recordings/:id', access.need('recordings:read'), async (context) => {
    const id = parseRecordingId(context.req.param('id'));
    const entry = id === undefined ? undefined : await archive.find(id);
    if (entry === undefined) throw new SetupError('NOT_FOUND', 'There is no such recording.');
    return context.json(recordingBody(entry));
  });
}

/** The path is relative to the recordings folder: where that lies is not for the other end of a network to know. */
function recordingBody(entry: RecordingEntry): ReturnType<typeof recordingJson> {
  return recordingJson(entry, entry.path);
}

function readStream(text: string | undefined): StreamName | undefined {
  if (text === undefined) return undefined;
  const stream = parseStreamName(text);
  if (stream === undefined)
    throw new SetupError('ARGUMENT_INVALID', 'stream must be APP/NAME, as in live/camera-1.');
  return stream;
}

function readSince(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const since = parseInstant(text);
  if (since === undefined) {
    throw new SetupError(
      'ARGUMENT_INVALID',
      'since must be a date or time in ISO 8601, as in 2026-11-22T13:05:09Z.',
    );
  }
  return since;
}

function readPlace(key: string): { startedAt: number; id: RecordingEntry['id'] } {
  const [time = '', text = ''] = key.split(' ');
  const id = parseRecordingId(text);
  if (!/^\d{1,15}$/.test(time) || id === undefined) throw cursorInvalid();
  return { startedAt: Number(time), id };
}
