import { describe, expect, it } from 'vitest';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { Secret } from '../../src/bytes/secret.ts';
import { limitsBeforeAuth } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { readCommand } from '../../src/command/command-message.ts';
import { MessageOutput } from '../../src/connection/message-output.ts';
import type { Carrier, CarrierReceiver } from '../../src/doctor/carrier.ts';
import { checkRtmp } from '../../src/doctor/rtmp-check.ts';
import { parseStreamUrl } from '../../src/doctor/stream-url.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { settled } from '../support/settled.ts';

type Answer = (output: MessageOutput, transactionId: number) => void;
const status = (level: string, code: string, description: string) =>
  new AmfObject(Object.entries({ level, code, description }) as [string, AmfValue][]);
const yes: Record<string, Answer> = {
  connect: (output, id) => output.command(0, '_result', id, null, new AmfObject([])),
  createStream: (output, id) => output.command(0, '_result', id, null, 1),
  publish: (output) => output.status(1, 'NetStream.Publish.Start', 'go on'),
};

/** A server that is written down in the test: what it does with each command. Without any it never speaks. */
class ScriptedCarrier implements Carrier {
  readonly asked: string[] = [];
  finished = false;
  readonly #answers: Record<string, Answer> | undefined;
  readonly #output = new MessageOutput();
  readonly #reader: ChunkReader;
  #receiver!: CarrierReceiver;
  #skip = 1 + 2 * 1536; // C0 C1 C2

  constructor(answers?: Record<string, Answer>) {
    this.#answers = answers;
    this.#reader = new ChunkReader(limitsBeforeAuth, ({ type, payload }) => {
      if (type !== 20) return;
      const { name, transactionId } = readCommand(type, payload);
      this.asked.push(name);
      this.#answers?.[name]?.(this.#output, transactionId);
    });
  }

  start(receiver: CarrierReceiver): void {
    this.#receiver = receiver;
    if (this.#answers !== undefined)
      void settled().then(() => this.say(new Uint8Array(1 + 2 * 1536).fill(3, 0, 1)));
  }

  send(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      const skipped = Math.min(this.#skip, piece.length);
      this.#skip -= skipped;
      this.#reader.read(piece.subarray(skipped));
    }
    void settled().then(() => {
      for (const piece of this.#output.take()) this.say(piece);
    });
  }

  say(bytes: Uint8Array): void {
    this.#receiver.bytes(bytes);
  }

  hangUp(why?: string): void {
    this.#receiver.end(why);
  }

  finish(): void {
    this.finished = true;
    this.hangUp();
  }

  destroy(): void {
    this.finished = true;
  }
}

async function check(
  carrier: ScriptedCarrier,
  {
    key,
    turn,
    url = 'rtmp://h.example/live',
  }: { key?: string; turn?: (clock: FakeClock) => void; url?: string } = {},
) {
  const clock = new FakeClock();
  const checking = checkRtmp(parseStreamUrl(url), carrier, {
    clock,
    random: { bytes: seededRandom('doctor') },
    key: key === undefined ? undefined : new Secret(key),
    keyUntried: 'no key was given',
  });
  for (let turns = 0; turns < 10; turns += 1) await settled();
  turn?.(clock);
  const findings = await checking;
  expect(carrier.finished).toBe(true);
  return { findings, states: findings.map((one) => `${one.check} ${one.state}`), last: findings.at(-1) };
}

describe('an examination over RTMP', () => {
  it('stops after connect when there is no key', async () => {
    const carrier = new ScriptedCarrier(yes);
    const { states, last } = await check(carrier);
    expect(states).toEqual(['handshake ok', 'connect ok', 'key not-tried']);
    expect(last?.says).toBe('no key was given');
    expect(carrier.asked).toEqual(['connect']);
  });

  it('with a key publishes, and leaves before any media', async () => {
    const carrier = new ScriptedCarrier(yes);
    const { states } = await check(carrier, { key: 'secret' });
    expect(states).toEqual(['handshake ok', 'connect ok', 'key ok']);
    expect(carrier.asked.join(' ')).toBe(
      'connect releaseStream FCPublish createStream publish FCUnpublish deleteStream',
    );
  });

  it('repeats what the server says of a refusal, without the key', async () => {
    const publish: Answer = (output) => output.status(1, 'NetStream.Publish.BadName', 'secret-7 is no key');
    const { states, last } = await check(new ScriptedCarrier({ ...yes, publish }), { key: 'secret-7' });
    expect(states).toEqual(['handshake ok', 'connect ok', 'key failed']);
    expect(last?.says).toBe('the server refused: "[secret] is no key"');
    expect(last?.hint).toContain('publish.refused');
  });

  it.each([
    ['clear-text RTMP is switched off here', /use the URL that it names/],
    ['[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ]', /Use authentication/],
  ])('tells why connect was refused: %s', async (words, hint) => {
    const connect: Answer = (output, id) =>
      output.command(0, '_error', id, null, status('error', 'NetConnection.Connect.Rejected', words));
    const { states, last, findings } = await check(new ScriptedCarrier({ connect }), { key: 'secret' });
    expect(states).toEqual(['handshake ok', 'connect failed', 'key not-tried']);
    expect(findings[1]?.says).toContain(words);
    expect(findings[1]?.hint).toMatch(hint);
    expect(last?.says).toBe('connect was not accepted');
  });

  it('does not wait for ever: not for connect, not for publish', async () => {
    const mute = await check(new ScriptedCarrier({}), { turn: (clock) => clock.advance(12_000) });
    expect(mute.findings[1]?.says).toBe('the server does not answer connect');
    const undecided = new ScriptedCarrier({ ...yes, publish: () => undefined });
    const { last } = await check(undecided, { key: 'secret', turn: (clock) => clock.advance(12_000) });
    expect(last?.says).toBe('the server does not answer publish');
  });

  it('tells of a server that hangs up instead of an answer', async () => {
    const carrier = new ScriptedCarrier({ connect: () => void setImmediate(() => carrier.hangUp()) });
    expect((await check(carrier)).findings[1]?.says).toContain(
      'ended the connection instead of answering connect',
    );
  });
});

describe('no RTMP', () => {
  const says = async (bytes: string, turn?: (clock: FakeClock) => void, url?: string) => {
    const carrier = new ScriptedCarrier();
    void settled().then(() => {
      if (bytes !== '') carrier.say(Buffer.from(bytes, 'latin1'));
      if (turn === undefined) carrier.hangUp();
    });
    const { states, findings } = await check(carrier, {
      ...(turn && { turn }),
      ...(url !== undefined && { url }),
    });
    expect(states).toEqual(['handshake failed', 'connect not-tried', 'key not-tried']);
    return `${findings[0]?.says}; ${findings[0]?.hint}`;
  };

  it.each([
    ['HTTP/1.1 400 Bad Request\r\n\r\n', /answers as a web server does/],
    ['SSH-2.0-OpenSSH_9.2\r\n', /answers as an SSH server does/],
    ['220 mail.example ESMTP\r\n', /answers as a mail or file server does/],
    ['\x15\x03\x01\x00\x02\x02\x46', /answers as TLS does; use rtmps:\/\/ in place of rtmp:/],
    ['\x07', /handshake is broken/],
    ['', /ended the connection during the handshake; .*connection\.refused/],
  ])('but %j', async (bytes, words) => expect(await says(bytes)).toMatch(words));

  it('without a client certificate: TLS 1.3 says so after the handshake', async () => {
    const carrier = new ScriptedCarrier();
    void settled().then(() => carrier.hangUp('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'));
    expect((await check(carrier)).findings[0]?.says).toBe('the server wants a client certificate');
  });

  it('but silence', async () => {
    expect(await says('', (clock) => clock.advance(8000))).toContain('and then says nothing');
  });

  it('but a server that knows no RTMPE', async () => {
    expect(await says('\x03', undefined, 'rtmpe://h.example/live')).toMatch(/broken.*does not know RTMPE/);
  });
});
