import { describe, expect, it } from 'vitest';
import { makeManifest, manifestBytes, parseManifest, type Manifest } from '../../src/evidence/manifest.ts';
import type { KeyId, RecordingId, StreamName } from '../../src/ops/names.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { testOrigin } from '../support/test-origin.ts';

const digest = 'ab'.repeat(32);
const manifest: Manifest = makeManifest({
  entry: {
    id: '0123456789abcdef-2' as RecordingId,
    event: '0123456789abcdef' as RecordingId,
    segment: 2,
    stream: 'live/a' as StreamName,
    keyId: '7h2kq9d4' as KeyId,
    state: 'complete',
    startedAt: 1000,
    endedAt: 3000,
    durationMs: 1999,
    bytes: 5,
    sha256: undefined,
    path: 'x',
    gaps: [],
    locked: true,
    origin: { ...testOrigin, tls: undefined },
    codecs: [],
  },
  digests: { bytes: 5, sha256: digest, prefixSha256: [digest] },
  media: { videoCodec: 'h264', audioCodec: null, width: 1, height: 2, frameRate: 3, audioSampleRate: null },
  previous: undefined,
  publicKeyId: 'cd',
});

describe('a manifest', () => {
  it('reads back as it was written, and can be read by people', () => {
    const bytes = manifestBytes(manifest);
    expect(parseManifest(bytes)).toEqual(manifest);
    expect(Buffer.from(bytes).toString()).toContain('\n  "stream": "live/a",\n');
    expect(manifest.origin?.tls).toBeNull();
    expect(manifest).not.toHaveProperty('locked');
  });

  it('is told from anything else', () => {
    const wrong: unknown[] = [
      { id: '0123456789abcdef' }, // segment 2 of it
      { event: 'fedcba9876543210' },
      { version: 2 },
      { format: 'else' },
      { stream: '../../etc' },
      { startedAt: 'soon' },
      { bytes: -1 },
      { sha256: 'xyz' },
      { prefixLength: 7 },
      { prefixSha256: ['short'] },
      { previous: 'none' },
      { state: 'recording' },
      { gaps: null },
    ].map((change) => ({ ...manifest, ...change }));
    for (const one of [...wrong, null, 7, [], 'text']) {
      expect(parseManifest(Buffer.from(JSON.stringify(one)))).toBeUndefined();
    }
  });

  it('is never made of garbage', () => {
    const random = seededRandom('manifest');
    const good = manifestBytes(manifest);
    for (let count = 0; count < 300; count += 1) {
      const bytes = Buffer.from(good);
      const at = Buffer.from(random(2)).readUInt16BE() % bytes.length;
      bytes.set(random(1), at);
      parseManifest(bytes);
      parseManifest(bytes.subarray(0, at));
      expect(parseManifest(random(40))).toBeUndefined();
    }
  });
});
