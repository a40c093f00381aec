import { describe, expect, it } from 'vitest';
import { statusObject, type StatusCode } from '../../src/command/status.ts';

describe('an information object', () => {
  // WIRE 7: FFmpeg stops on level "error" whatever the code, librtmp and OBS on some codes.
  it.each<[StatusCode, string]>([
    ['NetConnection.Connect.Success', 'status'],
    ['NetStream.Publish.Start', 'status'],
    ['NetStream.Unpublish.Success', 'status'],
    ['NetConnection.Connect.Rejected', 'error'],
    ['NetStream.Publish.BadName', 'error'],
    ['NetStream.Publish.Failed', 'error'],
    ['NetStream.Play.Failed', 'error'],
    ['NetStream.Failed', 'error'],
    ['NetConnection.Call.Failed', 'error'],
  ])('with %s has level %s', (code, level) => {
    expect([...statusObject(code, 'Words.').properties]).toEqual([
      ['level', level],
      ['code', code],
      ['description', 'Words.'],
    ]);
  });
});
