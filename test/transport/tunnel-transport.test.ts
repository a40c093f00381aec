import { describe, expect, it } from 'vitest';
import { transportLimits } from '../../src/transport/transport-limits.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { type Carrier, type Exchange, TunnelTransport } from '../../src/transport/tunnel-transport.ts';
import type { ApplianceError } from '../../src/errors.ts';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import type { TunnelVerb } from '../../src/tunnel/tunnel-request.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { testOrigin } from '../support/test-origin.ts';

/** A request that notes what becomes of it. */
class TestExchange implements Exchange {
  readonly carrier: Carrier;
  readonly #body: string;
  answered: string | undefined;
  refused = false;
  isRead = false;
  held = 0;

  constructor(body: string, carrier: Carrier) {
    this.#body = body;
    this.carrier = carrier;
  }

  read(done: (body: Uint8Array) => void): void {
    this.isRead = true;
    done(Buffer.from(this.#body, 'latin1'));
  }

  hold(): void {
    this.held += 1;
  }

  release(): void {
    this.held -= 1;
  }

  answer(body: Uint8Array): void {
    if (this.answered !== undefined || this.refused) throw new Error('a second answer');
    this.answered = `${body[0]}${Buffer.from(body.subarray(1)).toString('latin1')}`;
  }

  refuse(): void {
    if (this.answered !== undefined || this.refused) throw new Error('a second answer');
    this.refused = true;
  }
}

interface StageOptions {
  readonly tls?: boolean;
  /** What the session does with what it is given. */
  readonly bytes?: (text: string, transport: Transport) => void;
  /** Instead of starting a session. */
  readonly onTransport?: (transport: Transport) => void;
}

function stage({ tls = false, bytes, onTransport }: StageOptions = {}) {
  const clock = new FakeClock();
  const carrier: Carrier = { closedAt: undefined };
  const arrived: string[] = [];
  const ends: unknown[] = [];
  const gone: (ApplianceError | undefined)[] = [];
  const calls = { admitted: 0, transports: 0 };
  const transport = new TunnelTransport({
    peer: { address: '192.0.2.1', port: 50_000 },
    tls: tls ? testOrigin.tls : undefined,
    handshakeTimeout: 10_000,
    refusalOf: (door) => (door === 'rtmpte' ? 'not this one' : undefined),
    clock,
    onTransport: (handed) => {
      calls.transports += 1;
      if (onTransport !== undefined) return onTransport(handed);
      handed.start({
        bytes: (borrowed) => {
          const text = Buffer.from(borrowed).toString('latin1');
          arrived.push(text);
          bytes?.(text, handed);
        },
        end: (error) => ends.push(error),
      });
    },
    onAdmit: () => (calls.admitted += 1),
    onGone: (untold) => gone.push(untold),
  });
  const take = (verb: TunnelVerb, sequence: number, body = '\0') => {
    const exchange = new TestExchange(body, carrier);
    transport.take(verb, sequence, exchange);
    return exchange;
  };
  const say = (words: string) => transport.write([Buffer.from(words)]);
  /** Lets so much time pass, looked at twice a second. */
  const pass = (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      clock.advance(Math.min(500, milliseconds - passed));
      transport.tick();
    }
  };
  const ended = async () => {
    await Promise.resolve();
    return ends;
  };
  return { clock, carrier, transport, arrived, ends, ended, gone, calls, take, say, pass };
}

const code = (name: string) => expect.objectContaining({ code: name }) as unknown;

describe('the first byte', () => {
  it.each([
    ['\x03', false, 'rtmpt', undefined],
    ['\x06', false, 'rtmpte', 'not this one'],
    ['\x09', false, 'rtmpte', 'not this one'],
    ['\x03', true, 'rtmpts', undefined],
    ['\x08', true, 'rtmpts', undefined],
  ])('%j, inside TLS: %s, is %s', (first, tls, door, refusal) => {
    const { transport, arrived, calls, take } = stage({ tls });
    take('idle', 0);
    take('send', 1, '');
    expect(calls.transports).toBe(0);
    take('send', 2, `${first}rest`);
    take('send', 3, 'more');
    expect(calls.transports).toBe(1);
    expect([transport.door, transport.refusal, transport.tls]).toEqual([door, refusal, tls]);
    expect(arrived).toEqual([`${first}rest`, 'more']);
  });

  it.each(['\x00', '\x16', 'GET /'])('%j is nothing', async (first) => {
    const { gone, calls, take } = stage();
    expect(take('send', 0, first).refused).toBe(true);
    expect([calls.transports, gone]).toEqual([0, [code('PROTOCOL_UNKNOWN')]]);
    expect(take('idle', 1).refused).toBe(true);
  });

  it('waits for a session that starts later, and what follows it too', () => {
    let handed: Transport | undefined;
    const { take } = stage({ onTransport: (transport) => (handed = transport) });
    take('send', 0, '\x03one');
    const second = take('send', 1, 'two');
    expect(second.answered).toBeUndefined();
    const bytes: string[] = [];
    handed?.start({ bytes: (borrowed) => bytes.push(String(borrowed)), end: () => undefined });
    expect(bytes).toEqual(['\x03one', 'two']);
    expect(second.answered).toBe('1');
  });

  it('finds nobody at home: the tunnel is gone', () => {
    const { gone, take } = stage({ onTransport: (transport) => transport.destroy() });
    expect(take('send', 0, '\x03').refused).toBe(true);
    expect(gone).toEqual([undefined]);
  });
});

describe('an idle', () => {
  it('is held back while there is nothing to say, but not for ever', () => {
    const { clock, take, say } = stage();
    take('send', 0, '\x03');
    const first = take('idle', 1);
    clock.advance(tunnelLimits.pollTime - 1);
    expect(first.answered).toBeUndefined();
    clock.advance(1);
    expect(first.answered).toBe('1');
    const second = take('idle', 2);
    clock.advance(50);
    say('news');
    expect(second.answered).toBe('1news');
    const third = take('idle', 3); // its time begins anew
    clock.advance(tunnelLimits.pollTime - 1);
    expect(third.answered).toBeUndefined();
  });
});

describe('a session that does not want to read', () => {
  it('leaves requests unread and unanswered, and their connection as well', () => {
    const { arrived, transport, take } = stage({
      bytes: (text, handed) => {
        if (text === 'stop') handed.pause();
      },
    });
    take('send', 0, '\x03');
    const stop = take('send', 1, 'stop');
    const [a, b] = [take('send', 2, 'a'), take('send', 3, 'b')];
    expect([stop.answered, a.isRead, a.held, b.held]).toEqual([undefined, false, 1, 1]);
    transport.resume();
    expect([stop.answered, a.answered, b.answered]).toEqual(['1', '1', '1']);
    expect([a.held, b.held]).toEqual([0, 0]);
    expect(arrived).toEqual(['\x03', 'stop', 'a', 'b']);
  });

  it('may stop again at once', () => {
    const { arrived, transport, take } = stage({ bytes: (_, handed) => handed.pause() });
    take('send', 0, '\x03');
    for (const sequence of [1, 2, 3]) take('send', sequence, String(sequence));
    for (const seen of [1, 2, 3, 4]) {
      expect(arrived.length).toBe(seen);
      transport.resume();
    }
  });

  it('is not silence on the part of the peer, unless it is gone', async () => {
    const { carrier, transport, ended, take, pass, clock } = stage();
    take('send', 0, '\x03');
    transport.pause();
    take('send', 1, 'waits');
    pass(tunnelLimits.idleTime * 2);
    expect(await ended()).toEqual([]);
    carrier.closedAt = clock.monotonic();
    pass(tunnelLimits.graceTime);
    expect(await ended()).toEqual([code('PEER_GONE')]);
  });

  it('does not collect requests without end', async () => {
    const { transport, ended, take } = stage();
    take('send', 0, '\x03');
    transport.pause();
    const waiting = Array.from({ length: tunnelLimits.waitingRequests }, (_, at) => take('send', 1 + at));
    expect(waiting.some(({ refused }) => refused)).toBe(false);
    expect(take('send', 1 + waiting.length).refused).toBe(true);
    expect(await ended()).toEqual([code('TUNNEL_OUT_OF_ORDER')]);
    expect(waiting.every(({ refused, held }) => refused && held === 0)).toBe(true);
  });
});

describe('what the session says last', () => {
  it('is fetched by the request that it answers', async () => {
    const { ended, gone, take } = stage({
      bytes: (text, handed) => {
        if (text !== 'bad') return;
        handed.write([Buffer.from('go away')]);
        handed.close();
        handed.write([Buffer.from('not this')]);
      },
    });
    take('send', 0, '\x03');
    const last = take('send', 1, 'bad');
    expect(last.answered).toBe('1go away');
    expect(gone).toEqual([undefined]);
    expect(await ended()).toEqual([undefined]);
    expect(take('send', 2).refused).toBe(true);
  });

  it('is fetched by an idle that waits already, or by the next one', async () => {
    for (const waits of [true, false]) {
      const { transport, ended, take, say } = stage();
      take('send', 0, '\x03');
      const before = waits ? take('idle', 1) : undefined;
      transport.pause(); // a session that refuses does so while it does not read
      say('go away');
      transport.close();
      expect((before ?? take('idle', 1)).answered).toBe('1go away');
      expect(await ended()).toEqual([undefined]);
    }
  });

  it('is nothing: then its peer learns it from a closed door', async () => {
    const { transport, ended, take } = stage();
    take('send', 0, '\x03');
    const waiting = take('idle', 1);
    transport.close();
    expect(waiting.refused).toBe(true);
    expect(await ended()).toEqual([undefined]);
  });

  it('is not waited for longer than other last words', async () => {
    const { transport, ended, take, say, pass } = stage();
    take('send', 0, '\x03');
    say('go away');
    transport.close();
    take('send', 2, 'ahead, and never taken');
    pass(transportLimits.lingerTime - 500);
    expect(await ended()).toEqual([]);
    pass(500);
    expect(await ended()).toEqual([undefined]);
  });

  it('leaves what still comes unheard', () => {
    const { arrived, transport, take, say } = stage();
    take('send', 0, '\x03');
    say('go away');
    transport.close();
    expect(take('send', 1, 'too late').answered).toBe('1go away');
    expect(arrived).toEqual(['\x03']);
  });
});

describe('the end', () => {
  it('comes with close, without an error, and is told once', async () => {
    const { ended, gone, transport, take, say, clock } = stage();
    take('send', 0, '\x03');
    say('bye');
    expect(take('close', 1).answered).toBe('0bye');
    expect([await ended(), gone]).toEqual([[undefined], [undefined]]);
    transport.destroy();
    transport.close();
    transport.write([Buffer.from('x')]);
    expect([await ended(), gone]).toEqual([[undefined], [undefined]]);
    expect(clock.timers).toBe(0);
  });

  it('is never told inside a call of the session', async () => {
    const { ends, ended, take, transport } = stage();
    take('send', 0, '\x03');
    transport.destroy();
    expect(ends).toEqual([]);
    expect(await ended()).toEqual([undefined]);
  });

  it('when nothing came through it, however often it asks', () => {
    const { gone, take, pass } = stage();
    for (let sequence = 0; sequence < 20; sequence++) {
      expect(gone).toEqual([]);
      take('idle', sequence);
      pass(500);
    }
    expect(gone).toEqual([code('HANDSHAKE_TIMEOUT')]);
  });

  it('when nobody asks for too long', async () => {
    const { ended, take, pass } = stage();
    take('send', 0, '\x03');
    pass(tunnelLimits.idleTime - 500);
    expect(await ended()).toEqual([]);
    take('send', 1, 'here I am');
    pass(tunnelLimits.idleTime - 500);
    expect(await ended()).toEqual([]);
    pass(500);
    expect(await ended()).toEqual([code('IDLE_TIMEOUT')]);
  });

  it('some time after its connection, unless it has found another', async () => {
    const { carrier, transport, ended, take, pass, clock } = stage();
    take('send', 0, '\x03');
    carrier.closedAt = clock.monotonic();
    pass(tunnelLimits.graceTime - 500);
    transport.take('send', 1, new TestExchange('x', { closedAt: undefined }));
    pass(5000);
    expect(await ended()).toEqual([]);
    take('send', 2, 'by one that is closed already');
    pass(500);
    expect(await ended()).toEqual([code('PEER_GONE')]);
  });

  it('when a missing request never comes', async () => {
    const { ended, take, pass } = stage();
    take('send', 0, '\x03');
    take('send', 2, 'c');
    pass(2000);
    take('send', 1, 'b');
    pass(tunnelLimits.gapTime);
    expect(await ended()).toEqual([]);
    const held = take('send', 4, 'e');
    pass(500 + tunnelLimits.gapTime);
    expect(await ended()).toEqual([code('TUNNEL_OUT_OF_ORDER')]);
    expect(held.refused).toBe(true);
  });

  it('when a request cannot be in order', async () => {
    const { ended, take } = stage();
    take('send', 0, '\x03');
    expect(take('send', 100, 'x').refused).toBe(true);
    expect(await ended()).toEqual([code('TUNNEL_OUT_OF_ORDER')]);
  });

  it('when the peer does not fetch what it is sent', async () => {
    const { transport, ended, take } = stage();
    take('send', 0, '\x03');
    transport.write([Buffer.alloc(tunnelLimits.outputSize)]);
    expect(await ended()).toEqual([]);
    transport.write([Buffer.alloc(1)]);
    expect(await ended()).toEqual([code('WRITE_STALLED')]);
  });

  it('when the session throws', async () => {
    const mistake = new Error('a mistake of ours');
    const { ended, gone, take } = stage({
      bytes: () => {
        throw mistake;
      },
    });
    expect(take('send', 0, '\x03').refused).toBe(true);
    expect([await ended(), gone]).toEqual([[mistake], [undefined]]);
  });
});

it('lets a known peer send more at once', () => {
  const { transport, calls, take } = stage();
  take('send', 0, '\x03');
  transport.admit();
  expect(calls.admitted).toBe(1);
  const large = take('send', 2, 'x'.repeat(tunnelLimits.heldBytesBeforeAuth + 1));
  expect(large.refused).toBe(false);
});
