// Memory between tags and the disk: tags are laid into a slab, full slabs are written one after the other, each
// write ending at a tag boundary. Two slabs is what a recording should need. PERFORMANCE 3.5. Leaves out when to
// flush, and what to do when more waits (stall-rule.ts).
import { tagSize, writeTag } from '../flv/tag-writer.ts';
import type { TagType } from '../flv/tag.ts';
import { slabSize, type SlabPool } from './slab-pool.ts';

export interface WriteQueueOptions {
  readonly pool: SlabPool;
  /** Writes bytes at the end of the file. */
  append(bytes: Uint8Array): Promise<void>;
  /** More waits, or less: called for each batch, never for each tag. */
  changed(): void;
  /** Nothing more will be written; called once. */
  failed(error: unknown): void;
}

/** Whole tags that wait for the disk. */
interface Batch {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly pooled: boolean;
  readonly tags: number;
  /** Timestamp of the last tag, ms. */
  readonly end: number;
}

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  /** The slab that is being filled; taken only when there is something to put in. */
  #slab: Uint8Array | undefined;
  #used = 0;
  #tags = 0;
  #end = 0;
  /** The first batch is being written. */
  readonly #queue: Batch[] = [];
  #waiting = 0;
  #written = 0;
  #writtenEnd: number | undefined;
  #lostTags = 0;
  #pumping: Promise<void> | undefined;
  #flushAfterwards = false;
  #closed = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /** Bytes that wait for the disk, without the slab that is being filled. */
  get waiting(): number {
    return this.#waiting;
  }

  /** One slab is being written and another waits, or as many bytes in one piece. */
  get full(): boolean {
    return this.#queue.length >= 2 || this.#waiting >= 2 * slabSize;
  }

  /** Batches that were written. */
  get written(): number {
    return this.#written;
  }

  /** Timestamp (ms) of the last tag that was written; undefined when none was. */
  get writtenEnd(): number | undefined {
    return this.#writtenEnd;
  }

  /** Tags that were put and will never be written. */
  get lostTags(): number {
    return this.#lostTags;
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
      this.#enqueue({ bytes, length: size, pooled: false, tags: 1, end: timestamp });
      return;
    }
    this.#slab ??= this.#options.pool.take();
    this.#used = writeTag(this.#slab, this.#used, type, timestamp, body);
    this.#tags += 1;
    this.#end = timestamp;
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
    this.#lostTags += this.#tags;
    this.#tags = 0;
    const kept = this.#pumping === undefined ? 0 : 1;
    for (const batch of this.#queue.splice(kept)) {
      this.#lostTags += batch.tags;
      this.#letGo(batch);
    }
    await this.#pumping;
  }

  #enqueueSlab(): void {
    if (this.#slab === undefined) return;
    const batch = { bytes: this.#slab, length: this.#used, pooled: true, tags: this.#tags, end: this.#end };
    this.#slab = undefined;
    this.#used = 0;
    this.#tags = 0;
    this.#enqueue(batch);
  }

  #enqueue(batch: Batch): void {
    this.#queue.push(batch);
    this.#count(batch.length);
    this.#pumping ??= this.#pump();
    this.#options.changed();
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const batch = this.#queue[0];
        if (batch === undefined) return;
        await this.#options.append(batch.bytes.subarray(0, batch.length));
        this.#written += 1;
        if (batch.tags > 0) this.#writtenEnd = batch.end;
        this.#queue.shift();
        this.#letGo(batch);
        if (this.#closed) return;
        this.#options.changed();
        if (this.#queue.length === 0 && this.#flushAfterwards) {
          this.#flushAfterwards = false;
          this.#enqueueSlab();
        }
      }
    } catch (error) {
      const batch = this.#queue.shift();
      if (batch !== undefined) {
        this.#lostTags += batch.tags;
        this.#letGo(batch);
      }
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

  #letGo(batch: Batch): void {
    this.#count(-batch.length);
    if (batch.pooled) this.#options.pool.give(batch.bytes);
  }

  #count(bytes: number): void {
    this.#waiting += bytes;
    this.#options.pool.waiting += bytes;
  }
}
