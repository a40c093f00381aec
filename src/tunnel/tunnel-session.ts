// One RTMPT session (RTMPE 4.1, 4.3), sans-IO: puts requests in order, gives each exactly one answer and each of
// the tunnelled bytes exactly once. A repeated request hears the stored answer again; one that is ahead waits, within
// bounds; any other ends the session. Knows neither HTTP nor time. pure.
import { ProtocolError } from '../errors.ts';
import { PollingInterval } from './polling-interval.ts';
import { tunnelLimits } from './tunnel-limits.ts';
import type { TunnelVerb } from './tunnel-request.ts';

export interface CountedRequest {
  readonly verb: TunnelVerb;
  readonly sequence: number;
  /** Kept until it is taken: the caller gives it away. */
  readonly body: Uint8Array;
}

/** What to do next. `Exchange` is whatever the caller answers through. */
export type TunnelStep<Exchange> =
  /** Tunnelled bytes of the peer, in order. */
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'answer'; readonly exchange: Exchange; readonly body: Uint8Array }
  /** The peer has closed the tunnel, and was answered. */
  | { readonly type: 'closed' };

interface Held<Exchange> {
  readonly request: CountedRequest;
  /** More than one when the request was repeated. */
  readonly exchanges: Exchange[];
}

export class TunnelSession<Exchange> {
  readonly #interval = new PollingInterval();
  readonly #held = new Map<number, Held<Exchange>>();
  #heldBytes = 0;
  #heldLimit: number = tunnelLimits.heldBytesBeforeAuth;
  /** The sequence that is taken next; undefined until the first request has said where it begins. */
  #next: number | undefined;
  /** The first sequence that has not arrived. */
  #missing = 0;
  /** Taken, and waiting for its answer. */
  #current: Held<Exchange> | undefined;
  /** An answer to an empty `idle` need not wait any longer. */
  #pollOver = false;
  #lastAnswer: Uint8Array | undefined;
  #steps: TunnelStep<Exchange>[] = [];
  #output: Uint8Array[] = [];
  #outputSize = 0;
  #closed = false;

  /** Bytes that wait for the peer to fetch them. */
  get outputSize(): number {
    return this.#outputSize;
  }

  /** An `idle` waits for something to be said. */
  get polling(): boolean {
    return this.#current?.request.verb === 'idle' && !this.#pollOver;
  }

  /** Requests have arrived, and one before them has not. */
  get gapped(): boolean {
    return this.#held.size > 0 && !this.#held.has(this.#next ?? -1);
  }

  /** No request is waiting for an answer. */
  get silent(): boolean {
    return this.#current === undefined && this.#held.size === 0;
  }

  /** The peer has shown a good key and may send more at once. */
  admit(): void {
    this.#heldLimit = tunnelLimits.heldBytes;
  }

  /**
   * Takes note of a request that has arrived whole; next() tells what follows from it.
   * @throws ProtocolError TUNNEL_OUT_OF_ORDER when it is too early or too late; the tunnel is then dead.
   */
  receive(request: CountedRequest, exchange: Exchange): void {
    const { sequence } = request;
    // practice: clients begin at 0, the specification at 1. RTMPE 4.1
    if (this.#next === undefined && sequence <= 1) this.#next = this.#missing = sequence;
    const again = this.#current?.request.sequence === sequence ? this.#current : this.#held.get(sequence);
    if (again !== undefined) {
      if (again.exchanges.length > tunnelLimits.repeats) throw outOfOrder('a request was repeated too often');
      again.exchanges.push(exchange);
    } else if (this.#next !== undefined && sequence < this.#next) this.#repeat(sequence, exchange);
    else this.#hold(request, exchange);
  }

  /** Call it until it answers undefined; whoever wants no more bytes for now calls it later. */
  next(): TunnelStep<Exchange> | undefined {
    const step = this.#steps.shift();
    if (step !== undefined) return step;
    if (this.#current !== undefined) {
      if (!this.#mayAnswer(this.#current.request.verb)) return undefined;
      this.#answer(this.#current);
      return this.#steps.shift();
    }
    const following = this.#next === undefined ? undefined : this.#held.get(this.#next);
    if (following === undefined || this.#closed) return undefined;
    return this.#take(following);
  }

  /** Output for the peer, to be fetched with the next answers; the caller gives it away. */
  write(bytes: readonly Uint8Array[]): void {
    for (const piece of bytes) {
      this.#output.push(piece);
      this.#outputSize += piece.length;
    }
  }

  /** The time that an empty answer is held back is over. */
  endPoll(): void {
    this.#pollOver = true;
  }

  /** Ends the tunnel: whatever waits for an answer will get none from here. */
  abandon(): Exchange[] {
    this.#closed = true;
    const waiting = [this.#current, ...this.#held.values()].flatMap((held) => held?.exchanges ?? []);
    for (const step of this.#steps) if (step.type === 'answer') waiting.push(step.exchange);
    this.#current = undefined;
    this.#held.clear();
    this.#steps = [];
    this.#output = [];
    this.#heldBytes = this.#outputSize = 0;
    return waiting;
  }

  #repeat(sequence: number, exchange: Exchange): void {
    if (sequence + 1 !== this.#next || this.#lastAnswer === undefined) {
      throw outOfOrder('a request was repeated after a later one');
    }
    this.#steps.push({ type: 'answer', exchange, body: this.#lastAnswer });
  }

  #hold(request: CountedRequest, exchange: Exchange): void {
    if (request.sequence - this.#missing > tunnelLimits.heldAhead) {
      throw outOfOrder('a request is too far ahead of a missing one');
    }
    this.#heldBytes += request.body.length;
    if (this.#heldBytes > this.#heldLimit) throw outOfOrder('too many bytes wait for a missing request');
    this.#held.set(request.sequence, { request, exchanges: [exchange] });
    if (this.#next !== undefined) while (this.#held.has(this.#missing)) this.#missing += 1;
  }

  #take(held: Held<Exchange>): TunnelStep<Exchange> | undefined {
    const { verb, sequence, body } = held.request;
    this.#held.delete(sequence);
    this.#heldBytes -= body.length;
    this.#next = sequence + 1;
    this.#current = held;
    this.#pollOver = false;
    if (verb === 'send' && body.length > 0) return { type: 'bytes', bytes: body };
    return this.next(); // the body of the others is one byte without a meaning
  }

  /** `send` is answered at once: its sender waits. `idle` waits for output, for its time, or for the next request. */
  #mayAnswer(verb: TunnelVerb): boolean {
    return verb !== 'idle' || this.#outputSize > 0 || this.#pollOver || this.#held.has(this.#next ?? -1);
  }

  #answer({ request, exchanges }: Held<Exchange>): void {
    const closing = request.verb === 'close';
    const body = new Uint8Array(1 + this.#outputSize);
    body[0] = closing ? 0 : this.#interval.next(this.#outputSize === 0);
    let offset = 1;
    for (const piece of this.#output) {
      body.set(piece, offset);
      offset += piece.length;
    }
    this.#output = [];
    this.#outputSize = 0;
    this.#current = undefined;
    this.#lastAnswer = body;
    for (const exchange of exchanges) this.#steps.push({ type: 'answer', exchange, body });
    if (!closing) return;
    this.#closed = true;
    this.#steps.push({ type: 'closed' });
  }
}

function outOfOrder(message: string): ProtocolError {
  return new ProtocolError('TUNNEL_OUT_OF_ORDER', message, { clause: 'RTMPE 4.3' });
}
