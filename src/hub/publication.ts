// The types that meet at the hub: who publishes, what is published, who takes it.
import type { Tag, TagSink } from '../flv/tag.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import type { Origin } from '../ops/origin.ts';

/** Why a publication ended. */
export type EndReason =
  | 'unpublished'
  | 'publisher-lost'
  | 'replaced'
  | 'revoked'
  | 'limited'
  | 'kicked'
  | 'shutdown';

/** What a publisher is told beside its media: nothing ends by it. */
export interface Notice {
  /** NetStream status code, such as NetStream.Record.Failed. */
  readonly code: 'NetStream.Record.Failed' | 'NetStream.Record.Start';
  /** One sentence for the person at the encoder. */
  readonly description: string;
}

/** The source of a publication, as the hub sees it. */
export interface Publisher {
  /** For logs: the session, never a key or an address typed by the client. */
  readonly label: string;
  readonly keyId: KeyId;
  readonly origin: Origin;
  /** Stop delivering as soon as possible; what was already read may still arrive. */
  pause(): void;
  resume(): void;
  /** The publication is ending for the sake of a newer one; tell the client and close. */
  evict(reason: 'replaced'): void;
  /** Says something that the stream survives. */
  tell(notice: Notice): void;
}

/** Takes the tags of one publication. Whoever falls behind says so with `Subscription.hold`, or drops. */
export interface Subscriber extends TagSink {
  /** For logs. */
  readonly label: string;
  /**
   * No tag comes after this; called once, unless the subscription was cancelled first. `subscriber-failed`: its
   * own write threw. The publication's end waits for the answer.
   */
  end(reason: EndReason | 'subscriber-failed'): Promise<void> | void;
}

export interface Subscription {
  /** Back pressure: the publisher is paused while any subscriber holds. */
  hold(): void;
  release(): void;
  /** No more tags, and no `end`. Gives up a hold. */
  cancel(): void;
}

export interface Publication extends TagSink {
  readonly stream: StreamName;
  readonly keyId: KeyId;
  readonly origin: Origin;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Set from the first call of `end`. */
  readonly ended: EndReason | undefined;
  /** Tags after the end are ignored. */
  write(tag: Tag): void;
  /** To a publication that has ended: `subscriber.end` is called before this returns. */
  subscribe(subscriber: Subscriber): Subscription;
  /** To the publisher; nothing once the publication has ended. */
  tell(notice: Notice): void;
  /** Idempotent (the first reason counts); resolves when every subscriber has finished: files are sealed. */
  end(reason: EndReason): Promise<void>;
}
