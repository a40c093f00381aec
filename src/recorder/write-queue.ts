// Memory between tags and the disk: tags are laid into a slab, full slabs are written one after the other, each
// write ending at a tag boundary. Two slabs is what a recording should need; beyond that the source is held back,
// and what still comes is bounded. PERFORMANCE 3.5. Leaves out when to flush.
import { ResourceError } from '../errors.ts';
import { tagSize, writeTag } from '../flv/tag-writer.ts';
import type { TagType } from '../flv/tag.ts';
import { recorderLimits } from './recorder-limits.ts';
import { slabSize, type SlabPool } from './slab-pool.ts';

export interface WriteQueueOptions {
  readonly pool: SlabPool;
  /** Writes bytes at the end of the file. */
  append(bytes: Uint8Array): Promise<void>;
  /** Both slabs are busy: deliver nothing more until `free`. */
  busy(): void;
  free(): void;
  /** Nothing more will be written; called once. */
  failed(error: unknown): void;
}

/** Whole tags that wait for the disk. */
interface Batch {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly pooled: boolean;
}

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  /** The slab that is being filled; taken only when there is something to put in. */
  #slab: Uint8Array | undefined;
  #used = 0;
  /** The first batch is being written. */
  readonly #queue: Batch[] = [];
  #queuedBytes = 0;
  #pumping: Promise<void> | undefined;
  #flushAfterwards = false;
  #isBusy = false;
  #closed = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /** Lays bytes that begin a file, at most a slab, in front of the first tag. */
  putHead(head: Uint8Array): void {
    if (this.#closed) return;
    this.#slab ??= this.#options.pool.take();
    this.#slab.set(head, this.#used);
    this.#used += head.length;
  }

  /** Copies the tag. */
  putTag(type: TagType, timestamp: number, body: Uint8Array): void {
    if (this.#closed) return;
    const size = tagSize(body.length);
    if (this.#used + size > slabSize) this.#enqueueSlab();
    if (size > slabSize) {
      // Rare (a key frame of a very fat stream): a buffer of its own, let go after the write.
      const bytes = new Uint8Array(size);
      writeTag(bytes, 0, type, timestamp, body);
      this.#enqueue({ bytes, length: size, pooled: false });
      return;
    }
    this.#slab ??= this.#options.pool.take();
    this.#used = writeTag(this.#slab, this.#used, type, timestamp, body);
  }

  /** Writes what is there now; behind a write that is under way as soon as that is done. */
  flush(): void {
    if (this.#used === 0) return;
    if (this.#pumping === undefined) this.#enqueueSlab();
    else this.#flushAfterwards = true;
  }

  /** Writes everything; resolves when it is done, or has failed. */
  async drain(): Promise<void> {
    this.#enqueueSlab();
    await this.#pumping;
  }

  /** Forgets what was not written; resolves when no write is under way and all memory is given back. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#slab !== undefined) this.#options.pool.give(this.#slab);
    this.#slab = undefined;
    this.#used = 0;
    const kept = this.#pumping === undefined ? 0 : 1;
    for (const batch of this.#queue.splice(kept)) this.#letGo(batch);
    this.#tellFree();
    await this.#pumping;
  }

  #enqueueSlab(): void {
    if (this.#slab === undefined) return;
    const batch = { bytes: this.#slab, length: this.#used, pooled: true };
    this.#slab = undefined;
    this.#used = 0;
    this.#enqueue(batch);
  }

  #enqueue(batch: Batch): void {
    this.#queue.push(batch);
    this.#queuedBytes += batch.length;
    if (this.#queuedBytes > recorderLimits.waitingBytes) {
      void this.#fail(
        new ResourceError('RECORDING_WRITE_FAILED', 'the disk is slower than the stream', {
          hint: 'Put recorder.directory on a faster volume, or limit the bitrate of the key.',
        }),
      );
      return;
    }
    if (this.#full() && !this.#isBusy) {
      this.#isBusy = true;
      this.#options.busy();
    }
    this.#pumping ??= this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const batch = this.#queue[0];
        if (batch === undefined) return;
        await this.#options.append(batch.bytes.subarray(0, batch.length));
        this.#queue.shift();
        this.#letGo(batch);
        if (this.#closed) return;
        if (!this.#full()) this.#tellFree();
        if (this.#queue.length === 0 && this.#flushAfterwards) {
          this.#flushAfterwards = false;
          this.#enqueueSlab();
        }
      }
    } catch (error) {
      const batch = this.#queue.shift();
      if (batch !== undefined) this.#letGo(batch);
      this.#pumping = undefined;
      await this.#fail(error);
    } finally {
      this.#pumping = undefined;
    }
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#closed) return;
    const closing = this.close();
    this.#options.failed(error);
    await closing;
  }

  /** One slab is being written and another waits, or as many bytes in one piece. */
  #full(): boolean {
    return this.#queue.length >= 2 || this.#queuedBytes >= 2 * slabSize;
  }

  #letGo(batch: Batch): void {
    this.#queuedBytes -= batch.length;
    if (batch.pooled) this.#options.pool.give(batch.bytes);
  }

  #tellFree(): void {
    if (!this.#isBusy) return;
    this.#isBusy = false;
    this.#options.free();
  }
}
