import * as fc from 'fast-check';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { commandLimits } from '../../src/command/command-limits.ts';
import { appOf, parseStreamAddress, placeKey } from '../../src/command/stream-address.ts';
import { ProtocolError } from '../../src/errors.ts';

const key = 'psk_7h2kq9d4_0123456789abcdefghjkmnpqrs';
const at = (app: string, tcUrl = `rtmps://ingest.example.com/${app}`) => ({ app, tcUrl });

/** The address with its secrets laid open. */
function parse(place: { app: string; tcUrl: string }, name: string) {
  const address = parseStreamAddress(place, name);
  return { app: address.app, name: address.name.reveal(), key: address.key?.reveal() };
}

describe('what encoders send', () => {
  it.each([
    ['OBS: key field', at('live'), key, { app: 'live', name: key, key: undefined }],
    [
      'OBS: server URL with a slash at its end',
      at('live', 'rtmps://h/live/'),
      key,
      { app: 'live', name: key },
    ],
    [
      'OBS: multitrack adds its own parameters to the name',
      at('live'),
      `camera-1?key=${key}&clientConfigId=8f7e&x=1`,
      { app: 'live', name: 'camera-1', key },
    ],
    [
      'OBS: the query of the server URL stays in the app',
      at(`live?key=${key}`, `rtmps://h/live?key=${key}`),
      'camera-1',
      { app: 'live', name: 'camera-1', key },
    ],
    [
      'FFmpeg: one part is the app, the port is always in tcUrl',
      at('live', 'rtmps://h:8443/live'),
      key,
      { app: 'live', name: key },
    ],
    [
      'FFmpeg: of three parts two are the app',
      at('studio/a', 'rtmps://h:443/studio/a'),
      'camera-1',
      { app: 'studio/a', name: 'camera-1' },
    ],
    [
      'GStreamer: tcUrl is the whole URI, the query of the name in it too',
      at('live', `rtmps://h/live/camera-1?key=${key}`),
      'camera-1',
      { app: 'live', name: 'camera-1', key },
    ],
    ['an instance name', at('live/_definst_'), key, { app: 'live', name: key }],
    ['slashes at both ends', at('/live/'), key, { app: 'live', name: key }],
    ['quotes that a shell left', at("'live'"), key, { app: 'live', name: key }],
    [
      'a quote behind the key of a quoted URL',
      at('live', `'rtmps://h/live?key=${key}'`),
      'camera-1',
      { app: 'live', name: 'camera-1', key },
    ],
    [
      'Adobe authentication: Base64 with = and + in a value is not decoded',
      at('live?authmod=adobe&user=u&challenge=+/8==&response=a+b/c==', ''),
      'camera-1',
      { app: 'live', name: 'camera-1' },
    ],
    [
      '_definst_ is only an instance at the end',
      at('live/_definst_/x'),
      'n',
      { app: 'live/_definst_/x', name: 'n' },
    ],
  ])('%s', (_, place, name, expected) => {
    expect(parse(place, name)).toEqual({ key: undefined, ...expected });
  });
});

describe('the key in a query', () => {
  it('is taken from the name, then the app, then tcUrl', () => {
    const place = { app: 'live?key=from-app', tcUrl: 'rtmps://h/live?key=from-url' };
    expect(parse(place, 'n?key=from-name').key).toBe('from-name');
    expect(parse(place, 'n').key).toBe('from-app');
    expect(parse({ ...place, app: 'live' }, 'n').key).toBe('from-url');
    expect(parse({ app: 'live', tcUrl: 'rtmps://h/live' }, 'n').key).toBeUndefined();
  });

  it.each([
    ['an empty one does not hide the next', 'n?key=', 'from-app'],
    ['of several the first counts', 'n?key=one&key=two', 'one'],
    ['the name of the parameter is exact', 'n?monkey=one&Key=two&keys=three&xkey=4', 'from-app'],
    ['only the first = divides', 'n?key=a=b', 'a=b'],
    ['nothing is percent-decoded', 'n?key=%61+b', '%61+b'],
    ['a second ? belongs to the query', 'n?x=1?key=2&key=3', '3'],
  ])('%s', (_, name, expected) => {
    expect(parse({ app: 'live?key=from-app', tcUrl: '' }, name).key).toBe(expected);
  });
});

describe('what is refused', () => {
  const tooLong = 'a'.repeat(commandLimits.nameLength + 1);

  it.each([
    ['an empty name', at('live'), ''],
    ['a name that is only a query', at('live'), `?key=${key}`],
    ['an empty app', at(''), key],
    ['an app of slashes', at('//'), key],
    ['a NUL, which cuts names in C', at('live'), 'good\0evil'],
    ['a NUL in the app', at('li\0ve'), key],
    ['a line feed, which forges log lines', at('live'), 'a\nb'],
    ['an escape sequence', at('live'), '\x1b[2J'],
    ['DEL', at('live\x7f'), key],
    ['a control character in the query', at('live'), `camera-1?key=${key}\r`],
    ['a name of 513 characters', at('live'), tooLong],
    ['an app of 513 characters', at(tooLong), key],
  ])('%s', (_, place, name) => {
    expect(() => parseStreamAddress(place, name)).toThrow(
      // The message goes to the log and to the peer, where a key must not be: it is made of our words alone.
      expect.objectContaining({
        code: 'STREAM_NAME_INVALID',
        message: expect.stringMatching(
          /^the (app|publishing name|application name) (is empty|is too long|holds control characters)$/,
        ) as string,
      }),
    );
  });

  it('a name of 512 characters is not', () => {
    expect(parse(at('live'), tooLong.slice(1)).name).toHaveLength(512);
  });
});

describe('secrecy', () => {
  it('shows neither name nor key, however it is printed', () => {
    const address = parseStreamAddress(
      { app: `live?key=${key}x`, tcUrl: `?key=${key}y` },
      `${key}?key=${key}z`,
    );
    for (const text of [
      JSON.stringify(address),
      inspect(address, { depth: 9, showHidden: true }),
      String(address.name),
    ])
      expect(text).not.toContain('0123456789');
    expect(JSON.parse(JSON.stringify(address))).toEqual({ app: 'live', name: '[secret]', key: '[secret]' });
  });
});

describe('garbage', () => {
  it('gives an address or a ProtocolError, in any case soon', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc
        .array(fc.constantFrom('/', "'", '?', '&', '=', 'key', '_definst_', 'a', '%00'), { maxLength: 500 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, text, text, (app, tcUrl, name) => {
        try {
          const address = parse({ app, tcUrl }, name);
          expect(address.name).not.toBe('');
          expect(address.app).not.toBe('');
          expect(address.app + address.name).not.toMatch(/[\u0000-\u001f\u007f?]/);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
      }),
      { seed: 20261122, numRuns: 500 },
    );
  });
});

describe('who has signed in', () => {
  it('need not name the stream', () => {
    const answer = 'live?authmod=adobe&user=u&challenge=c&response=r&opaque=o';
    expect(parse(at(answer), '')).toEqual({ app: 'live', name: '', key: undefined });
    expect(() => parse(at('live?authmod=adobe&user=u'), '')).toThrow(ProtocolError);
  });
});

describe('connect alone', () => {
  it('tells the application, and the key if that is there', () => {
    expect(appOf(at(`/live/_definst_?key=${key}`))).toBe('live');
    expect(placeKey(at(`live?key=${key}`, 'rtmps://h/live'))).toBe(key);
    expect(placeKey(at('live', `rtmps://h/live?key=${key}`))).toBe(key);
    expect(placeKey(at('live'))).toBeUndefined();
  });
});
