// Every state that a peer may stay in has an end, whatever bytes come meanwhile, and the log says which end it was.
// SECURITY 4, docs/limits.md "Settings".
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MessageType } from '../../src/chunk/message.ts';
import { UserControlEvent } from '../../src/command/control-message.ts';
import { doorLimits } from '../../src/door/door-limits.ts';
import { TagType } from '../../src/flv/tag.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Attacker, clientHello } from '../support/attacker.ts';
import { ClientScript } from '../support/client-script.ts';
import { Encoder } from '../support/encoder.ts';
import { chunkHeader, encryptedHello, filled, joined } from '../support/hostile-bytes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds; far enough apart to tell them from each other. */
const limits = { handshake: 1000, command: 2500, idle: 4000 };
/** Milliseconds: sessions look at the clock twice a second, and the machine may be loaded. */
const tolerance = 2500;

let appliance: TestAppliance;

beforeAll(async () => {
  const settings = {
    'limits.handshakeTimeout': `${limits.handshake}ms`,
    'limits.commandTimeout': `${limits.command}ms`,
    'limits.idleTimeout': `${limits.idle}ms`,
  };
  appliance = await TestAppliance.start(settings, temporaryFolder(afterAll));
});

afterAll(() => appliance.stop());

type State = readonly [
  name: string,
  code: string,
  time: number,
  run: (attacker: Attacker) => Promise<unknown>,
];

const insideTls = 'TLS, then silent';
const tls = { tls: { rejectUnauthorized: false } };

const hello = () => joined(Uint8Array.of(3), filled(1536));
const script = () => new ClientScript().handshake();
const sends = (bytes: Uint8Array) => async (attacker: Attacker) => attacker.send(bytes).closed;
const drips = (start: Uint8Array, bytes: Uint8Array) => async (attacker: Attacker) => {
  await attacker.opened();
  return attacker.send(start).drip(bytes, 100);
};

const states: readonly State[] = [
  ['silent', 'HANDSHAKE_TIMEOUT', limits.handshake, sends(new Uint8Array(0))],
  [
    'half a TLS hello',
    'HANDSHAKE_TIMEOUT',
    limits.handshake,
    async (attacker) => attacker.send((await clientHello()).subarray(0, 60)).closed,
  ],
  [
    'a TLS hello, dripping',
    'HANDSHAKE_TIMEOUT',
    limits.handshake,
    async (attacker) => attacker.drip(await clientHello(), 100),
  ],
  [insideTls, 'HANDSHAKE_TIMEOUT', limits.handshake, (attacker) => attacker.closed],
  ['half a C1', 'HANDSHAKE_TIMEOUT', limits.handshake, sends(hello().subarray(0, 700))],
  ['a C1, dripping', 'HANDSHAKE_TIMEOUT', limits.handshake, drips(new Uint8Array(0), hello())],
  ['no C2', 'HANDSHAKE_TIMEOUT', limits.handshake, sends(hello())],
  ['no C2 of RTMPE', 'HANDSHAKE_TIMEOUT', limits.handshake, sends(encryptedHello(6))],
  ['a C2, dripping', 'HANDSHAKE_TIMEOUT', limits.handshake, drips(hello(), filled(1536))],
  ['handshaken, then silent', 'COMMAND_TIMEOUT', limits.command, sends(script().take())],
  [
    'a connect, dripping',
    'COMMAND_TIMEOUT',
    limits.command,
    drips(script().take(), new ClientScript().connect().take()),
  ],
  ['connected, then silent', 'COMMAND_TIMEOUT', limits.command, sends(script().connect().take())],
  [
    'connected, a ping now and then',
    'COMMAND_TIMEOUT',
    limits.command,
    async (attacker) => {
      attacker.send(script().connect().take());
      const pings = new ClientScript();
      const timer = setInterval(
        () => attacker.send(pings.userControl(UserControlEvent.PingRequest, 7).take()),
        200,
      );
      return attacker.closed.finally(() => clearInterval(timer));
    },
  ],
  [
    'connected, a call now and then',
    'COMMAND_TIMEOUT',
    limits.command,
    async (attacker) => {
      attacker.send(script().connect().take());
      const calls = new ClientScript();
      const timer = setInterval(() => attacker.send(calls.command(3, 0, 0, '_checkbw', 9, null).take()), 200);
      return attacker.closed.finally(() => clearInterval(timer));
    },
  ],
  [
    'a stream created, media before any publish',
    'COMMAND_TIMEOUT',
    limits.command,
    async (attacker) => {
      attacker.send(script().connect().createStream().take());
      const media = new ClientScript();
      const frame = { type: MessageType.Video, timestamp: 0, streamId: 1, payload: filled(500) };
      const timer = setInterval(() => attacker.send(media.message(6, frame, 0).take()), 100);
      return attacker.closed.finally(() => clearInterval(timer));
    },
  ],
];

/** With a good key, behind Publish.Start. */
const publications: readonly (readonly [
  name: string,
  code: string,
  time: number,
  run: (encoder: Encoder) => unknown,
])[] = [
  ['published without media', 'IDLE_TIMEOUT', limits.idle, () => undefined],
  [
    'published, pings now and then',
    'IDLE_TIMEOUT',
    limits.idle,
    (encoder) => {
      return setInterval(() => {
        const payload = Uint8Array.of(0, UserControlEvent.PingRequest, 0, 0, 0, 7);
        encoder.connection.sendMessage(2, {
          type: MessageType.UserControl,
          timestamp: 0,
          streamId: 0,
          payload,
        });
        void encoder.flush();
      }, 200);
    },
  ],
  [
    'published, metadata now and then',
    'IDLE_TIMEOUT',
    limits.idle,
    (encoder) => {
      const onCuePoint = Buffer.from('02000a6f6e437565506f696e7405', 'hex');
      return setInterval(() => void encoder.send(TagType.ScriptData, 0, onCuePoint), 200);
    },
  ],
  [
    'published, a frame that drips',
    'IDLE_TIMEOUT',
    limits.idle,
    async (encoder) => {
      await encoder.sendRaw(chunkHeader(6, 9, 50_000, 1));
      return setInterval(() => void encoder.sendRaw(filled(1)), 100);
    },
  ],
  [
    'unpublished, then silent',
    'COMMAND_TIMEOUT',
    limits.command,
    async (encoder) => {
      encoder.connection.unpublish();
      await encoder.flush();
    },
  ],
];

/** What the log says of the end of this address. */
function endOf(address: string): unknown[] {
  const lines = appliance.log.map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.filter((line) => line['peer'] === address && 'code' in line).map(({ code }) => code);
}

/** All at once, or the file would take the sum of all deadlines. */
interface Outcome {
  readonly codes: unknown[];
  /** Milliseconds. */
  readonly lasted: number;
}
const outcomes = new Map<string, Promise<Outcome>>();

async function measure(address: string, run: () => Promise<unknown>): Promise<Outcome> {
  const began = performance.now();
  await run();
  return { lasted: performance.now() - began, codes: endOf(address) };
}

beforeAll(async () => {
  const { port } = appliance;
  for (const [index, [name, , , run]] of states.entries()) {
    const address = `127.2.0.${index + 1}`;
    outcomes.set(
      name,
      measure(address, async () => run(new Attacker({ port, address, ...(name === insideTls ? tls : {}) }))),
    );
  }
  for (const [index, [name, , , run]] of publications.entries()) {
    const address = `127.2.2.${index + 1}`;
    const { key } = await appliance.createKey(`live/camera-${index}`);
    const encoder = new Encoder({ port, name: key, localAddress: address });
    await encoder.published;
    const ended = measure(address, async () => {
      const timer = (await run(encoder)) as NodeJS.Timeout | undefined;
      await encoder.ended;
      clearInterval(timer);
    });
    outcomes.set(name, ended);
  }
});

let slowHeaders: Promise<number>;
beforeAll(() => {
  const attacker = new Attacker({ port: appliance.port, address: '127.2.3.1', ...tls });
  slowHeaders = attacker.send('GET / HTTP/1.1\r\nX-Drip: ').drip(filled(1000, 0x61), 100);
});

describe('deadlines', () => {
  it.each([...states, ...publications])('%s: %s', async (name, code, time) => {
    const { codes, lasted } = (await outcomes.get(name)) ?? { codes: [], lasted: 0 };
    expect(codes).toEqual([code]);
    expect(lasted).toBeGreaterThan(time - 50);
    expect(lasted).toBeLessThan(time + tolerance);
  });

  it('HTTP headers that drip', async () => {
    const lasted = await slowHeaders;
    expect(lasted).toBeGreaterThan(doorLimits.httpHeadersTime - 50);
    expect(lasted).toBeLessThan(doorLimits.httpHeadersTime + 2 * tolerance);
  });
});
