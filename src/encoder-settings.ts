// What a person pastes into an encoder: server URLs by door, an ffmpeg line, and the text that `serve` prints.
// pure.
import type { Config } from './config.ts';
import type { StreamName } from './ops/names.ts';

/** Every door, the safest first. */
const doors = ['rtmps', 'rtmpts', 'rtmpe', 'rtmpte', 'rtmp', 'rtmpt', 'https', 'http'] as const;
export type Door = (typeof doors)[number];

/** Ports that a URL need not name. WIRE 1. */
const defaultPorts: Readonly<Record<Door, number>> = {
  rtmps: 443,
  rtmpts: 443,
  rtmpe: 1935,
  rtmpte: 80,
  rtmp: 1935,
  rtmpt: 80,
  https: 443,
  http: 80,
};

/** The base URL of each door that some listener opens, without a path: `rtmps://ingest.example.com:1935`. */
export type DoorUrls = Readonly<Partial<Record<Door, string>>>;

type Place = Pick<Config, 'hosts' | 'listeners'>;

/** `ports` are the real ones of a running server, in the order of the listeners. */
export function doorUrls(config: Place, ports?: readonly number[]): DoorUrls {
  const urls: Partial<Record<Door, string>> = {};
  for (const door of doors) {
    const index = config.listeners.findIndex(({ accept }) => accept.includes(door));
    const listener = config.listeners[index];
    if (listener === undefined) continue;
    const port = ports?.[index] ?? listener.address.port;
    const host = config.hosts.find(isName) ?? reachableHost(listener.address.host);
    urls[door] = `${door}://${bracketed(host)}${port === defaultPorts[door] ? '' : `:${port}`}`;
  }
  return urls;
}

/** The doors that encoders use, without an app. */
export function encoderUrls(urls: DoorUrls): Record<string, string> {
  return Object.fromEntries(Object.entries(urls).filter(([door]) => door.startsWith('rtmp')));
}

export interface Welcome {
  readonly urls: DoorUrls;
  readonly stream: StreamName;
  /** The new key of that stream; undefined when keys exist already: they are shown once. */
  readonly key: string | undefined;
  readonly recordings: string;
  /** What encoders have to trust; undefined for the operator's own certificate. */
  readonly caFile: string | undefined;
  /** A certificate from ACME is on its way: `caFile` matters for a while only. */
  readonly awaited?: boolean;
  /** How to call the command line, as in `scripts/penstock --data-dir /srv/penstock`. */
  readonly command: string;
}

/** What a running server tells its operator: settings ready to paste, and where recordings are. */
export function welcomeText(welcome: Welcome): string {
  const { urls, stream, key, recordings, command, awaited = false } = welcome;
  const caFile = awaited ? undefined : welcome.caFile;
  const base = urls.rtmps ?? Object.values(encoderUrls(urls))[0] ?? '';
  const server = `${base}/${stream.slice(0, stream.indexOf('/'))}`;
  const shownKey = key ?? 'YOUR_STREAM_KEY';
  const source =
    '-re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000';
  const codecs = '-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -c:a aac -t 20';
  const lines = [
    'Penstock is ready.',
    '',
    'OBS: Settings, Stream, Service "Custom..."',
    `  Server      ${server}`,
    `  Stream key  ${key ?? `keys are shown once; make one with: ${command} key create ${stream}`}`,
    ...(key === undefined
      ? []
      : [`              shown this once; make others with: ${command} key create ${stream}`]),
    '',
    'ffmpeg: a test stream of 20 seconds',
    `  ffmpeg ${source} ${codecs} -f flv '${server}/${shownKey}'`,
    '',
    `Recordings land in ${recordings}`,
    `  list        ${command} recording list`,
    `  download    ${command} recording get ID -o take.flv`,
  ];
  if (urls.https !== undefined) {
    const trust = caFile === undefined ? '' : `--cacert '${caFile}' `;
    lines.push(
      `  over HTTPS  curl ${trust}-H "Authorization: Bearer TOKEN" -o take.flv ${urls.https}/api/v1/recordings/ID/file`,
      `  a token     ${command} token create --scope recordings:read`,
    );
  }
  if (awaited) {
    lines.push(
      '',
      'The certificate from ACME is on its way; until it is there OBS and curl refuse the one in its place.',
      `  how far it is  ${command} cert status`,
    );
  }
  if (caFile !== undefined) {
    lines.push(
      '',
      'The certificate comes from a development CA. ffmpeg takes it as it is; OBS checks certificates:',
      `on its machine, trust ${caFile}, or give this server a certificate of your own (tls.certificate).`,
    );
  }
  return lines.join('\n');
}

/** A wildcard is only for the certificate: nobody can connect to it. */
function isName(host: string): boolean {
  return !host.startsWith('*.');
}

function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
