// Settings to paste: for whom, and through which door. The tables and fields are tested where commands show them
// (key-cli.test.ts).
import { describe, expect, it } from 'vitest';
import { describeKey, encoderSettings, reportKey } from '../../src/keys/key-report.ts';
import type { StreamKey } from '../../src/keys/key-rule.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';

const key: StreamKey = {
  id: '7h2kq9d4' as KeyId,
  stream: 'studio/camera-1' as StreamName,
  role: 'publish',
  state: 'active',
  digest: '',
  pepperVersion: 0,
  createdAt: 0,
  allow: [],
  codecs: [],
  generation: 1,
  require: 'any',
};
const settingsOf = (urls: Record<string, string>, change: Partial<StreamKey> = {}) =>
  encoderSettings({ ...key, ...change }, 'psk_x', describeKey(key, urls).server);

describe('encoder settings', () => {
  it('lead through TLS where it is open, else through the first door', () => {
    const [rtmps, rtmpe] = ['rtmps://[::1]:1935', 'rtmpe://h/'];
    expect(settingsOf({ rtmpe, rtmps })?.obs).toEqual({ server: 'rtmps://[::1]:1935/studio', key: 'psk_x' });
    expect(settingsOf({ rtmpe })?.obs.server).toBe('rtmpe://h/studio');
  });

  it('are not made where they would not work', () => {
    expect(settingsOf({})).toBeNull();
    expect(settingsOf({ rtmps: 'rtmps://h' }, { role: 'play' })).toBeNull();
  });

  it('name one address in both command lines, safe in a shell', () => {
    const settings = settingsOf({ rtmps: 'rtmps://h' });
    for (const line of [settings?.ffmpeg, settings?.gstreamer])
      expect(line?.match(/'([^']*)'/)?.[1]).toBe('rtmps://h/studio/psk_x');
  });
});

it('a key shows whether its password can be checked, and nothing of what checks it', () => {
  expect(reportKey(key, {}, 0).text).toMatch(/password +not with this secret: .*rotate/);
  const { text, json } = reportKey({ ...key, verifiers: 'sealed-secret' }, {}, 0);
  expect(text).not.toContain('password');
  expect(text + JSON.stringify(json)).not.toContain('sealed-secret');
});
