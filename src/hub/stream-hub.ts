// One publication per stream, any number of subscribers to each: the recorder is one of them. Here is decided
// who may publish a stream that is already live, and here one slow or broken subscriber is kept from the others.
// Leaves out keys (the gate has spoken) and what is done with tags.
import { RefusedError } from '../errors.ts';
import type { Tag } from '../flv/tag.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import type { Origin } from '../ops/origin.ts';
import type { EndReason, Notice, Publication, Publisher, Subscriber, Subscription } from './publication.ts';

/** Called for each new publication; what it awaits, the publisher's Publish.Start awaits. */
export type PublishListener = (publication: Publication) => Promise<void> | void;

export interface StreamHub {
  /**
   * Opens the stream to this publisher; resolves when all onPublish listeners have. With the same key the newer
   * publisher wins at once: the older one is evicted, its publication ended as `replaced`. Throws RefusedError
   * STREAM_BUSY when another key holds the stream, or anybody where no takeover is wanted, STREAM_TAKEN_OVER when a still newer publisher came while
   * the listeners were at work, and whatever a listener throws.
   */
  publish(stream: StreamName, publisher: Publisher): Promise<Publication>;
  /** Returns how to stop listening. */
  onPublish(listener: PublishListener): () => void;
  /** Those that are live now, opening ones included. */
  readonly publications: readonly Publication[];
  /** How many subscribers were dropped because they threw. */
  readonly failedSubscribers: number;
}

/** What a second publisher of a live stream may do: take it over with the same key, or never. */
export type DuplicatePublisher = 'takeover' | 'refuse';

export interface StreamHubOptions {
  /** By default `takeover`. */
  readonly duplicatePublisher?: DuplicatePublisher;
  readonly clock: Clock;
  readonly log: Log;
}

export function createStreamHub(options: StreamHubOptions): StreamHub {
  return new Hub(options);
}

class Hub implements StreamHub {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #duplicates: DuplicatePublisher;
  readonly #live = new Map<StreamName, LivePublication>();
  readonly #listeners = new Set<PublishListener>();
  #failedSubscribers = 0;

  constructor({ clock, log, duplicatePublisher = 'takeover' }: StreamHubOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#duplicates = duplicatePublisher;
  }

  get publications(): readonly Publication[] {
    return [...this.#live.values()];
  }

  get failedSubscribers(): number {
    return this.#failedSubscribers;
  }

  onPublish(listener: PublishListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async publish(stream: StreamName, publisher: Publisher): Promise<Publication> {
    // Everything up to the first await is one step, so of publishers that come at once exactly one holds the stream.
    const older = this.#live.get(stream);
    if (older !== undefined && (this.#duplicates === 'refuse' || older.keyId !== publisher.keyId)) {
      const how = older.keyId === publisher.keyId ? 'with the same key' : 'with another key';
      throw new RefusedError('STREAM_BUSY', `${stream} is already being published ${how}`);
    }
    const publication = new LivePublication(stream, publisher, this.#clock.now(), {
      ended: () => {
        if (this.#live.get(stream) === publication) this.#live.delete(stream);
      },
      failed: (subscriber, error) => this.#subscriberFailed(stream, subscriber, error),
    });
    this.#live.set(stream, publication);
    older?.replace();

    try {
      await Promise.all([...this.#listeners].map(async (listener) => listener(publication)));
    } catch (error) {
      await publication.end('unpublished');
      throw error;
    }
    if (publication.ended !== undefined) {
      await publication.end(publication.ended);
      throw new RefusedError('STREAM_TAKEN_OVER', `a newer session took ${stream} over`);
    }
    publication.open();
    return publication;
  }

  #subscriberFailed(stream: StreamName, subscriber: Subscriber, error: unknown): void {
    this.#failedSubscribers += 1;
    this.#log.error('subscriber.failed', {
      stream,
      subscriber: subscriber.label,
      bug: true,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

interface Owner {
  ended(): void;
  failed(subscriber: Subscriber, error: unknown): void;
}

class LivePublication implements Publication {
  readonly stream: StreamName;
  readonly keyId: KeyId;
  readonly origin: Origin;
  readonly startedAt: number;
  readonly #publisher: Publisher;
  readonly #owner: Owner;
  /** Replaced, never changed, so that write() may run through it while subscribers come and go. */
  #seats: readonly Seat[] = [];
  /** Subscribers that were dropped early and are still finishing. */
  readonly #finishing = new Set<Promise<void>>();
  #holds = 0;
  #opened = false;
  #ended: EndReason | undefined;
  #end: Promise<void> | undefined;

  constructor(stream: StreamName, publisher: Publisher, startedAt: number, owner: Owner) {
    this.stream = stream;
    this.keyId = publisher.keyId;
    this.origin = publisher.origin;
    this.startedAt = startedAt;
    this.#publisher = publisher;
    this.#owner = owner;
  }

  get ended(): EndReason | undefined {
    return this.#ended;
  }

  // The hot path (PERFORMANCE 3.1): nothing is allocated here.
  write(tag: Tag): void {
    const seats = this.#seats;
    for (let index = 0; index < seats.length; index += 1) {
      const seat = seats[index];
      if (seat === undefined || !seat.taken) continue;
      try {
        seat.subscriber.write(tag);
      } catch (error) {
        this.#drop(seat, error);
      }
    }
  }

  subscribe(subscriber: Subscriber): Subscription {
    const seat: Seat = { subscriber, taken: this.#ended === undefined, holding: false };
    if (this.#ended === undefined) this.#seats = [...this.#seats, seat];
    else void this.#finish(subscriber, this.#ended);
    return {
      hold: () => {
        if (!seat.taken || seat.holding) return;
        seat.holding = true;
        this.#holds += 1;
        if (this.#holds === 1) this.#publisher.pause();
      },
      release: () => this.#release(seat),
      cancel: () => this.#leave(seat),
    };
  }

  tell(notice: Notice): void {
    if (this.#ended === undefined) this.#publisher.tell(notice);
  }

  end(reason: EndReason): Promise<void> {
    this.#end ??= this.#endOnce(reason);
    // Whoever subscribed after the end is waited for too.
    return this.#end.then(() => this.#allFinished());
  }

  /** The publisher has been told that it may publish; from now on it must be told when it may not. */
  open(): void {
    this.#opened = true;
  }

  /** A newer publisher takes the stream. One that is still opening learns it from the answer to publish(). */
  replace(): void {
    void this.end('replaced');
    if (this.#opened) this.#publisher.evict('replaced');
  }

  async #endOnce(reason: EndReason): Promise<void> {
    this.#ended = reason;
    this.#owner.ended();
    const seats = this.#seats;
    for (const seat of seats) this.#leave(seat); // a publisher that lives on must not stay paused
    for (const { subscriber } of seats) void this.#finish(subscriber, reason);
    await this.#allFinished();
  }

  async #allFinished(): Promise<void> {
    while (this.#finishing.size > 0) await Promise.all(this.#finishing);
  }

  #drop(seat: Seat, error: unknown): void {
    this.#leave(seat);
    this.#owner.failed(seat.subscriber, error);
    void this.#finish(seat.subscriber, 'subscriber-failed');
  }

  async #finish(subscriber: Subscriber, reason: EndReason | 'subscriber-failed'): Promise<void> {
    const finished = (async () => {
      try {
        await subscriber.end(reason);
      } catch (error) {
        this.#owner.failed(subscriber, error);
      }
    })();
    this.#finishing.add(finished);
    await finished;
    this.#finishing.delete(finished);
  }

  #leave(seat: Seat): void {
    if (!seat.taken) return;
    this.#release(seat);
    seat.taken = false;
    this.#seats = this.#seats.filter((other) => other !== seat);
  }

  #release(seat: Seat): void {
    if (!seat.holding) return;
    seat.holding = false;
    this.#holds -= 1;
    if (this.#holds === 0) this.#publisher.resume();
  }
}

interface Seat {
  readonly subscriber: Subscriber;
  taken: boolean;
  holding: boolean;
}
