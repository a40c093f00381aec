// The last three steps: RTMP handshake, connect, and publish with a key. Leaves before any media, so that a server
// has nothing to keep. The key is in what is sent and nowhere else.
import type { Secret } from '../bytes/secret.ts';
import { ClientConnection, type ClientStage } from '../connection/client-connection.ts';
import { ApplianceError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Random } from '../ops/random.ts';
import type { Carrier } from './carrier.ts';
import { doctorLimits } from './doctor-limits.ts';
import { encoderWords, type Finding, notTried } from './finding.ts';
import { tooLate, within } from './network.ts';
import type { StreamUrl } from './stream-url.ts';

export interface RtmpCheckParts {
  readonly clock: Clock;
  readonly random: Random;
  /** What is published: a stream key, or a name with one in its query. */
  readonly key: Secret | undefined;
  /** Why there is no key to try. */
  readonly keyUntried: string;
}

const stages: readonly ClientStage[] = ['handshaking', 'connecting', 'connected', 'published'];
/** As OBS has it. WIRE 5 */
const chunkSize = 4096;
const enoughToRecognise = 16;

export async function checkRtmp(
  url: StreamUrl,
  carrier: Carrier,
  parts: RtmpCheckParts,
): Promise<readonly Finding[]> {
  const conversation = new Conversation(url, carrier, parts);
  try {
    return await converse(url, conversation, parts);
  } finally {
    await conversation.leave();
  }
}

async function converse(
  url: StreamUrl,
  conversation: Conversation,
  { key, keyUntried }: RtmpCheckParts,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const shaken = await conversation.reach('connecting', doctorLimits.handshakeTime);
  if (shaken !== undefined) {
    const why = 'there is no RTMP connection';
    return [explainHandshake(url, shaken), ...notTried(['connect', 'key'], why)];
  }
  findings.push({ check: 'handshake', state: 'ok', says: url.encrypted ? 'RTMPE' : 'RTMP' });
  const connected = await conversation.reach('connected', doctorLimits.answerTime);
  if (connected !== undefined) {
    return [...findings, explainConnect(url, connected), ...notTried(['key'], 'connect was not accepted')];
  }
  findings.push({ check: 'connect', state: 'ok', says: `the application ${url.app} is served` });
  if (key === undefined) return [...findings, ...notTried(['key'], keyUntried)];
  const published = await conversation.reach('published', doctorLimits.answerTime);
  if (published !== undefined) return [...findings, explainKey(published)];
  const says = 'the key was accepted; nothing was published';
  return [...findings, { check: 'key', state: 'ok', says }];
}

/** Why a stage was not reached. */
interface Obstacle {
  readonly kind: 'silence' | 'refused' | 'ended' | 'garbled';
  /** The server's own words, or what was wrong with them. */
  readonly words: string;
  /** The first bytes that came. */
  readonly heard: Uint8Array;
}

class Conversation {
  readonly #carrier: Carrier;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #connection: ClientConnection;
  readonly #ended = Promise.withResolvers<void>();
  #changed = Promise.withResolvers<void>();
  #heard: Uint8Array = new Uint8Array(0);
  #obstacle: Omit<Obstacle, 'heard'> | undefined;

  constructor(url: StreamUrl, carrier: Carrier, { clock, random, key }: RtmpCheckParts) {
    this.#carrier = carrier;
    this.#clock = clock;
    this.#key = key?.reveal() ?? '';
    this.#connection = new ClientConnection({
      random: (length) => random.bytes(length),
      time: clock.monotonic(),
      version: url.encrypted ? 6 : 3,
      app: url.app,
      tcUrl: url.text,
      name: key?.reveal(),
      chunkSize,
    });
    carrier.start({
      bytes: (borrowed) => this.#receive(borrowed),
      end: (why) => {
        this.#meet({ kind: 'ended', words: why ?? '' });
        this.#ended.resolve();
      },
    });
    carrier.send(this.#connection.takeOutput());
  }

  /** Undefined when the stage is reached. */
  async reach(stage: ClientStage, milliseconds: number): Promise<Obstacle | undefined> {
    const deadline = this.#clock.monotonic() + milliseconds;
    while (stages.indexOf(this.#connection.stage) < stages.indexOf(stage)) {
      const left = deadline - this.#clock.monotonic();
      if (this.#obstacle === undefined && left > 0) {
        if ((await within(this.#clock, left, this.#changed.promise)) !== tooLate) continue;
      }
      return { ...(this.#obstacle ?? { kind: 'silence', words: '' }), heard: this.#heard };
    }
    return undefined;
  }

  /** Says goodbye as an encoder does, and waits until the server has heard it. */
  async leave(): Promise<void> {
    if (this.#connection.stage === 'published') {
      this.#connection.unpublish();
      this.#carrier.send(this.#connection.takeOutput());
    }
    this.#carrier.finish();
    await within(this.#clock, doctorLimits.leaveTime, this.#ended.promise);
    this.#carrier.destroy();
  }

  #receive(borrowed: Uint8Array): void {
    if (this.#heard.length < enoughToRecognise) {
      this.#heard = Buffer.concat([this.#heard, borrowed]).subarray(0, enoughToRecognise);
    }
    if (this.#obstacle?.kind === 'garbled') return;
    try {
      this.#connection.receive(borrowed);
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error;
      return this.#meet({ kind: 'garbled', words: error.message });
    }
    this.#carrier.send(this.#connection.takeOutput());
    for (
      let event = this.#connection.nextEvent();
      event !== undefined;
      event = this.#connection.nextEvent()
    ) {
      if (event.type === 'status' && event.level === 'error') {
        const words = event.description || event.code;
        // Servers like to repeat the name that they refuse.
        this.#meet({
          kind: 'refused',
          words: this.#key === '' ? words : words.replaceAll(this.#key, '[secret]'),
        });
      }
    }
    this.#wake();
  }

  #meet(obstacle: Omit<Obstacle, 'heard'>): void {
    this.#obstacle ??= obstacle;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function explainHandshake(url: StreamUrl, { kind, words, heard }: Obstacle): Finding {
  const failed = { check: 'handshake', state: 'failed', encoders: encoderWords.rtmpFailed } as const;
  const other = whoSpeaks(heard);
  if (other !== undefined && !url.tunnel) {
    const hint =
      other === 'TLS'
        ? `use rtmps:// in place of ${url.scheme}://`
        : 'take the port of a listener that accepts encoders, or stop what listens there';
    return { ...failed, says: `this is no RTMP server: it answers as ${other} does`, hint };
  }
  if (kind === 'silence') {
    return {
      ...failed,
      says: 'the server takes the connection and then says nothing',
      encoders: encoderWords.silent,
      hint:
        'something else may listen there; a load balancer in front of the server may wait for it, or it for a PROXY ' +
        'header (trustedProxies)',
    };
  }
  if (kind === 'garbled') {
    const hint = url.encrypted
      ? 'the server does not know RTMPE, or only a part of it; use rtmps://'
      : 'is this an RTMP server?';
    return { ...failed, says: `the handshake is broken: ${words}`, hint };
  }
  if (words.includes('CERTIFICATE_REQUIRED')) {
    const hint = 'the listener demands one of each encoder (tls.clientAuth: required); the doctor shows none';
    return {
      ...failed,
      says: 'the server wants a client certificate',
      encoders: encoderWords.tlsFailed,
      hint,
    };
  }
  return {
    ...failed,
    says: `the server ended the connection during the handshake${words === '' ? '' : ` (${words})`}`,
    hint: url.tunnel
      ? 'does the listener accept tunnels ("accept" in the configuration), and does a proxy on the way let POST requests through?'
      : 'does it speak RTMP at this port? A server that has locked this address out, or is full, hangs up the same ' +
        'way; its log says connection.refused then',
  };
}

function explainConnect({ scheme }: StreamUrl, { kind, words }: Obstacle): Finding {
  const failed = { check: 'connect', state: 'failed', encoders: encoderWords.rejected } as const;
  if (kind === 'refused') {
    const authentication = /authmod|AccessManager/i.test(words);
    return {
      ...failed,
      says: `the server refused: "${words}"`,
      hint: authentication
        ? 'this server wants a user and a password ("Use authentication" in OBS), which cannot be tried here'
        : `use the URL that it names; or let the listener accept ${scheme} ("accept" in the configuration)`,
    };
  }
  return { ...failed, ...unanswered(kind, words, 'connect') };
}

function explainKey({ kind, words }: Obstacle): Finding {
  const failed = { check: 'key', state: 'failed', encoders: encoderWords.rejected } as const;
  if (kind !== 'refused') return { ...failed, ...unanswered(kind, words, 'publish') };
  return {
    ...failed,
    says: `the server refused: "${words}"`,
    hint:
      'on the server, the log line publish.refused names the true reason, and `penstock key list` the keys: is it ' +
      'active, in its time, and for this application?',
  };
}

function unanswered(kind: Obstacle['kind'], words: string, command: string) {
  const said = words === '' ? '' : ` (${words})`;
  return kind === 'silence'
    ? { says: `the server does not answer ${command}`, hint: 'look at its log: is it overloaded?' }
    : { says: `the server ended the connection instead of answering ${command}${said}`, hint: 'see its log' };
}

function whoSpeaks(heard: Uint8Array): string | undefined {
  const text = Buffer.from(heard).toString('latin1');
  if (text.startsWith('HTTP/') || text.startsWith('<')) return 'a web server';
  if (text.startsWith('SSH-')) return 'an SSH server';
  if (/^(?:220|\* OK|\+OK)/.test(text)) return 'a mail or file server';
  // RFC 8446 5.1: an alert or a handshake record.
  return /^[\x15\x16]\x03/.test(text) ? 'TLS' : undefined;
}
