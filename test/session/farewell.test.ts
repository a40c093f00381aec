import { describe, expect, it } from 'vitest';
import {
  ProtocolError,
  RefusedError,
  type RefusedErrorCode,
  refusedErrors,
  ResourceError,
  SetupError,
  TransportError,
  type TransportErrorCode,
  transportErrors,
} from '../../src/errors.ts';
import { farewellFor } from '../../src/session/farewell.ts';

describe('a refusal', () => {
  // WIRE 7: what OBS, FFmpeg and phones act on.
  it.each<[RefusedErrorCode, string, 'warn' | 'info' | 'debug', string | RegExp]>([
    ['KEY_REFUSED', 'NetStream.Publish.BadName', 'debug', 'The words of the error.'],
    ['STREAM_BUSY', 'NetStream.Publish.BadName', 'warn', /another encoder/],
    ['DOOR_CLOSED', 'NetConnection.Connect.Rejected', 'warn', 'The words of the error.'],
    ['TOO_MANY_CONNECTIONS', 'NetConnection.Connect.Rejected', 'warn', /Too many/],
    ['PLAYING_UNSUPPORTED', 'NetStream.Play.Failed', 'warn', /does not play/],
    ['KEY_WITHDRAWN', 'NetStream.Publish.BadName', 'warn', 'The words of the error.'],
    ['STREAM_TAKEN_OVER', 'NetStream.Failed', 'info', /newer session/],
    ['STREAM_KICKED', 'NetStream.Failed', 'warn', /operator/],
    ['SHUTTING_DOWN', 'NetStream.Failed', 'info', /shutting down/],
  ])('%s is told as %s and logged at %s', (code, status, level, words) => {
    const { tell, level: at, fields } = farewellFor(new RefusedError(code, 'The words of the error.'));
    expect(tell?.code).toBe(status);
    expect(tell?.description).toMatch(words);
    expect([at, fields]).toEqual([level, { code }]);
  });

  it('always has words', () => {
    for (const code of Object.keys(refusedErrors) as RefusedErrorCode[])
      expect(farewellFor(new RefusedError(code, 'x')).tell?.description).not.toBe('');
  });
});

describe('the peer’s own mistake', () => {
  it('is told nothing, and logged with the clause', () => {
    const error = new ProtocolError('CHUNK_SIZE_INVALID', 'chunk size 0', { clause: 'RTMP 5.4.1' });
    expect(farewellFor(error)).toEqual({
      level: 'info',
      fields: { code: 'CHUNK_SIZE_INVALID', clause: 'RTMP 5.4.1', reason: 'chunk size 0' },
    });
  });
});

describe('the network’s trouble', () => {
  it.each(Object.keys(transportErrors) as TransportErrorCode[])('%s is told to nobody', (code) => {
    const { tell, level, fields } = farewellFor(new TransportError(code, 'why'));
    expect(tell).toBeUndefined();
    expect(level).toBe(code === 'PEER_GONE' ? 'debug' : 'info');
    expect(fields).toEqual({ code, reason: 'why' });
  });
});

describe('our own trouble', () => {
  it('with the host is told, and the operator gets a hint', () => {
    const error = new ResourceError('DISK_FULL', 'no space', { hint: 'free some' });
    expect(farewellFor(error)).toMatchObject({
      tell: { code: 'NetStream.Publish.Failed' },
      level: 'error',
      fields: { code: 'DISK_FULL', reason: 'no space', hint: 'free some' },
    });
  });

  it('with the setup is an error', () => {
    expect(farewellFor(new SetupError('CONFIG_INVALID', 'x'))).toMatchObject({ level: 'error' });
  });

  it.each<[string, unknown]>([
    ['a thrown Error', new TypeError('x is undefined: psk_secret')],
    [
      'a system error that nobody foresaw',
      Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'write' }),
    ],
    ['a thrown string', 'psk_secret'],
    ['a thrown nothing', undefined],
  ])('a bug (%s) is an error with a short stack, and the peer hears no more than that', (_, thrown) => {
    const { tell, level, fields } = farewellFor(thrown);
    expect(tell).toEqual({ code: 'NetStream.Failed', description: 'The server failed; ask its operator.' });
    expect([level, fields.bug]).toEqual(['error', true]);
    expect(String(fields.stack).split(' | ').length).toBeLessThanOrEqual(6);
  });
});
