// Two encoders publish through different doors while everything in SECURITY 0 is done to the server beside them, one
// thing after the other and then much of it at once. Each attacker has an address of its own: the log has to say of it
// exactly what is expected, its connection has to be gone in time, and the bystanders' recordings have to be exact.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  amf,
  type Attack,
  chunks,
  commands,
  firstBytes,
  floods,
  handshakes,
  mebibyte,
  type Scene,
  withGoodKey,
} from './attacks.ts';
import { Attacker } from '../support/attacker.ts';
import { Encoder } from '../support/encoder.ts';
import { filled, joined } from '../support/hostile-bytes.ts';
import { firstDifference, type Frame, framesIn, syntheticFrames } from '../support/media.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds: the server's deadlines are one or two seconds, and the machine may be loaded. */
const patience = 15_000;
/** MiB that one attack may add to the server while it lasts, with and without a good key, and that all may leave. */
const growth = { stranger: 24, publisher: 40, behind: 56 };

const settings = {
  listeners: [
    { address: '127.0.0.1:0', accept: ['rtmp', 'rtmps', 'rtmpe', 'https'] },
    { address: '127.0.0.1:0', accept: ['rtmps', 'http', 'https'] },
  ],
  'limits.handshakeTimeout': '1500ms',
  'limits.commandTimeout': '1500ms',
  'limits.idleTimeout': '8s',
  'limits.handshakes': 5000, // the attacks at once are not to keep each other out
};

interface Bystander {
  readonly stream: string;
  readonly address: string;
  readonly encoder: Encoder;
  readonly frames: readonly Frame[];
  sent: number;
}

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder, settings });
const figures: { attack: Attack; before: number; most: number }[] = [];
/** Every attack there was, by the address it came from. */
const attackers = new Map<string, Attack>();
const bystanders: Bystander[] = [];
/** Milliseconds that a stranger had to wait for S0, S1 and S2, at each look. */
const waits: number[] = [];
const over = new AbortController();
let playing: Promise<unknown> = Promise.resolve();
let rssAtFirst = 0;
let attackKey = '';

beforeAll(async () => {
  await server.start();
  attackKey = (await server.createKey('live/attacker')).key;
  const tls = { ca: readFileSync(server.caFile), servername: 'localhost' };
  for (const [index, door] of [{ version: 6 as const }, { tls }].entries()) {
    const stream = `live/bystander-${index}`;
    const { key } = await server.createKey(stream);
    const address = `127.0.0.${10 + index}`;
    const encoder = new Encoder({ port: server.port, name: key, localAddress: address, ...door });
    await encoder.published;
    bystanders.push({ stream, address, encoder, frames: syntheticFrames(stream, 180, 1500), sent: 0 });
  }
  playing = Promise.all([...bystanders.map(play), lookIn()]);
  for (const attack of [...amf.slice(0, 4), ...commands.slice(0, 3)]) await perform(attack); // warm what is measured
  figures.length = 0;
  rssAtFirst = rss();
});

afterAll(async () => {
  over.abort();
  await playing;
  await server.discard();
});

/** Sends at the pace of the clock until all is over. */
async function play(one: Bystander): Promise<void> {
  const began = performance.now();
  while (!over.signal.aborted && one.sent < one.frames.length) {
    const now = performance.now() - began;
    for (
      let frame = one.frames[one.sent];
      frame !== undefined && frame.timestamp <= now;
      frame = one.frames[one.sent]
    ) {
      one.sent += 1;
      await one.encoder.send(frame.type, frame.timestamp, frame.payload);
    }
    await pause(20);
  }
}

/** A stranger comes by every now and then, and measures how long it has to wait. */
async function lookIn(): Promise<void> {
  while (!over.signal.aborted) {
    const stranger = new Attacker({ port: server.port, address: '127.0.0.12' });
    const began = performance.now();
    stranger.send(joined(Uint8Array.of(3), filled(1536)));
    await stranger.answered(3073);
    waits.push(performance.now() - began);
    stranger.socket.destroy();
    await pause(250);
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** MiB of the server process. */
function rss(): number {
  const status = readFileSync(`/proc/${server.process.child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** Lets the attack happen, until nothing of it is left; answers what is wrong with what the log says of it. */
async function perform(attack: Attack): Promise<string | undefined> {
  const address = `127.1.${attackers.size >> 7}.${(attackers.size & 0x7f) + 1}`;
  attackers.set(address, attack);
  const opened: Attacker[] = [];
  const ca = readFileSync(server.caFile);
  const scene: Scene = {
    port: server.ports[0] ?? 0,
    otherPort: server.ports[1] ?? 0,
    address,
    key: attackKey,
    open: ({ reads = true, tls = false, port = server.port } = {}) => {
      const secure = tls ? { tls: { ca, servername: 'localhost' } } : {};
      const attacker = new Attacker({ port, address, reads, ...secure });
      opened.push(attacker);
      return attacker;
    },
    publish: async () => {
      // Streams are many, keys are dear: each takes the one before over, which is gone.
      const encoder = new Encoder({
        port: server.port,
        name: attackKey,
        chunkSize: mebibyte,
        localAddress: newcomerAddress(attack, address),
      });
      await encoder.published;
      return encoder;
    },
  };
  const before = rss();
  let most = before;
  const sampler = setInterval(() => (most = Math.max(most, rss())), 25);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${attack.name}: not over in ${patience} ms`)),
    patience,
  );
  try {
    await Promise.race([attack.run(scene), late.promise]);
  } finally {
    clearTimeout(timer);
    clearInterval(sampler);
    for (const { socket } of opened) socket.destroy();
  }
  figures.push({ attack, before, most: Math.max(most, rss()) });
  await settled(address);
  return misreported(address, attack);
}

/** Waits until no session of this address is left on the server's side, and what was expected is in the log. */
async function settled(address: string): Promise<void> {
  const attack = attackers.get(address)!;
  for (let tries = 0; tries < 150; tries += 1) {
    const events = logged().flatMap((line) => (line['peer'] === address ? [line['event']] : []));
    const count = (event: string) => events.filter((one) => one === event).length;
    if (count('session.opened') === count('session.closed') && misreported(address, attack) === undefined)
      return;
    await pause(20);
  }
}

/** Undefined, or what the log says of an attack when it is not what it should say. */
function misreported(address: string, { name, codes }: Attack): string | undefined {
  const said = logged().flatMap((line) =>
    line['peer'] === address && 'code' in line ? [String(line['code'])] : [],
  );
  const [found, wanted] = [[...new Set(said)].sort().join(' '), [...codes].sort().join(' ')];
  return found === wanted ? undefined : `${name}: the log says "${found}", expected "${wanted}"`;
}

/** In a flood from one address the good encoder comes from another. */
function newcomerAddress(attack: Attack, address: string): string {
  return floods.includes(attack) ? '127.0.0.2' : address;
}

function logged(): Record<string, unknown>[] {
  return server.log
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each([
  ['first bytes', firstBytes],
  ['handshakes', handshakes],
  ['AMF', amf],
  ['chunks', chunks],
  ['commands', commands],
  ['with a good key', withGoodKey],
  ['floods', floods],
])('%s', (_, attacks) => {
  it.each(attacks)('$name', async (attack) => {
    expect(await perform(attack)).toBeUndefined();
    expect(server.process.running).toBe(true);
  });
});

describe('all of it', () => {
  it('at once', async () => {
    const many = [...firstBytes, ...handshakes, ...amf, ...chunks, ...commands];
    const outcomes = await Promise.all(many.map((attack) => perform(attack)));
    expect(outcomes.filter((wrong) => wrong !== undefined)).toEqual([]);
  });

  it('costs little memory', () => {
    const costly = figures.filter(({ attack, before, most }) => {
      return most - before > (withGoodKey.includes(attack) ? growth.publisher : growth.stranger);
    });
    expect(costly).toEqual([]);
    expect(rss() - rssAtFirst).toBeLessThan(growth.behind);
  });

  it('keeps nobody waiting', () => {
    expect(waits.length).toBeGreaterThan(10);
    expect(Math.max(...waits)).toBeLessThan(5000);
  });

  it('ends nobody else, and nothing in the log is a mistake of ours', () => {
    const others = logged().filter(({ peer }) => bystanders.some(({ address }) => address === peer));
    expect(new Set(others.map(({ event }) => event))).toEqual(new Set(['session.opened', 'publish.started']));
    expect(logged().filter((line) => line['bug'] === true || line['level'] === 'error')).toEqual([]);
  });

  it('changes nothing in what the bystanders recorded', async () => {
    over.abort();
    await playing;
    for (const { encoder, stream, frames, sent } of bystanders) {
      await encoder.finish();
      const { state, path } = await server.finishedRecording(stream);
      expect(state).toBe('complete');
      expect(sent).toBeGreaterThan(500);
      expect(firstDifference(frames.slice(0, sent), framesIn(path))).toBeUndefined();
    }
    expect((await server.stop()).code).toBe(0);
    for (const secret of server.secrets) expect(server.log).not.toContain(secret.slice(13)); // behind the public id
  });

  it('says of every attack just what it was, to the end', () => {
    const wrong = [...attackers].map(([address, attack]) => misreported(address, attack));
    expect(wrong.filter((one) => one !== undefined)).toEqual([]);
  });
});
