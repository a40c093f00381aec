// An encoder that sends real frames at the pace of the clock, and remembers what the kernel took.
import { Encoder, type EncoderOptions } from './encoder.ts';
import type { Frame } from './media.ts';

export interface PacedEncoderOptions extends EncoderOptions {
  readonly frames: readonly Frame[];
  /** Milliseconds after which it says goodbye; without it, it goes on until it is stopped. */
  readonly goodbyeAt?: number;
}

export class PacedEncoder {
  readonly encoder: Encoder;
  /** Resolves at Publish.Start. */
  readonly published: Promise<void>;
  readonly #options: PacedEncoderOptions;
  readonly #sent: Frame[] = [];
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(options: PacedEncoderOptions) {
    this.#options = options;
    this.encoder = new Encoder(options);
    this.published = this.encoder.published;
    this.#done = this.published.then(() => this.#run());
    this.#done.catch(() => undefined); // whoever waits for `published` hears of it
  }

  /** Frames that the kernel has taken so far, with the timestamps of the wire. */
  get sent(): readonly Frame[] {
    return [...this.#sent];
  }

  /** What the server said beside answers, by code. */
  get notices(): readonly string[] {
    return this.encoder.events.flatMap((event) => (event.type === 'status' ? [event.code] : []));
  }

  /** Says goodbye, and resolves when the server has hung up. */
  async finish(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    await this.encoder.finish();
  }

  /** Hangs up without a word. */
  async hangUp(): Promise<void> {
    this.#stopped = true;
    await this.encoder.vanish();
    await this.#done.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const began = performance.now();
    const { frames, goodbyeAt = Infinity } = this.#options;
    for (const { type, timestamp, payload } of frames) {
      while (performance.now() - began < timestamp) {
        if (this.#stopped) return;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (this.#stopped) return;
      if (performance.now() - began >= goodbyeAt) return this.encoder.finish();
      await this.encoder.send(type, timestamp, payload);
      this.#sent.push({ type, timestamp, payload });
    }
  }
}
