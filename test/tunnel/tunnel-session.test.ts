import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import type { TunnelVerb } from '../../src/tunnel/tunnel-request.ts';
import { TunnelSession } from '../../src/tunnel/tunnel-session.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const outOfOrder = expect.objectContaining({ code: 'TUNNEL_OUT_OF_ORDER' }) as unknown;

/** A session whose requests are answered through their own labels. */
class Stage {
  readonly session = new TunnelSession<string>();
  /** Tunnelled bytes so far. */
  bytes = '';
  /** `label: interval byte, then what it carried`, in the order of the answers. */
  readonly answers: string[] = [];
  closed = 0;

  request(verb: TunnelVerb, sequence: number, body: string, label = `${verb} ${sequence}`): void {
    this.session.receive({ verb, sequence, body: Buffer.from(body, 'latin1') }, label);
  }

  run(): void {
    for (let step = this.session.next(); step !== undefined; step = this.session.next()) {
      if (step.type === 'bytes') this.bytes += text(step.bytes);
      else if (step.type === 'closed') this.closed += 1;
      else this.answers.push(`${step.exchange}: ${step.body[0]}${text(step.body.subarray(1))}`);
    }
  }

  say(words: string): void {
    this.session.write([Buffer.from(words)]);
    this.run();
  }

  send(sequence: number, body: string, label?: string): void {
    this.request('send', sequence, body, label);
    this.run();
  }

  idle(sequence: number, label?: string): void {
    this.request('idle', sequence, '\0', label);
    this.run();
  }
}

describe('requests in order', () => {
  it.each([0, 1])('begin at %i: bytes go in, answers come out', (first) => {
    const stage = new Stage();
    stage.send(first, 'hello ');
    stage.send(first + 1, 'world');
    expect(stage.bytes).toBe('hello world');
    expect(stage.answers).toEqual([`send ${first}: 1`, `send ${first + 1}: 1`]);
    expect(stage.session.silent).toBe(true);
  });

  it('are answered with what there is to say, once', () => {
    const stage = new Stage();
    stage.send(0, 'x');
    stage.say('first, ');
    stage.say('second');
    expect(stage.session.outputSize).toBe(13);
    stage.send(1, 'y');
    stage.send(2, 'z');
    expect(stage.answers).toEqual(['send 0: 1', 'send 1: 1first, second', 'send 2: 1']);
    expect(stage.session.outputSize).toBe(0);
  });

  it('give their bytes before they are answered, so that the answer can react to them', () => {
    const stage = new Stage();
    stage.request('send', 0, 'ping');
    expect(stage.session.next()).toMatchObject({ type: 'bytes' });
    stage.say('pong');
    expect(stage.answers).toEqual(['send 0: 1pong']);
  });

  it('of an idle or close carry nothing, whatever is in their body; nor does an empty send', () => {
    const stage = new Stage();
    stage.send(0, '');
    stage.request('idle', 1, 'not tunnelled');
    stage.request('close', 2, 'neither');
    stage.run();
    expect(stage.bytes).toBe('');
    expect(stage.answers).toEqual(['send 0: 1', 'idle 1: 1', 'close 2: 0']);
  });
});

describe('an idle', () => {
  it('waits until there is something to say', () => {
    const stage = new Stage();
    stage.idle(0);
    expect(stage.answers).toEqual([]);
    expect(stage.session).toMatchObject({ polling: true, silent: false });
    stage.say('news');
    expect(stage.answers).toEqual(['idle 0: 1news']);
    expect(stage.session).toMatchObject({ polling: false, silent: true });
  });

  it('is answered at once when there is something already', () => {
    const stage = new Stage();
    stage.say('news');
    stage.idle(0);
    expect(stage.answers).toEqual(['idle 0: 1news']);
  });

  it('is answered with nothing when its time is over', () => {
    const stage = new Stage();
    stage.idle(0);
    stage.session.endPoll();
    stage.run();
    expect(stage.answers).toEqual(['idle 0: 1']);
    stage.idle(1); // the next one waits again
    expect(stage.session.polling).toBe(true);
  });

  it('does not hold the next request up', () => {
    const stage = new Stage();
    stage.idle(0);
    stage.send(1, 'go on');
    expect(stage.answers).toEqual(['idle 0: 1', 'send 1: 1']);
    expect(stage.bytes).toBe('go on');
  });
});

describe('a repeated request', () => {
  it('hears the same answer and is not taken again', () => {
    const stage = new Stage();
    stage.say('once');
    stage.send(0, 'a');
    stage.say('later');
    stage.send(0, 'a', 'again');
    expect(stage.bytes).toBe('a');
    expect(stage.answers).toEqual(['send 0: 1once', 'again: 1once']);
    stage.send(1, 'b');
    expect(stage.answers.at(-1)).toBe('send 1: 1later');
  });

  it('of one that still waits is answered together with it', () => {
    const stage = new Stage();
    stage.idle(0);
    stage.idle(0, 'again');
    stage.say('news');
    expect(stage.answers).toEqual(['idle 0: 1news', 'again: 1news']);
  });

  it('of one that is ahead counts once', () => {
    const stage = new Stage();
    stage.send(0, 'a');
    stage.send(2, 'c');
    stage.send(2, 'c', 'again');
    stage.send(1, 'b');
    expect(stage.bytes).toBe('abc');
    expect(stage.answers.slice(2)).toEqual(['send 2: 1', 'again: 1']);
  });

  it('too often ends the tunnel, as does one older than the last', () => {
    const stage = new Stage();
    stage.idle(0);
    for (let count = 0; count < tunnelLimits.repeats; count++) stage.idle(0);
    expect(() => stage.idle(0)).toThrow(outOfOrder);
    const other = new Stage();
    other.send(0, 'a');
    other.send(1, 'b');
    expect(() => other.send(0, 'a')).toThrow(outOfOrder);
  });
});

describe('a request that is ahead', () => {
  it('waits for the missing one', () => {
    const stage = new Stage();
    stage.send(0, 'a');
    expect(stage.session.gapped).toBe(false);
    stage.send(3, 'd');
    stage.send(2, 'c');
    expect(stage.session.gapped).toBe(true);
    expect(stage.bytes).toBe('a');
    stage.send(1, 'b');
    expect(stage.bytes).toBe('abcd');
    expect(stage.answers).toEqual(['send 0: 1', 'send 1: 1', 'send 2: 1', 'send 3: 1']);
    expect(stage.session.gapped).toBe(false);
  });

  it('may even be the first to arrive', () => {
    const stage = new Stage();
    stage.send(2, 'b');
    expect(stage.session.gapped).toBe(true);
    stage.send(1, 'a');
    expect(stage.bytes).toBe('ab');
  });

  it('by too much ends the tunnel', () => {
    const stage = new Stage();
    stage.send(0, 'a');
    stage.send(1 + tunnelLimits.heldAhead, 'far');
    expect(() => stage.send(2 + tunnelLimits.heldAhead, 'too far')).toThrow(outOfOrder);
    expect(() => new Stage().send(tunnelLimits.heldAhead + 1, 'x')).toThrow(outOfOrder);
    expect(() => new Stage().send(9_999_999_999, 'x')).toThrow(outOfOrder);
  });

  it('is not meant by one that waits in order because nobody takes it', () => {
    const stage = new Stage();
    for (let sequence = 0; sequence < 100; sequence++) stage.request('send', sequence, 'x');
    expect(stage.session.gapped).toBe(false);
    expect(() => stage.request('send', 100 + tunnelLimits.heldAhead + 1, 'x')).toThrow(outOfOrder);
    stage.run();
    expect(stage.bytes).toBe('x'.repeat(100));
  });

  it('may hold so many bytes, and more with a good key', () => {
    const body = 'x'.repeat(tunnelLimits.heldBytesBeforeAuth / 2);
    const stranger = new Stage();
    stranger.send(2, body);
    stranger.send(3, body);
    expect(() => stranger.send(4, 'x')).toThrow(outOfOrder);
    const known = new Stage();
    known.session.admit();
    for (let sequence = 2; sequence < 8; sequence++) known.send(sequence, body);
    known.send(1, 'begin');
    expect(known.bytes.length).toBe(6 * body.length + 5);
    known.send(9, body); // what was taken no longer counts
    const large = 'x'.repeat(tunnelLimits.heldBytes - body.length);
    known.send(10, large);
    expect(() => known.send(11, 'x')).toThrow(outOfOrder);
  });
});

describe('the end', () => {
  it('comes with close, behind the last words, and once', () => {
    const stage = new Stage();
    stage.send(0, 'a');
    stage.say('bye');
    stage.request('close', 1, '\0');
    stage.request('send', 2, 'too late');
    stage.run();
    expect(stage.answers.at(-1)).toBe('close 1: 0bye');
    expect([stage.bytes, stage.closed]).toEqual(['a', 1]);
    stage.run();
    expect(stage.closed).toBe(1);
    expect(stage.session.abandon()).toEqual(['send 2']);
  });

  it('without it leaves nobody without an answer', () => {
    const stage = new Stage();
    stage.idle(0);
    stage.idle(0, 'again');
    stage.send(2, 'ahead');
    stage.session.write([Buffer.from('x')]);
    expect(stage.session.abandon()).toEqual(['idle 0', 'again', 'send 2']);
    stage.run();
    expect(stage.answers).toEqual([]);
    expect([stage.session.outputSize, stage.session.silent]).toEqual([0, true]);
  });
});

/** Sequences 0..n-1 in some order in which none is further ahead than allowed, some of them repeated. */
const arrivals = fc
  .record({
    count: fc.integer({ min: 1, max: 40 }),
    jitter: fc.array(fc.nat({ max: tunnelLimits.heldAhead }), { minLength: 40, maxLength: 40 }),
    repeated: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
  })
  .map(({ count, jitter, repeated }) => {
    // The first is in its place: it says where the sequence begins.
    const at = (sequence: number) => (sequence === 0 ? -1 : sequence + (jitter[sequence] ?? 0));
    const order = Array.from({ length: count }, (_, sequence) => sequence).sort(
      (a, b) => at(a) - at(b) || a - b,
    );
    return order.flatMap((sequence) => (repeated[sequence] === true ? [sequence, sequence] : [sequence]));
  });

describe('any order and repetition within the rules', () => {
  it('gives the same bytes, once, and each request one answer', () => {
    fc.assert(
      fc.property(arrivals, fc.array(fc.boolean(), { minLength: 90, maxLength: 90 }), (order, runs) => {
        const stage = new Stage();
        const labels: string[] = [];
        for (const [index, sequence] of order.entries()) {
          const label = `${sequence}#${index}`;
          labels.push(label);
          stage.request('send', sequence, `<${sequence}>`, label);
          // A repetition is an answer heard again as long as nothing later was taken; otherwise it comes before.
          const repeated = order[index + 1] === sequence;
          const latest = Math.max(...order.slice(0, index + 1)) === sequence;
          if (repeated ? latest : runs[index] === true) stage.run();
          if (sequence % 3 === 0) stage.session.write([Buffer.from('.')]);
        }
        stage.run();
        const count = Math.max(...order) + 1;
        expect(stage.bytes).toBe(Array.from({ length: count }, (_, sequence) => `<${sequence}>`).join(''));
        expect(stage.answers.map((answer) => answer.slice(0, answer.indexOf(':'))).sort()).toEqual(
          labels.sort(),
        );
        // Answers to the same request are the same.
        const bySequence = new Map<string, string>();
        for (const answer of stage.answers) {
          const [sequence = '', rest = ''] = answer.split(/#\d+/);
          expect(bySequence.get(sequence) ?? rest).toBe(rest);
          bySequence.set(sequence, rest);
        }
      }),
      { seed: 8, numRuns: 300 },
    );
  });

  it('outside them is a ProtocolError, and nothing is taken twice or out of order', () => {
    const request = fc.record({
      verb: fc.constantFrom<TunnelVerb>('send', 'idle', 'close'),
      sequence: fc.nat({ max: 14 }),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 40 }), (requests) => {
        const stage = new Stage();
        try {
          for (const { verb, sequence } of requests) {
            stage.request(verb, sequence, String.fromCharCode(65 + sequence));
            stage.run();
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
        const letters = stage.bytes.split('');
        expect(letters).toEqual([...new Set(letters)].toSorted());
        expect(stage.closed).toBeLessThanOrEqual(1);
      }),
      { seed: 8, numRuns: 300 },
    );
  });
});
