// What a recording is called on disk: DIRECTORY/APP/NAME/START_ID.flv. The stream name was allow-listed at the
// gate, the rest is made here; no text of a client is ever part of a path. The first segment of an event is called
// EVENT, the following ones EVENT-2, EVENT-3 and so on. pure.
import type { RecordingId, StreamName } from '../ops/names.ts';

/** Behind the name of a finished file: what is known and signed of it (evidence/), and the signature. */
export const manifestSuffix = '.manifest.json';
export const signatureSuffix = '.manifest.sig';

/** Behind the name of a file that is still being written, or was when the power went. */
export const partSuffix = '.part';

const crockford = '0123456789abcdefghjkmnpqrstvwxyz';
const idBytes = 10;
const idForm = '([0-9a-hjkmnp-tv-z]{16})(?:-([2-9]|[1-9]\\d{1,8}))?';
const idPattern = new RegExp(`^${idForm}$`);
const filePattern = new RegExp(`^(\\d{4}-\\d\\d-\\d\\d)T(\\d\\d)-(\\d\\d)-(\\d\\d)Z_(${idForm})\\.flv$`);

/** 80 random bits as 16 characters of Crockford base32. */
export function makeRecordingId(random: (length: number) => Uint8Array): RecordingId {
  const bytes = random(idBytes);
  let bits = 0n;
  for (let index = 0; index < idBytes; index += 1) bits = (bits << 8n) | BigInt(bytes[index] ?? 0);
  let id = '';
  for (let shift = 75n; shift >= 0n; shift -= 5n) id += crockford[Number((bits >> shift) & 31n)] ?? '';
  return id as RecordingId;
}

/** The id of the first segment, which is that of the whole event. */
export function eventOf(id: RecordingId): RecordingId {
  return id.slice(0, 16) as RecordingId;
}

/** Which segment of its event it is, counted from 1. */
export function segmentOf(id: RecordingId): number {
  return Number(idPattern.exec(id)?.[2] ?? 1);
}

/** The id of a segment, counted from 1. */
export function segmentId(event: RecordingId, segment: number): RecordingId {
  return (segment === 1 ? event : `${event}-${segment}`) as RecordingId;
}

/** Undefined when the text cannot be the id of a recording. */
export function parseRecordingId(text: string): RecordingId | undefined {
  return idPattern.test(text) ? (text as RecordingId) : undefined;
}

/** Path below the recordings folder, with forward slashes. `startedAt` in ms since the Unix epoch. */
export function recordingPath(stream: StreamName, startedAt: number, id: RecordingId): string {
  const start = new Date(startedAt).toISOString().slice(0, 19).replaceAll(':', '-');
  return `${stream}/${start}Z_${id}.flv`;
}

/** Start (ms since the Unix epoch, whole seconds) and id from a file name without its folder and `.part`. */
export function parseRecordingFileName(name: string): { startedAt: number; id: RecordingId } | undefined {
  const match = filePattern.exec(name);
  if (match === null) return undefined;
  const [, day, hour, minute, second, id] = match;
  const startedAt = Date.parse(`${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(startedAt) ? undefined : { startedAt, id: id as RecordingId };
}
