// What a stream key allows of a live session: how long, how much, which codecs (PRODUCT "Stream keys"). Driven by the
// figures that the session keeps anyway; looked at twice a second, so a tag costs nothing more. pure.
import { RefusedError } from '../errors.ts';
import { codecsOf } from '../flv/codecs.ts';
import type { Tag } from '../flv/tag.ts';

export interface KeyLimits {
  /** Bits per second. */
  readonly maxBitrate?: number;
  /** Milliseconds. */
  readonly maxSession?: number;
}

/** Milliseconds of the allowed bitrate that may come at once: a large key frame, or what waited for the network. */
const burst = 10_000;

export class KeyLimitsRule {
  readonly #maxBitrate: number | undefined;
  readonly #maxSession: number | undefined;
  readonly #began: number;
  /** Bytes that may still come: a bucket that fills at the allowed rate, up to the burst. */
  #room: number;
  #bytes = 0;
  #at: number;

  /** `now` in monotonic milliseconds. */
  constructor({ maxBitrate, maxSession }: KeyLimits, now: number) {
    this.#maxBitrate = maxBitrate;
    this.#maxSession = maxSession;
    this.#began = now;
    this.#at = now;
    this.#room = bytesIn(burst, maxBitrate ?? 0);
  }

  /** Undefined for a key without such limits. */
  static of(limits: KeyLimits, now: number): KeyLimitsRule | undefined {
    const limited = limits.maxBitrate !== undefined || limits.maxSession !== undefined;
    return limited ? new KeyLimitsRule(limits, now) : undefined;
  }

  /** Why the session must end, if it must. `now` in monotonic milliseconds; `bytes` of the session so far. */
  breach(now: number, bytes: number): RefusedError | undefined {
    if (this.#maxSession !== undefined && now - this.#began >= this.#maxSession) {
      const words = `This session lasted as long as its stream key allows (${seconds(this.#maxSession)} s).`;
      return new RefusedError('SESSION_TOO_LONG', words);
    }
    if (this.#maxBitrate === undefined) return undefined;
    const room = this.#room + bytesIn(now - this.#at, this.#maxBitrate) - (bytes - this.#bytes);
    this.#room = Math.min(room, bytesIn(burst, this.#maxBitrate));
    this.#at = now;
    this.#bytes = bytes;
    if (this.#room >= 0) return undefined;
    const allowed = `${Math.floor(this.#maxBitrate / 1000)} kbit/s`;
    return new RefusedError(
      'BITRATE_EXCEEDED',
      `The bitrate is higher than this stream key allows (${allowed} for video and audio together).`,
    );
  }
}

/** `codec` undefined: one that is unknown here. */
export function codecRefusal(allowed: readonly string[], codec: string | undefined): RefusedError {
  const found = codec === undefined ? 'The codec of this stream' : `The codec ${codec}`;
  return new RefusedError(
    'CODEC_NOT_ALLOWED',
    `${found} is not allowed with this stream key; it allows ${allowed.join(', ')}.`,
  );
}

function bytesIn(milliseconds: number, bitrate: number): number {
  return (milliseconds * bitrate) / 8000;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}

/** Throws RefusedError CODEC_NOT_ALLOWED. Looked at with every tag: an encoder may change its codec in mid-stream. */
export function requireCodec(allowed: readonly string[], { type, body }: Tag): void {
  for (const codec of codecsOf(type, body)) {
    if (codec === undefined || !allowed.includes(codec)) throw codecRefusal(allowed, codec);
  }
}
