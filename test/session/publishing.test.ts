import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/errors.ts';
import { TagType } from '../../src/flv/tag.ts';
import type { Publication } from '../../src/hub/publication.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { beginPublishing, countTag, endReasonOf } from '../../src/session/publishing.ts';

const begin = (codecs?: readonly string[]) =>
  beginPublishing(
    {} as Publication,
    {
      granted: true,
      keyId: '7h2kq9d4' as KeyId,
      stream: 'live/camera-1' as StreamName,
      generation: 2,
      maxSession: 1000,
      ...(codecs && { codecs }),
    },
    { encoder: 'OBS', now: 7, monotonic: 5 },
  );
const tag = (type: TagType, ...body: number[]) => ({
  type,
  timestamp: 0,
  body: Uint8Array.from(body),
  role: 'inter-frame' as const,
});

describe('a publication of a session', () => {
  it('takes over what the key allows', () => {
    const publishing = begin();
    expect(publishing).toMatchObject({ keyId: '7h2kq9d4', generation: 2, since: 7, lastMedia: 5, bytes: 0 });
    expect(publishing.limits?.breach(1005, 0)?.code).toBe('SESSION_TOO_LONG');
  });

  it('counts bytes, media and codecs', () => {
    const publishing = begin();
    countTag(publishing, tag(TagType.ScriptData, 1, 2, 3), 50);
    expect(publishing).toMatchObject({ bytes: 3, lastMedia: 5 });
    countTag(publishing, tag(TagType.Video, 0x17, 1), 60);
    countTag(publishing, tag(TagType.Audio, 0xaf, 1), 70);
    expect(publishing).toMatchObject({ bytes: 7, lastMedia: 70, videoCodec: 'h264', audioCodec: 'aac' });
  });

  it('ends as limited when a codec is not allowed', () => {
    const count = () => countTag(begin(['hevc']), tag(TagType.Video, 0x17, 1), 60);
    expect(count).toThrow(RefusedError);
    expect(endReasonOf(new RefusedError('CODEC_NOT_ALLOWED', ''))).toBe('limited');
    expect(endReasonOf(new Error('x'))).toBe('publisher-lost');
  });
});
