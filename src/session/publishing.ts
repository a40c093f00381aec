// One live publication of a session: what its key allows, and the figures that operators see. pure.
import { RefusedError } from '../errors.ts';
import { audioCodecOf, videoCodecOf } from '../flv/codecs.ts';
import { type Tag, TagType } from '../flv/tag.ts';
import type { EndReason, Publication } from '../hub/publication.ts';
import type { Verdict } from '../keys/key-rule.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import { KeyLimitsRule, requireCodec } from './key-limits-rule.ts';

export interface Publishing {
  readonly publication: Publication;
  readonly stream: StreamName;
  readonly keyId: KeyId;
  /** Which secret of the key opened it. */
  readonly generation: number;
  /** Serial number of the client certificate that opened it in place of a secret. */
  readonly certificate: string | undefined;
  /** What the key allows; undefined when it sets no limit. */
  readonly limits: KeyLimitsRule | undefined;
  /** Codecs that the key allows; undefined = any. */
  readonly codecs: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
  encoder: string;
  videoCodec: string | undefined;
  audioCodec: string | undefined;
  /** Payload bytes so far. */
  bytes: number;
  /** Monotonic milliseconds of the last media. */
  lastMedia: number;
  /** The encoder has said that it ends (FCUnpublish): if it goes without another word, that is a clean end too. */
  ending: boolean;
}

export interface PublishingStart {
  readonly encoder: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly monotonic: number;
}

export function beginPublishing(
  publication: Publication,
  verdict: Extract<Verdict, { granted: true }>,
  { encoder, now, monotonic }: PublishingStart,
): Publishing {
  const { stream, keyId, generation, certificate, codecs } = verdict;
  return {
    publication,
    stream,
    keyId,
    generation,
    certificate,
    limits: KeyLimitsRule.of(verdict, monotonic),
    codecs,
    since: now,
    encoder,
    videoCodec: undefined,
    audioCodec: undefined,
    bytes: 0,
    lastMedia: monotonic,
    ending: false,
  };
}

/** The hot path: counts a tag and looks at its codec. Throws RefusedError CODEC_NOT_ALLOWED. */
export function countTag(publishing: Publishing, tag: Tag, monotonic: number): void {
  publishing.bytes += tag.body.length;
  if (tag.type === TagType.ScriptData) return;
  publishing.lastMedia = monotonic;
  if (publishing.codecs !== undefined) requireCodec(publishing.codecs, tag);
  if (tag.type === TagType.Video) publishing.videoCodec ??= videoCodecOf(tag.body);
  else publishing.audioCodec ??= audioCodecOf(tag.body);
}

/** What became of a publication whose session ends for that error. */
export function endReasonOf(error: unknown): EndReason {
  return error instanceof RefusedError && error.code === 'CODEC_NOT_ALLOWED' ? 'limited' : 'publisher-lost';
}
