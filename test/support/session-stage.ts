// Sessions on a stage: a gate and a recorder that answer when the test says so, the real hub between them, and an
// encoder that speaks to a session without a network.
import { ClientConnection, type ClientEvent } from '../../src/connection/client-connection.ts';
import type { HandshakeVersion } from '../../src/handshake/handshake-packet.ts';
import type { EndReason, Publication, Subscription } from '../../src/hub/publication.ts';
import { createStreamHub } from '../../src/hub/stream-hub.ts';
import type { KeyGate, SignInVerdict, WithdrawalReason } from '../../src/keys/key-gate.ts';
import type { AccessRequest, Verdict } from '../../src/keys/key-rule.ts';
import type { SignInRequest } from '../../src/keys/sign-in.ts';
import { LineBudget } from '../../src/ops/line-budget.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import type { Publishing } from '../../src/session/publishing.ts';
import { Session, type SessionLimits } from '../../src/session/session.ts';
import { SignInMemory } from '../../src/session/sign-in-memory.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryTransport, type MemoryTransportOptions } from './memory-transport.ts';
import { RecordedLog } from './recorded-log.ts';
import { seededRandom } from './seeded-random.ts';
import { settled } from './settled.ts';

/** Something that can be made to wait. */
class Latch {
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;

  shut(): void {
    ({ promise: this.#opened, resolve: this.#open } = Promise.withResolvers<void>());
  }

  open(): void {
    this.#open();
  }

  passed(): Promise<void> {
    return this.#opened;
  }
}

type WithdrawalListener = (keyId: KeyId, why: WithdrawalReason, upTo: number, certificate?: string) => void;

/** Grants what it was told to grant, and refuses the rest as unknown. */
class FakeGate implements KeyGate {
  readonly latch = new Latch();
  readonly requests: AccessRequest[] = [];
  readonly listeners = new Set<WithdrawalListener>();
  readonly verdicts = new Map<string, Verdict | Error>();
  readonly signIns: SignInRequest[] = [];
  /** By the response that earns them. */
  readonly signInVerdicts = new Map<string, SignInVerdict>();

  grant(secret: string, stream: string, keyId: string): void {
    const granted = { granted: true, stream: stream as StreamName, keyId: keyId as KeyId, generation: 1 };
    this.verdicts.set(secret, granted as Verdict);
  }

  async check(request: AccessRequest): Promise<Verdict> {
    this.requests.push(request);
    const verdict = this.verdicts.get((request.key ?? request.name).reveal());
    await this.latch.passed();
    if (verdict instanceof Error) throw verdict;
    return verdict ?? { granted: false, reason: 'unknown-key' };
  }

  async signIn(request: SignInRequest): Promise<SignInVerdict> {
    this.signIns.push(request);
    await this.latch.passed();
    const { answer } = request;
    return answer === undefined
      ? { outcome: 'challenged', salt: 'salt', nonce: 'nonce' }
      : (this.signInVerdicts.get(answer.response) ?? {
          outcome: 'refused',
          granted: false,
          reason: 'wrong-secret',
        });
  }

  onWithdrawn(listener: WithdrawalListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  withdraw(keyId: string, why: WithdrawalReason, certificate?: string): void {
    for (const listener of this.listeners) listener(keyId as KeyId, why, Infinity, certificate);
  }

  turnsAway(): boolean {
    return false;
  }

  async close(): Promise<void> {}
}

/** One recording: what came, how it ended, and whether it is sealed. */
export interface Take {
  readonly publication: Publication;
  readonly subscription: Subscription;
  readonly tags: string[];
  reason?: EndReason | 'subscriber-failed';
  sealed: boolean;
}

class FakeRecorder {
  /** Shut: recordings do not open. */
  readonly opening = new Latch();
  /** Shut: recordings are not sealed. */
  readonly sealing = new Latch();
  readonly takes: Take[] = [];
  /** Thrown at the next opening. */
  failure: Error | undefined;
  /** Thrown at the next tag. */
  bug: Error | undefined;

  async record(publication: Publication): Promise<void> {
    await this.opening.passed();
    if (this.failure !== undefined) throw this.failure;
    const tags: string[] = [];
    const subscription = publication.subscribe({
      label: 'recorder',
      write: ({ type, timestamp, body }) => {
        if (this.bug !== undefined) throw this.bug;
        tags.push(`${type}@${timestamp}: ${Buffer.from(body).toString('hex')}`);
      },
      end: async (reason) => {
        take.reason = reason;
        await this.sealing.passed();
        take.sealed = true;
      },
    });
    const take: Take = { publication, subscription, tags, sealed: false };
    this.takes.push(take);
  }
}

/** The far end of a memory transport. */
export class StageEncoder {
  readonly transport: MemoryTransport;
  readonly client: ClientConnection;
  readonly events: ClientEvent[] = [];
  /** All that was written to it, behind the handshake too: no secret may be in there. */
  heard = '';

  constructor(transport: MemoryTransport, name: string, app = 'live', version: HandshakeVersion = 3) {
    this.transport = transport;
    this.client = new ClientConnection({
      random: seededRandom(name),
      time: 0,
      version,
      app,
      tcUrl: `rtmps://h/${app}`,
      name,
      chunkSize: 4096,
    });
  }

  /** Both ends speak until neither has anything to say, or to wait for. */
  async talk(): Promise<void> {
    for (let quiet = false; !quiet;) {
      const up = Buffer.concat(this.client.takeOutput());
      if (up.length > 0) this.transport.send(up);
      await settled();
      quiet = !this.listen() && up.length === 0;
    }
  }

  /** Takes what has been written. True if anything had. */
  listen(): boolean {
    const down = this.transport.take();
    this.heard += Buffer.from(down).toString('latin1');
    this.client.receive(down);
    for (let event = this.client.nextEvent(); event !== undefined; event = this.client.nextEvent())
      this.events.push(event);
    return down.length > 0;
  }

  /** Codes it was told, `published` for Publish.Start. */
  get told(): readonly string[] {
    return this.events.map((event) => (event.type === 'status' ? event.code : event.type));
  }

  /** The last status in words. */
  get lastWords(): string | undefined {
    const last = this.events.at(-1);
    return last?.type === 'status' ? last.description : undefined;
  }
}

export const stageLimits: SessionLimits = {
  handshakeTimeout: 10_000,
  commandTimeout: 15_000,
  idleTimeout: 30_000,
  messageSize: 8 * 1024 * 1024,
};

export const secretOf = (name: string) => `psk_7h2kq9d4_${name.padEnd(26, '0')}`;

export function openStage() {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const hub = createStreamHub({ clock, log });
  const gate = new FakeGate();
  const recorder = new FakeRecorder();
  hub.onPublish((publication) => recorder.record(publication));
  for (const name of ['one', 'two', 'three']) gate.grant(secretOf(name), `live/${name}`, `key-${name}`);
  const signIns = new SignInMemory(clock, ['studio']);
  const lines = new LineBudget<'refused' | 'ended'>(clock, 3);
  const published: Publishing[] = [];
  const unpublished: Publishing[] = [];
  const over: Session[] = [];
  let count = 0;

  /** A session on any transport. */
  const serve = (transport: Transport) => {
    const session: Session = new Session(transport, {
      id: `s${(count += 1)}`,
      clock,
      random: { bytes: seededRandom(`session ${count}`) },
      log,
      limits: stageLimits,
      gate,
      hub,
      signIns,
      lines,
      onPublishing: (_, publishing) => void published.push(publishing),
      onUnpublished: (_, publishing) => void unpublished.push(publishing),
      onEnd: () => over.push(session),
    });
    gate.onWithdrawn((keyId, why, upTo, certificate) =>
      session.keyWithdrawn({ keyId, why, upTo, certificate }),
    );
    session.start();
    return session;
  };

  /** A connection of an encoder that will publish with this key. */
  const connect = (
    name = secretOf('one'),
    options: MemoryTransportOptions & { readonly app?: string; readonly version?: HandshakeVersion } = {},
  ) => {
    const transport = new MemoryTransport({ acceptedAt: clock.monotonic(), ...options });
    const session = serve(transport);
    const encoder = new StageEncoder(transport, name, options.app, options.version);
    return { transport, session, encoder };
  };

  /** A connection whose publication is live, and its recording. */
  const publish = async (name = secretOf('one'), options: MemoryTransportOptions = {}) => {
    const connected = connect(name, options);
    await connected.encoder.talk();
    const take = recorder.takes.at(-1);
    if (connected.encoder.told[0] !== 'published' || take === undefined)
      throw new Error(`not live: ${connected.encoder.told.join()}`);
    return { ...connected, take };
  };

  /** Every log line and everything that was said to these encoders, for secrets to be searched in. */
  const secretsIn = (...encoders: readonly StageEncoder[]) =>
    [JSON.stringify(log.lines), ...encoders.map(({ heard }) => heard)].filter((text) =>
      /psk_|one000|two000|three00/.test(text),
    );

  return {
    clock,
    log,
    hub,
    gate,
    recorder,
    published,
    unpublished,
    over,
    serve,
    connect,
    publish,
    secretsIn,
  };
}
