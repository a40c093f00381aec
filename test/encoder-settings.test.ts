import { describe, expect, it } from 'vitest';
import { doorUrls, encoderUrls, welcomeText } from '../src/encoder-settings.ts';
import { loadConfig } from '../src/config.ts';
import type { StreamName } from '../src/ops/names.ts';

const config = (env: Record<string, string> = {}) => loadConfig({ env, cwd: '/' });
const listeners = (...list: readonly [address: string, accept: string][]) => ({
  PENSTOCK_LISTENERS: JSON.stringify(
    list.map(([address, accept]) => ({ address, accept: accept.split(' ') })),
  ),
});

describe('encoder settings', () => {
  it('of the default listeners name ports wherever an encoder would guess another', () => {
    expect(doorUrls(config())).toEqual({
      rtmps: 'rtmps://localhost:1935',
      rtmpts: 'rtmpts://localhost:8443',
      rtmpe: 'rtmpe://localhost',
      rtmpte: 'rtmpte://localhost:1935',
      https: 'https://localhost:8443',
    });
  });

  it('name the public host, and no port where the default one is right', () => {
    const place = config({
      ...listeners(['0.0.0.0:443', 'rtmps https']),
      PENSTOCK_HOSTS: '[ingest.example.com]',
    });
    expect(doorUrls(place)).toEqual({
      rtmps: 'rtmps://ingest.example.com',
      https: 'https://ingest.example.com',
    });
  });

  it('name no wildcard: it is for the certificate only', () => {
    const place = config({
      ...listeners(['0.0.0.0:443', 'rtmps']),
      PENSTOCK_HOSTS: '["*.a.example", b.example]',
    });
    expect(doorUrls(place)).toEqual({ rtmps: 'rtmps://b.example' });
  });

  it('bracket IPv6, and take the real ports of a running server', () => {
    const place = config(listeners(['[::1]:0', 'rtmp'], ['127.0.0.1:0', 'rtmps']));
    expect(doorUrls(place, [7000, 7001])).toEqual({
      rtmp: 'rtmp://[::1]:7000',
      rtmps: 'rtmps://127.0.0.1:7001',
    });
  });

  it('tell encoders from browsers', () => {
    expect(Object.keys(encoderUrls(doorUrls(config())))).toEqual(['rtmps', 'rtmpts', 'rtmpe', 'rtmpte']);
  });

  const welcome = {
    urls: doorUrls(config()),
    stream: 'live/demo' as StreamName,
    recordings: '/srv/recordings',
    caFile: '/srv/certs/ca.pem',
    command: 'scripts/penstock --data-dir /srv',
  };

  it('are ready to paste at the first start', () => {
    const text = welcomeText({ ...welcome, key: 'psk_example' });
    expect(text).toMatch(/^ {2}Server {6}rtmps:\/\/localhost:1935\/live$/m);
    expect(text).toMatch(/^ {2}Stream key {2}psk_example$/m);
    expect(text).toMatch(/^ {2}ffmpeg -re .* -f flv 'rtmps:\/\/localhost:1935\/live\/psk_example'$/m);
    expect(text).toContain('/srv/recordings');
    expect(text).toContain("--cacert '/srv/certs/ca.pem'");
    expect(text).toContain('scripts/penstock --data-dir /srv recording get ID');
  });

  it('show no key a second time, but how to make one', () => {
    const text = welcomeText({ ...welcome, key: undefined });
    expect(text).not.toContain('psk_');
    expect(text).toContain('scripts/penstock --data-dir /srv key create live/demo');
  });

  it('ask nobody to trust the certificate that stands in for one from ACME', () => {
    const text = welcomeText({ ...welcome, key: 'psk_example', awaited: true });
    expect(text).not.toContain('ca.pem');
    expect(text).toMatch(/on its way[^]*scripts\/penstock --data-dir \/srv cert status/);
    expect(welcomeText({ ...welcome, key: 'psk_example' })).not.toContain('on its way');
  });
});
