// What connect tells of who it is, and what it is told: nothing, to sign in, or no. Keeps what publish needs of it.
// WIRE 6. Leaves out the answering itself (session.ts) and the checking of passwords and keys (keys/).
import { signInChallenge, signInFailed, type SignInStep, signInWanted } from '../command/access-manager.ts';
import type { StreamAddress } from '../command/stream-address.ts';
import type { ConnectionEvent } from '../connection/connection-event.ts';
import { RefusedError } from '../errors.ts';
import { type KeyGate, refusalDescription } from '../keys/key-gate.ts';
import { certificateRefusal, type Verdict } from '../keys/key-rule.ts';
import type { SignedIn } from '../keys/sign-in.ts';
import type { Log } from '../ops/log.ts';
import type { Transport } from '../transport/transport.ts';
import type { Contact, SignInMemory } from './sign-in-memory.ts';

export type ConnectEvent = Extract<ConnectionEvent, { type: 'connect' }>;
export type SigningIn = ConnectEvent & { readonly signIn: SignInStep };

export function isSigningIn(event: ConnectEvent): event is SigningIn {
  return event.signIn !== undefined;
}

/** A no, and how many milliseconds it waits. */
export interface ConnectRefusal {
  readonly error: RefusedError;
  readonly delay?: number | undefined;
}

export interface EntranceParts {
  readonly transport: Transport;
  readonly gate: Pick<KeyGate, 'signIn'>;
  readonly memory: SignInMemory;
  readonly log: Log;
}

/** The password was right, so this may be said. */
const otherStreamRefusal =
  'You signed in for another stream. Leave the stream key empty or enter the name of your stream there, and check ' +
  'the application in the server address.';

export class Entrance {
  readonly #parts: EntranceParts;
  /** Set when it connected with neither key nor credentials. */
  #bare: Contact | undefined;
  #signedIn: SignedIn | undefined;

  constructor(parts: EntranceParts) {
    this.#parts = parts;
  }

  get signedIn(): SignedIn | undefined {
    return this.#signedIn;
  }

  /** Why a connect without credentials is refused; undefined: it is not. */
  refuse(event: ConnectEvent): RefusedError | undefined {
    const { transport, memory } = this.#parts;
    if (transport.refusal !== undefined) return new RefusedError('DOOR_CLOSED', transport.refusal);
    if (!event.bare || transport.certificate !== undefined) return undefined; // a certificate needs no password
    const contact = this.#contactOf(event);
    if (memory.asks(contact)) return new RefusedError('SIGN_IN_REQUIRED', signInWanted('adobe'));
    this.#bare = contact;
    return undefined;
  }

  /** The same for one that signs in: twice the answer is a refusal that tells the client how to go on. */
  async signIn(event: SigningIn): Promise<ConnectRefusal | undefined> {
    const { transport, gate, memory, log } = this.#parts;
    const { method, user, answer, apps } = event.signIn;
    if (transport.refusal !== undefined) return { error: new RefusedError('DOOR_CLOSED', transport.refusal) };
    if (user === undefined) return { error: new RefusedError('SIGN_IN_REQUIRED', signInWanted(method)) };
    const contact = this.#contactOf(event);
    memory.answered(contact);
    const verdict = await gate.signIn({ ...contact, method, user, answer, apps, door: transport.door });
    if (verdict.outcome === 'challenged') {
      const description = signInChallenge(method, { ...verdict, user });
      return { error: new RefusedError('SIGN_IN_REQUIRED', description) };
    }
    if (verdict.outcome === 'refused') {
      log.warn('sign-in.refused', { reason: verdict.reason, key: verdict.keyId });
      return { error: new RefusedError('SIGN_IN_FAILED', signInFailed(method)), delay: verdict.delay };
    }
    memory.signedIn(contact);
    this.#signedIn = verdict;
    return undefined;
  }

  /** Takes what became of a publish, for the next connect from there. */
  remember({ app, name, key }: StreamAddress, verdict: Verdict): void {
    if (this.#bare === undefined || key !== undefined) return;
    const { memory } = this.#parts;
    if (verdict.granted) memory.keyShown(this.#bare);
    else if (verdict.reason === 'key-missing') memory.nameShown(this.#bare, `${app}/${name.reveal()}`);
  }

  /** What a refused publisher hears. */
  wordsFor({ reason, certificate }: Extract<Verdict, { granted: false }>): string {
    if (this.#signedIn !== undefined && reason === 'wrong-stream') return otherStreamRefusal;
    return certificate === undefined ? refusalDescription : certificateRefusal;
  }

  #contactOf({ app, flashVer }: ConnectEvent): Contact {
    return { address: this.#parts.transport.peer.address, app, encoder: flashVer };
  }
}
