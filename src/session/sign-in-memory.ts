// Whether a connect without key and without credentials is to be asked to sign in. Encoders with user and password
// begin with the same connect as those whose key comes later, in the stream key field: only a refusal makes the former
// say more, and it stops the latter for good (WIRE 6). So it is asked where the operator or the address says so, and of
// encoders that have shown that they know a stream's name and no key. Pure over a Clock; memory is bounded.
import { addressGroup } from '../ops/address.ts';
import type { Clock } from '../ops/clock.ts';
import { sessionLimits } from './session-limits.ts';

/** Who connects, as far as that can be told before it says who it is. */
export interface Contact {
  readonly address: string;
  readonly app: string;
  /** flashVer: encoders behind one address are told apart where they can be. */
  readonly encoder: string;
}

interface Impression {
  /** `hint`: published a name without a key; `key`: a good one; `sign-in`: a good password. */
  kind: 'hint' | 'key' | 'sign-in';
  /** The stream that was named without a key, and how often. */
  stream: string;
  hints: number;
  /** Challenges since the last answer. */
  unanswered: number;
  /** Monotonic milliseconds. */
  until: number;
}

export class SignInMemory {
  readonly #clock: Clock;
  readonly #apps: ReadonlySet<string>;
  /** The one that was quiet for longest first. */
  readonly #impressions = new Map<string, Impression>();

  /** `apps`: applications whose encoders are always asked. */
  constructor(clock: Clock, apps: readonly string[]) {
    this.#clock = clock;
    this.#apps = new Set(apps);
  }

  /** Call it for each bare connect: it counts the challenges. */
  asks(contact: Contact): boolean {
    // APP/NAME in place of an application: no key in the stream key field could open anything there.
    if (contact.app.includes('/') || this.#apps.has(contact.app)) return true;
    const impression = this.#recall(contact);
    if (impression === undefined || impression.kind === 'key') return false;
    if (impression.kind === 'hint' && impression.hints < sessionLimits.signInHints) return false;
    if (impression.unanswered < sessionLimits.signInUnanswered) {
      impression.unanswered += 1;
      return true;
    }
    this.#impressions.delete(nameOf(contact)); // it has no credentials, or another encoder has come in its place
    return false;
  }

  /** It published the name of a stream that has keys, but no key. */
  nameShown(contact: Contact, stream: string): void {
    const impression = this.#recall(contact);
    if (impression !== undefined && impression.kind !== 'hint') return;
    const hints = impression?.stream === stream ? impression.hints + 1 : 1;
    this.#keep(contact, { kind: 'hint', stream, hints, unanswered: 0 }, sessionLimits.signInHintTime);
  }

  /** It published with a good key: whoever comes from there is let in as before. */
  keyShown(contact: Contact): void {
    this.#keep(contact, { kind: 'key', stream: '', hints: 0, unanswered: 0 }, sessionLimits.signInMemory);
  }

  /** It goes on with the dance, so it has credentials. */
  answered(contact: Contact): void {
    const impression = this.#recall(contact);
    if (impression !== undefined) impression.unanswered = 0;
  }

  /** Its password was right. Nothing is learnt from who did not need to be asked. */
  signedIn(contact: Contact): void {
    const kind = this.#recall(contact)?.kind;
    if (kind === undefined || kind === 'key') return;
    this.#keep(contact, { kind: 'sign-in', stream: '', hints: 0, unanswered: 0 }, sessionLimits.signInMemory);
  }

  /** Encoders remembered. */
  get size(): number {
    return this.#impressions.size;
  }

  #recall(contact: Contact): Impression | undefined {
    const impression = this.#impressions.get(nameOf(contact));
    return impression !== undefined && this.#clock.monotonic() < impression.until ? impression : undefined;
  }

  #keep(contact: Contact, impression: Omit<Impression, 'until'>, time: number): void {
    const name = nameOf(contact);
    this.#impressions.delete(name);
    this.#impressions.set(name, { ...impression, until: this.#clock.monotonic() + time });
    const [quietest] = this.#impressions.keys();
    if (this.#impressions.size > sessionLimits.signInEncoders && quietest !== undefined)
      this.#impressions.delete(quietest);
  }
}

function nameOf({ address, app, encoder }: Contact): string {
  return `${addressGroup(address)}\n${app}\n${encoder}`;
}
