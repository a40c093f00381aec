// Where a client wants to publish or play: the app, the publishing name and, when a query holds it, the
// stream key. Everything that may be a key becomes a Secret here. WIRE 3 and 4 tell how encoders spell it. pure.
import { Secret } from '../bytes/secret.ts';
import { ProtocolError } from '../errors.ts';
import { readSignIn } from './access-manager.ts';
import { commandLimits } from './command-limits.ts';

export interface StreamAddress {
  /** Application name without query, instance or slashes at its ends. Untrusted text: not for logs. */
  readonly app: string;
  /** The publishing name without its query: a stream name, or the key itself; empty only for who has signed in. */
  readonly name: Secret;
  /** `key` from the query of the name, the app or tcUrl, in this order. */
  readonly key?: Secret;
}

/** What `connect` said about the place. */
export interface ConnectPlace {
  readonly app: string;
  readonly tcUrl: string;
}

/** @throws ProtocolError STREAM_NAME_INVALID when the app or the name is empty, too long or holds control characters. */
export function parseStreamAddress(place: ConnectPlace, publishingName: string): StreamAddress {
  const name = split(checked(publishingName, 'publishing name'));
  const appPath = appOf({ ...place, app: checked(place.app, 'app') });
  // Who has signed in is known by its user: OBS then has nothing to enter as stream key.
  if (name.path === '' && readSignIn(place)?.answer === undefined)
    throw invalid('the publishing name is empty');
  if (appPath === '') throw invalid('the application name is empty');
  const key = queryKey(name.query) ?? placeKey(place);
  return {
    app: appPath,
    name: new Secret(name.path),
    ...(key === undefined ? {} : { key: new Secret(key) }),
  };
}

/** Application name without query, instance or slashes at its ends. */
export function appOf({ app }: ConnectPlace): string {
  return appName(split(app).path);
}

/** The key in the query of app or tcUrl. Keys there are told before anything is published. */
export function placeKey({ app, tcUrl }: ConnectPlace): string | undefined {
  return queryKey(split(app).query) ?? queryKey(split(tcUrl).query);
}

/** `live`, from any of `live/`, `/live`, `live/_definst_` and `'live'`. */
function appName(path: string): string {
  const trimmed = path.replace(/^['/]+|['/]+$/g, '');
  return trimmed.replace(/\/_definst_$/, '');
}

function split(text: string): { path: string; query: string } {
  const mark = text.indexOf('?');
  return mark < 0 ? { path: text, query: '' } : { path: text.slice(0, mark), query: text.slice(mark + 1) };
}

// Split on & and the first = only. Keys are plain [a-z0-9_], so nothing is ever percent-decoded. WIRE 6.
function queryKey(query: string): string | undefined {
  for (const pair of query.split('&')) {
    if (pair.startsWith('key=') && pair.length > 4) return pair.slice(4).replace(/'+$/, '');
  }
  return undefined;
}

function checked(text: string, what: string): string {
  if (text.length > commandLimits.nameLength) throw invalid(`the ${what} is too long`);
  // A NUL cuts names in C programs, and control characters forge log lines.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) throw invalid(`the ${what} holds control characters`);
  }
  return text;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('STREAM_NAME_INVALID', message, { clause: 'RTMP 7.2.2.6' });
}
