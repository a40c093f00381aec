import { describe, expect, it } from 'vitest';
import { parseStreamUrl } from '../../src/doctor/stream-url.ts';

describe('parseStreamUrl', () => {
  it.each([
    ['rtmps://Ingest.Example.com/live', 'ingest.example.com', 443, 'live', 'rtmps://ingest.example.com/live'],
    ['rtmp://h', 'h', 1935, 'live', 'rtmp://h/live'],
    ['rtmpe://h:1936/a/b/', 'h', 1936, 'a/b', 'rtmpe://h:1936/a/b'],
    ['rtmpt://10.0.0.1/live', '10.0.0.1', 80, 'live', 'rtmpt://10.0.0.1/live'],
    ['rtmpts://[2001:db8::1]:8443/live', '2001:db8::1', 8443, 'live', 'rtmpts://[2001:db8::1]:8443/live'],
    ['RTMPTE://h/live', 'h', 80, 'live', 'rtmpte://h/live'],
    [
      'rtmps://bücher.example/live',
      'xn--bcher-kva.example',
      443,
      'live',
      'rtmps://xn--bcher-kva.example/live',
    ],
    ['rtmps://h:443/live', 'h', 443, 'live', 'rtmps://h/live'],
  ])('%s', (text, host, port, app, canonical) => {
    expect(parseStreamUrl(text)).toMatchObject({ host, port, app, text: canonical });
  });

  it('knows what each scheme switches on', () => {
    const switches = (scheme: string) => {
      const { tls, tunnel, encrypted } = parseStreamUrl(`${scheme}://h`);
      return [tls, tunnel, encrypted].map(Number).join('');
    };
    expect(['rtmp', 'rtmps', 'rtmpe', 'rtmpt', 'rtmpts', 'rtmpte'].map(switches)).toEqual([
      '000',
      '100',
      '001',
      '010',
      '110',
      '011',
    ]);
  });

  it.each([
    '',
    'h',
    'https://h/live',
    'rtmp://',
    'rtmp://h:0',
    'rtmp://h:65536',
    'rtmp://a@h/live',
    'rtmp://h/x?y=z',
  ])('refuses %j', (text) => {
    expect(() => parseStreamUrl(text)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
  });

  it.each(['rtmps://h/live/psk_7h2kq9d4_secret', 'rtmps://h/live?key=secret'])(
    'does not take a key on the command line, nor repeat it: %s',
    (text) => {
      expect(() => parseStreamUrl(text)).toThrow(
        expect.objectContaining({
          message: expect.not.stringContaining('secret') as string,
          hint: expect.stringContaining('--key-file') as string,
        }),
      );
    },
  );
});
