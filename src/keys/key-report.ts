// How a stream key is shown: the fields for scripts, the tables and sentences for people, and the settings to paste
// into an encoder. The secret is in the settings only, which are made once. pure.
import { formatAddressBlock } from '../ops/address.ts';
import { formatBitrate, formatDuration, formatInstant } from '../ops/quantities.ts';
import { formatFields, formatTable, type Report } from '../ops/report.ts';
import type { KeyUse, PreviousSecret, StreamKey } from './key-rule.ts';

/** Door → URL without an application, such as `rtmps` → `rtmps://ingest.example.com:1935`; the safest first. */
export type ServerUrls = Readonly<Record<string, string>>;

/** Ready to paste. The two command lines hold the key: whoever runs them shows it to the users of that machine. */
export interface EncoderSettings {
  /** Server and key in one, as apps on phones take it. */
  readonly url: string;
  readonly obs: { readonly server: string; readonly key: string };
  readonly ffmpeg: string;
  readonly gstreamer: string;
}

/** What every answer about a key has. */
export function describeKey(key: StreamKey, serverUrls: ServerUrls) {
  const app = key.stream.slice(0, key.stream.indexOf('/'));
  return {
    id: key.id,
    stream: key.stream,
    role: key.role,
    server: Object.fromEntries(
      Object.entries(serverUrls).map(([door, url]) => [door, `${url.replace(/\/+$/, '')}/${app}`]),
    ),
    expiresAt: formatInstant(key.expiresAt),
  };
}

/** Null for a key that cannot publish, and when no door is open to encoders. */
export function encoderSettings(
  key: StreamKey,
  secret: string,
  server: Readonly<Record<string, string>>,
): EncoderSettings | null {
  const url = server['rtmps'] ?? Object.values(server)[0];
  if (url === undefined || key.role !== 'publish') return null;
  const video =
    'videotestsrc is-live=true ! videoconvert ! x264enc tune=zerolatency key-int-max=60 ! h264parse';
  const audio = 'audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse';
  return {
    url: `${url}/${secret}`,
    obs: { server: url, key: secret },
    ffmpeg: `ffmpeg -re -i INPUT -c copy -f flv '${url}/${secret}'`,
    gstreamer:
      `gst-launch-1.0 ${video} ! flvmux streamable=true name=mux ` +
      `! rtmp2sink location='${url}/${secret}' ${audio} ! mux.`,
  };
}

/** The only text that holds a secret: for the moment at which it is made. */
export function secretText(
  secret: string,
  server: Readonly<Record<string, string>>,
  settings: EncoderSettings | null,
  qr?: string,
) {
  const rows = Object.entries(server).map(([door, url]) => [`${door} server`, url] as const);
  return [
    ...(rows.length > 0 ? [formatFields(rows), ''] : []),
    // Not through formatFields, which would mask it.
    `stream key    ${secret}`,
    ...(settings === null
      ? []
      : [
          '',
          'OBS           Settings, Stream, Service "Custom...": the server and the stream key above',
          `ffmpeg        ${settings.ffmpeg}`,
          `GStreamer     ${settings.gstreamer}`,
        ]),
    ...(qr === undefined || settings === null ? [] : ['', ...phoneText(settings, qr)]),
    '',
    'This is the only time the stream key is shown: the server itself cannot tell it again.',
  ].join('\n');
}

function phoneText({ url }: EncoderSettings, qr: string): readonly string[] {
  const local = /^rtmps?:\/\/(?:localhost|127\.|\[::1\])/.test(url);
  return [
    'Phone         the publish URL, server and key in one; whoever photographs it can publish',
    ...(local ? ['              no phone can reach this address: name the server under "hosts" first'] : []),
    '',
    qr,
  ];
}

/** `now` in milliseconds since the epoch. */
export function reportKeys(keys: readonly StreamKey[], serverUrls: ServerUrls, now: number): Report {
  if (keys.length === 0) {
    return { json: [], text: 'There is no stream key yet. Make one: penstock key create live/camera-1' };
  }
  const rotating = keys.some((key) => graceOf(key, now) !== undefined);
  const old = (cell: string) => (rotating ? [cell] : []);
  return {
    json: keys.map((key) => listEntry(key, serverUrls, now)),
    text: formatTable(
      ['ID', 'STREAM', 'ROLE', 'STATE', 'EXPIRES', 'LAST USED', 'FROM', ...old('OLD SECRET'), 'NOTE'],
      keys.map((key) => [
        key.id,
        key.stream,
        key.role,
        key.state,
        expiryText(key.expiresAt, now),
        agoText(key.lastUse, now),
        key.lastUse?.address ?? '',
        ...old(previousText(graceOf(key, now), now) ?? ''),
        key.note ?? '',
      ]),
    ),
  };
}

/** `now` in milliseconds since the epoch. */
export function reportKey(key: StreamKey, serverUrls: ServerUrls, now: number): Report {
  const allow = key.allow.map(formatAddressBlock);
  const json = {
    ...listEntry(key, serverUrls, now),
    lastUsedEncoder: key.lastUse?.encoder ?? null,
    lastUsedDoor: key.lastUse?.door ?? null,
    createdAt: formatInstant(key.createdAt),
    notBefore: formatInstant(key.notBefore),
    allow,
    require: key.require,
    maxBitrate: key.maxBitrate ?? null,
    maxSession: key.maxSession ?? null,
    codecs: key.codecs,
    note: key.note ?? null,
  };
  const text = formatFields([
    ['id', key.id],
    ['stream', key.stream],
    ['role', key.role],
    ['state', key.state],
    ['created', json.createdAt ?? undefined],
    ['not before', json.notBefore ?? undefined],
    [
      'expires',
      key.expiresAt === undefined ? 'never' : `${json.expiresAt} (${expiryText(key.expiresAt, now)})`,
    ],
    ['allowed from', allow.length === 0 ? 'anywhere' : allow.join(', ')],
    ['requires', key.require === 'tls' ? 'TLS (rtmps, rtmpts)' : 'nothing: any door that is open'],
    ['max bitrate', key.maxBitrate === undefined ? undefined : formatBitrate(key.maxBitrate)],
    ['max session', key.maxSession === undefined ? undefined : formatDuration(key.maxSession)],
    ['codecs', key.codecs.length === 0 ? undefined : key.codecs.join(', ')],
    ['last used', json.lastUsedAt ?? 'never'],
    ['  from', key.lastUse?.address],
    ['  by', key.lastUse?.encoder],
    ['  door', key.lastUse?.door],
    [
      'password',
      key.verifiers === undefined
        ? 'not with this secret: an older version made it; rotate the key'
        : undefined,
    ],
    ['old secret', previousText(graceOf(key, now), now)],
    ['note', key.note],
    ...Object.entries(json.server).map(([door, url]) => [`${door} server`, url] as const),
  ]);
  return { json, text };
}

function listEntry(key: StreamKey, serverUrls: ServerUrls, now: number) {
  const previous = graceOf(key, now);
  return {
    ...describeKey(key, serverUrls),
    state: key.state,
    lastUsedAt: formatInstant(key.lastUse?.at),
    lastUsedFrom: key.lastUse?.address ?? null,
    ...(previous !== undefined && { previous: describePrevious(previous) }),
  };
}

/** The secret before the last rotation, while it still works: until when, and who used it last. */
function describePrevious({ until, lastUse }: PreviousSecret) {
  return {
    until: formatInstant(until),
    lastUsedAt: formatInstant(lastUse?.at),
    lastUsedFrom: lastUse?.address ?? null,
    lastUsedEncoder: lastUse?.encoder ?? null,
    lastUsedDoor: lastUse?.door ?? null,
  };
}

function graceOf({ previous }: StreamKey, now: number): PreviousSecret | undefined {
  return previous !== undefined && now < previous.until ? previous : undefined;
}

function previousText(previous: PreviousSecret | undefined, now: number): string | undefined {
  if (previous === undefined) return undefined;
  const { lastUse } = previous;
  const used =
    lastUse === undefined
      ? 'never used'
      : `last used ${agoText(lastUse, now)} by ${lastUse.encoder} from ${lastUse.address}`;
  return `works ${formatDuration(previous.until - now)} more, ${used}`;
}

function agoText(use: KeyUse | undefined, now: number): string {
  return use === undefined ? 'never' : `${formatDuration(now - use.at)} ago`;
}

function expiryText(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return 'never';
  return expiresAt > now ? `in ${formatDuration(expiresAt - now)}` : 'expired';
}
