// The verbs of `penstock key`: shapes for scripts, sentences for people, the key shown once.
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { audioCodecOf, videoCodecOf } from '../../src/flv/codecs.ts';
import {
  codecNames,
  createFirstKey,
  createKey,
  listKeys,
  rotateKey,
  setKeyState,
  showKey,
} from '../../src/keys/key-cli.ts';
import { openKeyStore } from '../../src/keys/key-store.ts';
import { parseKey } from '../../src/keys/stream-key-format.ts';
import type { StreamName } from '../../src/ops/names.ts';
import { openKeyRoom } from '../support/key-room.ts';

const server = { rtmps: 'rtmps://ingest.example.com:1935/live', rtmpe: 'rtmpe://ingest.example.com/live' };
const everyRule = {
  stream: 'live/camera-1',
  role: 'publish',
  expires: '30d',
  notBefore: '2026-11-23T08:00Z',
  allow: ['10.1.2.3/8', '2001:db8::1'],
  require: 'tls',
  maxBitrate: '12M',
  maxSession: '8h',
  codecs: ['H264,aac', 'h265'],
  note: 'van 2',
};

describe('penstock key create', () => {
  it('answers the documented shape, and shows the key once in words', async () => {
    const { context } = await openKeyRoom();
    const { json, text } = await createKey({ stream: 'live/camera-1', expires: '30d' }, context);
    expect(json).toEqual({
      id: expect.stringMatching(/^[0-9a-z]{8}$/),
      stream: 'live/camera-1',
      role: 'publish',
      key: expect.stringMatching(/^psk_[0-9a-z]{8}_[0-9a-z]{30}$/),
      server,
      expiresAt: '2026-12-22T13:05:09.000Z',
      settings: {
        url: expect.stringMatching(/^rtmps:\/\/ingest\.example\.com:1935\/live\/psk_\w+$/),
        obs: { server: server.rtmps, key: expect.stringMatching(/^psk_/) },
        ffmpeg: expect.stringMatching(
          /^ffmpeg .* -f flv 'rtmps:\/\/ingest\.example\.com:1935\/live\/psk_\w+'$/,
        ),
        gstreamer: expect.stringMatching(
          /^gst-launch-1\.0 .* rtmp2sink location='rtmps:\/\/.*\/live\/psk_\w+' /,
        ),
      },
    });
    const { id, key, settings } = json as {
      id: string;
      key: string;
      settings: { obs: { key: string }; ffmpeg: string; gstreamer: string };
    };
    expect([settings.obs.key, settings.ffmpeg.includes(key), settings.gstreamer.includes(key)]).toEqual([
      key,
      true,
      true,
    ]);
    expect(text.split('\n')).toEqual([
      `Key ${id} may publish live/camera-1 until 2026-12-22T13:05:09.000Z.`,
      '',
      'rtmps server  rtmps://ingest.example.com:1935/live',
      'rtmpe server  rtmpe://ingest.example.com/live',
      '',
      `stream key    ${key}`,
      '',
      'OBS           Settings, Stream, Service "Custom...": the server and the stream key above',
      `ffmpeg        ${settings.ffmpeg}`,
      `GStreamer     ${settings.gstreamer}`,
      '',
      'This is the only time the stream key is shown: the server itself cannot tell it again.',
    ]);
  });

  it('says from when to when it works', async () => {
    const { context } = await openKeyRoom();
    const { text } = await createKey(everyRule, context);
    expect(text).toMatch(/may publish live\/camera-1 from 2026-11-23T08:00:00\.000Z until 2026-12-22T/);
  });

  it('keeps every rule', async () => {
    const { context, makeKey } = await openKeyRoom();
    const { id } = await makeKey(everyRule);
    const { json, text } = await showKey(id, context);
    expect(json).toEqual({
      id,
      stream: 'live/camera-1',
      role: 'publish',
      server,
      expiresAt: '2026-12-22T13:05:09.000Z',
      state: 'active',
      lastUsedAt: null,
      lastUsedFrom: null,
      lastUsedEncoder: null,
      lastUsedDoor: null,
      createdAt: '2026-11-22T13:05:09.000Z',
      notBefore: '2026-11-23T08:00:00.000Z',
      allow: ['10.0.0.0/8', '2001:db8::1'],
      require: 'tls',
      maxBitrate: 12_000_000,
      maxSession: 28_800_000,
      codecs: ['h264', 'aac', 'hevc'],
      note: 'van 2',
    });
    expect(text).toContain('expires       2026-12-22T13:05:09.000Z (in 30d)');
    expect(text).toContain('max bitrate   12 Mbit/s');
  });

  it.each([
    [{ stream: 'camera-1' }, 'STREAM: "camera-1"'],
    [{ stream: 'live/../etc' }, 'STREAM: "live/../etc"'],
    [{ role: 'admin' }, '--role: "admin"'],
    [{ expires: 'soon' }, '--expires: "soon"'],
    [{ expires: '0' }, '--expires: "0"'],
    [{ expires: '2026-11-22' }, '--expires: "2026-11-22"'],
    [{ expires: '1h', notBefore: '2h' }, '--expires: "1h"'],
    [{ notBefore: 'now' }, '--not-before: "now"'],
    [{ allow: ['10.0.0.0/8', '10.0.0.0/99'] }, '--allow: "10.0.0.0/99"'],
    [{ require: 'rtmpe' }, '--require: "rtmpe"'],
    [{ maxBitrate: '12MB' }, '--max-bitrate: "12MB"'],
    [{ maxBitrate: '0' }, '--max-bitrate: "0"'],
    [{ maxSession: '8' }, '--max-session: "8"'],
    [{ codecs: ['h264,divx'] }, '--codecs: "divx"'],
    [{ note: 'psk_7h2kq9d4' }, '--note: "[secret]"'],
  ])('refuses %j in words, and makes nothing', async (given, found) => {
    const { context } = await openKeyRoom();
    await expect(createKey({ stream: 'live/camera-1', ...given }, context)).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: `${found} is not valid.`,
      hint: expect.stringMatching(/^Give .*\.$/),
    });
    expect((await listKeys(context)).json).toEqual([]);
  });

  it('draws the publish URL for a phone, and warns of an address that no phone can reach', async () => {
    const { context } = await openKeyRoom();
    const { json, text } = await createKey({ stream: 'live/phone', qr: (url) => `[QR ${url}]` }, context);
    const { settings } = json as { settings: { url: string } };
    expect(text).toContain(`\n[QR ${settings.url}]\n`);
    expect(text).toMatch(/server itself cannot tell it again\.$/);
    const local = { ...context, serverUrls: { rtmps: 'rtmps://localhost:1935' } };
    expect((await createKey({ stream: 'live/phone', qr: String }, local)).text).toContain(
      'no phone can reach this address: name the server under "hosts" first',
    );
  });

  it('makes no key when there is no URL to draw', async () => {
    const { context } = await openKeyRoom();
    for (const [given, urls] of [
      [{ role: 'play' }, context.serverUrls],
      [{}, {}],
    ] as const) {
      const making = createKey(
        { stream: 'live/phone', qr: String, ...given },
        { ...context, serverUrls: urls },
      );
      await expect(making).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    }
    expect((await listKeys(context)).json).toEqual([]);
  });

  it('takes another id when the first one is taken', async () => {
    const { context, makeKey } = await openKeyRoom();
    const { id } = await makeKey();
    const letters = '0123456789abcdefghjkmnpqrstvwxyz';
    const taken = Uint8Array.from(id, (letter) => letters.indexOf(letter));
    let asked = 0;
    const random = {
      bytes: (length: number) => Uint8Array.from({ length }, (_, at) => taken[at] ?? 0).fill(asked++, 8),
    };
    const stubborn = {
      bytes: (length: number) => (asked < 2 ? random.bytes(length) : new Uint8Array(length)),
    };
    const { json } = await createKey({ stream: 'live/camera-1' }, { ...context, random: stubborn });
    expect(json).toMatchObject({ id: '00000000' });
    expect(asked).toBe(2);
  });
});

describe('penstock key rotate', () => {
  it('shows a new secret of the same key once, and who still uses the old one', async () => {
    const { context, makeKey, clock, audit } = await openKeyRoom();
    const { id, key } = await makeKey({ expires: '30d' });
    const use = { at: clock.now() - 60_000, address: '203.0.113.7', encoder: 'OBS 31', door: 'rtmps' };
    await openKeyStore(context.store).touch(id, use, 1);
    const { json, text } = await rotateKey(id, {}, context);
    expect(json).toMatchObject({
      id,
      stream: 'live/camera-1',
      server,
      previousUntil: '2026-11-23T13:05:09.000Z',
    });
    const { key: fresh } = json as { key: string };
    expect(fresh).toMatch(new RegExp(`^psk_${id}_[0-9a-z]{30}$`));
    expect(fresh).not.toBe(key);
    expect(parseKey('psk', new Secret(fresh))).toMatchObject({ id });
    expect(text).toContain(fresh);
    expect(audit.of('key.rotated')).toEqual([
      { action: 'key.rotated', source: 'cli', key: id, stream: 'live/camera-1', detail: 'grace 24h' },
    ]);
    expect((await showKey(id, context)).json).toMatchObject({
      previous: {
        until: '2026-11-23T13:05:09.000Z',
        lastUsedAt: '2026-11-22T13:04:09.000Z',
        lastUsedFrom: '203.0.113.7',
        lastUsedEncoder: 'OBS 31',
        lastUsedDoor: 'rtmps',
      },
    });
    expect((await listKeys(context)).text).toContain(
      'works 1d more, last used 1m ago by OBS 31 from 203.0.113.7',
    );
    clock.setNow(clock.now() + 86_400_000);
    expect((await listKeys(context)).json).toEqual([
      expect.not.objectContaining({ previous: expect.anything() as object }),
    ]);
  });

  it('refuses what cannot be rotated, in words', async () => {
    const { context, makeKey, clock } = await openKeyRoom();
    const [expired, revoked] = [await makeKey({ expires: '1h' }), await makeKey()];
    await setKeyState(revoked.id, 'revoke', context);
    clock.setNow(clock.now() + 7_200_000);
    const refusals: [string, string | undefined, string][] = [
      [expired.id, undefined, 'has expired'],
      [revoked.id, undefined, 'is revoked'],
      ['00000000', undefined, 'There is no stream key'],
      [revoked.id, 'soon', '--grace: "soon"'],
      [revoked.id, '9999d', '--grace: "9999d"'],
    ];
    for (const [id, grace, words] of refusals)
      await expect(rotateKey(id, { grace }, context)).rejects.toThrow(words);
  });
});

describe('codec names', () => {
  it('are all that a session can have', () => {
    const fourCcs = [
      'avc1',
      'hvc1',
      'vvc1',
      'av01',
      'vp08',
      'vp09',
      'mp4a',
      '.mp3',
      'Opus',
      'fLaC',
      'ac-3',
      'ec-3',
    ];
    const bodies = [
      ...Array.from({ length: 256 }, (_, first) => Uint8Array.of(first, 0, 0, 0, 0)),
      ...fourCcs.flatMap((name) => [0x80, 0x90].map((first) => Uint8Array.of(first, ...Buffer.from(name)))),
    ];
    const found = new Set(bodies.flatMap((body) => [videoCodecOf(body), audioCodecOf(body)]));
    found.delete(undefined);
    expect([...found].filter((name) => !codecNames.some((known) => known === name))).toEqual([]);
    expect(found.size).toBe(codecNames.length);
  });
});

describe('createFirstKey', () => {
  it('makes a key for an empty store, and none when there is one, whatever its state', async () => {
    const { context } = await openKeyRoom();
    const key = await createFirstKey('live/camera-1' as StreamName, context);
    expect(key).toMatch(/^psk_/);
    const [made] = await openKeyStore(context.store).list();
    await setKeyState(made!.id, 'revoke', context);
    expect(await createFirstKey('live/camera-1' as StreamName, context)).toBeUndefined();
    expect((await listKeys(context)).json).toHaveLength(1);
  });
});

describe('penstock key list', () => {
  it('answers the documented shape for scripts, and a table for people', async () => {
    const { context, clock, makeKey } = await openKeyRoom();
    const [used, expired] = [await makeKey({ expires: '2h' }), await makeKey({ role: 'play', note: 'wall' })];
    const use = { at: clock.now(), address: '2001:db8::1', encoder: 'OBS', door: 'rtmps' };
    await openKeyStore(context.store).touch(used.id, use, 1);
    await setKeyState(expired.id, 'disable', context);
    clock.setNow(clock.now() + 3_600_000);
    const { json, text } = await listKeys(context);
    const entries = [
      {
        id: used.id,
        stream: 'live/camera-1',
        role: 'publish',
        server,
        expiresAt: '2026-11-22T15:05:09.000Z',
        state: 'active',
        lastUsedAt: '2026-11-22T13:05:09.000Z',
        lastUsedFrom: '2001:db8::1',
      },
      {
        id: expired.id,
        stream: 'live/camera-1',
        role: 'play',
        server,
        expiresAt: null,
        state: 'disabled',
        lastUsedAt: null,
        lastUsedFrom: null,
      },
    ];
    // Made in the same millisecond: the id decides.
    expect(json).toEqual(entries.sort((a, b) => (a.id < b.id ? -1 : 1)));
    const rows = text.replaceAll(/^[0-9a-z]{8}(?= )/gm, 'xxxxxxxx').split('\n');
    expect(rows[0]).toBe('ID        STREAM         ROLE     STATE     EXPIRES  LAST USED  FROM         NOTE');
    expect(rows.slice(1).sort()).toEqual([
      'xxxxxxxx  live/camera-1  play     disabled  never    never      -            wall',
      'xxxxxxxx  live/camera-1  publish  active    in 1h    1h ago     2001:db8::1  -',
    ]);
  });

  it('says how to begin when there is none', async () => {
    const { context } = await openKeyRoom();
    expect(await listKeys(context)).toEqual({
      json: [],
      text: expect.stringContaining('penstock key create'),
    });
  });
});

describe('penstock key disable, enable, revoke', () => {
  it('changes the state and says what follows', async () => {
    const { context, makeKey } = await openKeyRoom();
    const { id } = await makeKey();
    expect((await setKeyState(id, 'disable', context)).json).toMatchObject({ id, state: 'disabled' });
    expect((await setKeyState(id, 'enable', context)).text).toContain(
      `Key ${id} of live/camera-1 is active.`,
    );
    expect((await setKeyState(id, 'revoke', context)).json).toMatchObject({ state: 'revoked' });
    expect((await setKeyState(id, 'revoke', context)).json).toMatchObject({ state: 'revoked' });
  });

  it.each(['enable', 'disable'] as const)('does not %s a revoked key', async (verb) => {
    const { context, makeKey } = await openKeyRoom();
    const { id } = await makeKey();
    await setKeyState(id, 'revoke', context);
    await expect(setKeyState(id, verb, context)).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringContaining('final'),
      hint: expect.stringContaining('penstock key create live/camera-1'),
    });
    expect((await showKey(id, context)).json).toMatchObject({ state: 'revoked' });
  });

  it('says that a key does not exist, without repeating one given in place of its id', async () => {
    const { context, makeKey } = await openKeyRoom();
    await expect(setKeyState('00000000', 'revoke', context)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(showKey('00000000', context)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { key } = await makeKey();
    await expect(showKey(key, context)).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: 'ID: "[secret]" is not valid.',
    });
  });
});

describe('secrets', () => {
  it('are in no report but that of the creation', async () => {
    const { context, makeKey } = await openKeyRoom();
    const { id, key } = await makeKey(everyRule);
    const { digest } = (await openKeyStore(context.store).list())[0]!;
    const reports = [
      await listKeys(context),
      await showKey(id, context),
      await setKeyState(id, 'disable', context),
      await setKeyState(id, 'enable', context),
      await setKeyState(id, 'revoke', context),
    ];
    for (const secret of [key, key.slice(13), digest]) expect(JSON.stringify(reports)).not.toContain(secret);
  });
});
