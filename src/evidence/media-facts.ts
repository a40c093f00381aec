// What a recording holds, from its first bytes: codecs from the first tags, dimensions and rates as the encoder gave
// them. FLV E.4, E.5. pure.
import { audioCodecOf, videoCodecOf } from '../flv/codecs.ts';
import { headLength } from '../flv/file-head.ts';
import { metadataOf } from '../flv/script-data.ts';
import { TagReader } from '../flv/tag-reader.ts';
import { TagType } from '../flv/tag.ts';

export interface MediaFacts {
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** Per second. */
  readonly frameRate: number | null;
  /** Hertz. */
  readonly audioSampleRate: number | null;
}

/** `bytes`: the beginning of the file, the more the surer. */
export function mediaFactsOf(bytes: Uint8Array): MediaFacts {
  let videoCodec: string | undefined;
  let audioCodec: string | undefined;
  const numbers = new Map<string, number>();
  const reader = new TagReader((tag, position) => {
    if (tag.type === TagType.Video) videoCodec ??= videoCodecOf(tag.body);
    else if (tag.type === TagType.Audio) audioCodec ??= audioCodecOf(tag.body);
    else if (position < headLength) {
      for (const [name, value] of metadataOf(tag.body)?.properties ?? []) {
        if (typeof value === 'number' && Number.isFinite(value)) numbers.set(name.toLowerCase(), value);
      }
    }
  });
  reader.push(bytes);
  return {
    videoCodec: videoCodec ?? null,
    audioCodec: audioCodec ?? null,
    width: numbers.get('width') ?? null,
    height: numbers.get('height') ?? null,
    frameRate: numbers.get('framerate') ?? null,
    audioSampleRate: numbers.get('audiosamplerate') ?? null,
  };
}
