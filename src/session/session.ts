// Drives one connection over one transport: asks the gate, plugs into the hub, and says farewell. The bytes
// it is handed are borrowed: media goes straight through the connection into the publication.
import { commandLimits } from '../command/command-limits.ts';
import type { ConnectionEvent } from '../connection/connection-event.ts';
import { ServerConnection } from '../connection/server-connection.ts';
import type { Transport } from '../transport/transport.ts';
import { RefusedError, TransportError } from '../errors.ts';
import type { Tag } from '../flv/tag.ts';
import type { EndReason } from '../hub/publication.ts';
import type { StreamHub } from '../hub/stream-hub.ts';
import type { KeyGate } from '../keys/key-gate.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Random } from '../ops/random.ts';
import { Entrance, isSigningIn, type SigningIn } from './entrance.ts';
import { farewellFor, logFarewell, type StrangerLines } from './farewell.ts';
import { beginPublishing, countTag, endReasonOf, type Publishing } from './publishing.ts';
import type { SignInMemory } from './sign-in-memory.ts';
import { concerns, type Withdrawal, withdrawalRefusal } from './withdrawal.ts';

export interface SessionLimits {
  /** Milliseconds from accept to the end of the RTMP handshake, TLS included. */
  readonly handshakeTimeout: number;
  /** Milliseconds from the handshake to an accepted publish. */
  readonly commandTimeout: number;
  /** Milliseconds that a publisher may send no media. */
  readonly idleTimeout: number;
  /** Largest message of a publisher, in bytes. */
  readonly messageSize: number;
}

export interface SessionParts {
  readonly id: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: SessionLimits;
  readonly gate: KeyGate;
  readonly hub: StreamHub;
  readonly signIns: SignInMemory;
  /** For the ends of sessions that never published: any stranger can cause those. */
  readonly lines: StrangerLines;
  /** Called once a publication is live, and once more when it has ended. */
  readonly onPublishing: (session: Session, publishing: Publishing) => void;
  readonly onUnpublished: (session: Session, publishing: Publishing) => void;
  /** Called exactly once, when the connection is gone and every file of it is sealed. */
  readonly onEnd: (session: Session) => void;
}

type RequestEvent<Type> = Extract<ConnectionEvent, { type: Type }>;

export class Session {
  readonly id: string;
  readonly transport: Transport;
  readonly #parts: SessionParts;
  readonly #log: Log;
  readonly #connection: ServerConnection;
  readonly #entrance: Entrance;
  readonly #publishings = new Map<number, Publishing>();
  /** What must be over before the session is: requests at the gate, and files that are being sealed. */
  readonly #unfinished = new Set<Promise<void>>();
  #deadline: { readonly at: number; readonly error: TransportError | RefusedError } | undefined;
  #flashVer = '';
  #hasPublished = false;
  /** The request that waits for the gate and the recorder. */
  #asking: number | undefined;
  /** Keys that were withdrawn meanwhile: the gate may have looked at them just before. */
  readonly #withdrawn: Withdrawal[] = [];
  #holds = 0;
  #over = false;
  #reason: EndReason = 'publisher-lost';
  #now: number;

  constructor(transport: Transport, parts: SessionParts) {
    this.id = parts.id;
    this.transport = transport;
    this.#parts = parts;
    this.#log = parts.log.with({ session: parts.id, peer: transport.peer.address, door: transport.door });
    this.#entrance = new Entrance({ transport, gate: parts.gate, memory: parts.signIns, log: this.#log });
    this.#now = parts.clock.monotonic();
    this.#connection = new ServerConnection({
      random: (length) => parts.random.bytes(length),
      time: this.#now,
      messageSize: parts.limits.messageSize,
      onTag: (streamId, tag) => this.#forward(streamId, tag),
    });
    this.#deadline = {
      at: transport.acceptedAt + parts.limits.handshakeTimeout,
      error: new TransportError('HANDSHAKE_TIMEOUT', 'the handshake was not finished in time'),
    };
  }

  get publishings(): Iterable<Publishing> {
    return this.#publishings.values();
  }

  start(): void {
    this.#log.debug('session.opened');
    this.transport.start({
      bytes: (borrowed) => this.#receive(borrowed),
      end: (error) => this.#ended(error),
    });
  }

  /** Looks at the clock: deadlines and silence. Called about twice a second. */
  tick(): void {
    const { clock, limits } = this.#parts;
    const monotonic = clock.monotonic();
    if (this.#deadline !== undefined && monotonic >= this.#deadline.at) return this.end(this.#deadline.error);
    for (const publishing of this.#publishings.values()) {
      if (this.#holds > 0) publishing.lastMedia = monotonic; // it is we who do not read
      if (monotonic - publishing.lastMedia >= limits.idleTimeout) {
        return this.end(new TransportError('IDLE_TIMEOUT', 'the publisher sent no media for too long'));
      }
      const breach = publishing.limits?.breach(monotonic, publishing.bytes);
      if (breach !== undefined) return this.end(breach, 'limited');
    }
  }

  /** Something no longer holds, perhaps what this session was let in with. */
  keyWithdrawn(withdrawal: Withdrawal): void {
    if (this.#asking !== undefined) this.#withdrawn.push(withdrawal);
    for (const publishing of this.#publishings.values()) {
      if (concerns(withdrawal, publishing)) return this.end(withdrawalRefusal(withdrawal), 'revoked');
    }
  }

  /** Ends the session for a reason that the peer is told, where it can be. Idempotent. */
  end(error: unknown, reason: EndReason = 'publisher-lost'): void {
    if (this.#over) return;
    this.#over = true;
    this.#reason = reason;
    const { tell } = farewellFor(error);
    if (tell !== undefined) {
      if (reason === 'shutdown') this.#connection.requestReconnect(tell.description);
      for (const streamId of this.#publishings.keys()) {
        this.#connection.dismiss(streamId, tell.code, tell.description);
      }
      if (this.#asking !== undefined) this.#connection.refuse(this.#asking, tell.code, tell.description);
    }
    this.#sayGoodbye(error);
    for (const streamId of this.#publishings.keys()) this.#unpublish(streamId, reason);
  }

  #receive(borrowed: Uint8Array): void {
    if (this.#over) return;
    this.#now = this.#parts.clock.monotonic();
    try {
      this.#connection.receive(borrowed, this.#now);
      this.#drain();
    } catch (error) {
      this.end(error, endReasonOf(error));
    }
  }

  /** The hot path: a tag of an accepted publication, borrowed. */
  #forward(streamId: number, tag: Tag): void {
    const publishing = this.#publishings.get(streamId);
    if (publishing === undefined) return;
    countTag(publishing, tag, this.#now);
    publishing.publication.write(tag);
  }

  #drain(): void {
    let event = this.#connection.nextEvent();
    while (event !== undefined && !this.#over) {
      this.#handle(event);
      event = this.#connection.nextEvent();
    }
    this.transport.write(this.#connection.takeOutput());
  }

  #handle(event: ConnectionEvent): void {
    switch (event.type) {
      case 'handshaken':
        this.#deadline = {
          at: this.#now + this.#parts.limits.commandTimeout,
          error: new TransportError('COMMAND_TIMEOUT', 'no publish command came in time'),
        };
        return;
      case 'connect':
        this.#flashVer = event.flashVer;
        if (isSigningIn(event)) this.#finishBeforeEnd(this.#signIn(event));
        else {
          const refusal = this.#entrance.refuse(event);
          if (refusal === undefined) this.#connection.accept(event.request);
          else this.#refuse(event.request, refusal);
        }
        return;
      case 'publish':
        this.#finishBeforeEnd(this.#publish(event));
        return;
      case 'play':
        this.#refuse(event.request, new RefusedError('PLAYING_UNSUPPORTED', 'the client asked to play'));
        return;
      case 'metadata': {
        const publishing = this.#publishings.get(event.streamId);
        const encoder = event.properties.get('encoder');
        if (publishing !== undefined && typeof encoder === 'string')
          publishing.encoder = encoder.slice(0, commandLimits.flashVerLength);
        return;
      }
      case 'unpublish-announced': {
        const publishing = this.#publishings.get(event.streamId);
        if (publishing !== undefined) publishing.ending = true;
        return;
      }
      case 'stream-closed':
        this.#unpublish(event.streamId, 'unpublished');
        if (this.#publishings.size > 0) return; // another stream of this connection is live
        this.#deadline = {
          at: this.#now + this.#parts.limits.commandTimeout,
          error: new TransportError('COMMAND_TIMEOUT', 'no other publish command came in time'),
        };
    }
  }

  async #signIn(event: SigningIn): Promise<void> {
    this.#hold();
    this.#asking = event.request;
    try {
      const refusal = await this.#entrance.signIn(event);
      if (this.#over) return;
      if (refusal !== undefined) return this.#refuseLate(refusal.error, refusal.delay);
      this.#asking = undefined;
      this.#connection.accept(event.request);
      this.#drain();
    } catch (error) {
      this.end(error);
    } finally {
      this.#release();
    }
  }

  async #publish(event: RequestEvent<'publish'>): Promise<void> {
    this.#hold(); // nothing is read until the answer is out
    this.#asking = event.request;
    this.#withdrawn.length = 0;
    try {
      const publishing = await this.#openPublication(event);
      if (publishing === undefined) return;
      const withdrawn = this.#withdrawn.find((one) => concerns(one, publishing));
      if (withdrawn !== undefined) this.end(withdrawalRefusal(withdrawn), 'revoked');
      if (this.#over) {
        await publishing.publication.end(this.#reason);
        return;
      }
      this.#asking = undefined;
      this.#publishings.set(event.streamId, publishing);
      this.#hasPublished = true;
      this.#deadline = undefined;
      const { stream, keyId: key, certificate } = publishing;
      this.#log.info('publish.started', { stream, key, certificate });
      this.#parts.onPublishing(this, publishing);
      this.#now = this.#parts.clock.monotonic();
      this.#connection.accept(event.request); // frames that came early are delivered in here
      this.#drain();
      this.transport.admit();
    } catch (error) {
      this.end(error, endReasonOf(error));
    } finally {
      this.#release();
    }
  }

  /**
   * Undefined when there is no answer to give: the session ended while the gate was asked (who is gone must not
   * take a stream over), or a guesser waits for its refusal.
   */
  async #openPublication(event: RequestEvent<'publish'>): Promise<Publishing | undefined> {
    const { gate, hub, clock } = this.#parts;
    const { transport } = this;
    const verdict = await gate.check({
      right: 'publish',
      ...event.address,
      signedIn: this.#entrance.signedIn,
      certificate: transport.certificate,
      address: transport.peer.address,
      tls: transport.tls,
      door: transport.door,
      encoder: this.#flashVer,
    });
    this.#entrance.remember(event.address, verdict);
    if (!verdict.granted) {
      const { reason, keyId: key, certificate } = verdict;
      this.#log.warn('publish.refused', { reason, key, certificate });
      this.#refuseLate(new RefusedError('KEY_REFUSED', this.#entrance.wordsFor(verdict)), verdict.delay);
      return undefined;
    }
    if (this.#over) return undefined;
    const { stream, keyId } = verdict;
    const publication = await hub.publish(stream, {
      label: this.id,
      keyId,
      origin: {
        session: this.id,
        address: transport.peer.address,
        door: transport.door,
        tls: transport.tlsFacts,
        encoder: this.#flashVer,
      },
      pause: () => this.#hold(),
      resume: () => this.#release(),
      evict: () => this.end(new RefusedError('STREAM_TAKEN_OVER', 'a newer session took over'), 'replaced'),
      tell: ({ code, description }) => {
        this.#connection.notify(event.streamId, code, description);
        transport.write(this.#connection.takeOutput());
      },
    });
    return beginPublishing(publication, verdict, {
      encoder: this.#flashVer,
      now: clock.now(),
      monotonic: clock.monotonic(),
    });
  }

  /** Answers the open request with no: at once, or for a guesser after so many milliseconds. */
  #refuseLate(error: RefusedError, delay = 0): void {
    if (delay === 0) return this.end(error);
    this.#hold(); // for good: nothing more is read from a guesser
    this.#deadline = { at: this.#parts.clock.monotonic() + delay, error };
  }

  /** Answers a request with no, and ends the session. */
  #refuse(request: number, error: RefusedError): void {
    this.#asking = request;
    this.end(error);
  }

  #sayGoodbye(error: unknown): void {
    this.#deadline = undefined;
    this.#connection.close();
    this.transport.write(this.#connection.takeOutput());
    this.transport.close();
    logFarewell(this.#log, error, this.#hasPublished ? undefined : this.#parts.lines);
  }

  #ended(error: Error | undefined): void {
    if (error !== undefined) this.end(error);
    this.#over = true;
    this.#connection.close();
    // A tunnel is closed in words, and FFmpeg has no others there (RTMPE 4.2); a socket that ends says nothing.
    const closed = error === undefined && ['rtmpt', 'rtmpts', 'rtmpte'].includes(this.transport.door);
    const reason = closed ? 'unpublished' : 'publisher-lost';
    for (const streamId of this.#publishings.keys()) this.#unpublish(streamId, reason);
    this.#log.debug('session.closed');
    void Promise.all(this.#unfinished).then(() => this.#parts.onEnd(this));
  }

  #unpublish(streamId: number, why: EndReason): void {
    const publishing = this.#publishings.get(streamId);
    if (publishing === undefined) return;
    const reason = why === 'publisher-lost' && publishing.ending ? 'unpublished' : why;
    this.#publishings.delete(streamId);
    const seconds = Math.round((this.#parts.clock.now() - publishing.since) / 1000);
    const { stream, keyId: key, bytes } = publishing;
    this.#log.info('publish.ended', { stream, key, reason, seconds, bytes });
    this.#finishBeforeEnd(
      publishing.publication.end(reason).finally(() => this.#parts.onUnpublished(this, publishing)),
    );
  }

  #finishBeforeEnd(work: Promise<void>): void {
    const finished = work.finally(() => this.#unfinished.delete(finished));
    this.#unfinished.add(finished);
  }

  #hold(): void {
    if (this.#holds++ === 0) this.transport.pause();
  }

  #release(): void {
    if (--this.#holds === 0 && !this.#over) this.transport.resume();
  }
}
