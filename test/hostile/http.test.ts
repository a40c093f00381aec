// HTTP by the damaged kind: requests of tunnels and of other things, torn, doubled and spoilt, over real connections
// to a whole door. Every connection comes to its end, every tunnel too, and nothing but an answer comes of any of it.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { tunnelLimits } from '../../src/tunnel/tunnel-limits.ts';
import { cutsOf, damaged, Dice } from '../support/fuzz-dice.ts';
import { seedsOf, text } from '../support/fuzz-run.ts';
import { openDoor } from '../support/open-door.ts';
import { slicesAt } from '../support/slices.ts';

const inputs = 5000;
/** Milliseconds that a connection may take to end once its peer has said everything. */
const patience = 10_000;

const words = [
  'POST ',
  ' HTTP/1.1\r\n',
  'HTTP/1.0',
  'Content-Length: 1\r\n',
  'Content-Length: 65536\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  '\r\n\r\n',
  '0\r\n\r\n',
  '/send/TUNNEL/0',
  '/idle/TUNNEL/1',
  '/close/TUNNEL/2',
  'TUNNEL',
  '\0',
  '\n',
  ' ',
  ':',
].map((word) => text(word));

describe('damaged HTTP', () => {
  it(`${inputs} times: each connection ends, and so does each tunnel`, async () => {
    const { dial, clock, arrived, log } = await openDoor({
      accept: [['rtmps', 'rtmpt', 'http']],
      limits: {
        connections: 100_000,
        connectionsPerAddress: 50_000,
        handshakes: 50_000,
        handshakesPerAddress: 50_000,
      },
    });
    const timers = clock.timers;
    const statuses = new Map<string, number>();
    const options = { seeds: seedsOf('http'), words };
    for (let run = 0; run < inputs; run += 1) {
      const dice = new Dice(`http ${run}`);
      const id = run % 10 === 0 ? '' : await openTunnel(await dial());
      const bytes = text(Buffer.from(damaged(dice, options)).toString('latin1').replaceAll('TUNNEL', id));
      const slices = dice.roll(2) === 0 ? [bytes] : slicesAt(bytes, cutsOf(dice, bytes).slice(0, 12));
      const answer = await converse(await dial(), slices).catch((error: unknown) => {
        throw new Error(`run ${run}: ${Buffer.from(bytes).toString('base64')}`, { cause: error });
      });
      for (const [, status = ''] of answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm))
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      clock.advance(100);
    }
    const seen = [...statuses.keys()].sort();
    expect(seen).toEqual(expect.arrayContaining(['200', '400', '404', '308', '411']));
    expect(seen.filter((status) => !/^(?:100|200|308|4\d\d|501|503|505)$/.test(status))).toEqual([]);
    expect(arrived.length).toBeGreaterThan(20); // sessions began, and all are over:
    clock.advance(tunnelLimits.idleTime + 2000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(arrived.filter(({ ended }) => !ended())).toEqual([]);
    expect(clock.timers).toBe(timers);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }, 110_000);
});

async function openTunnel(socket: Socket): Promise<string> {
  socket.write('POST /open/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n\0');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return /([A-Za-z0-9_-]{22})\n$/.exec(answer.toString('latin1'))?.[1] ?? 'none';
}

/** Says all of it, piece by piece, and then that there is no more; answers what came back until the end. */
async function converse(socket: Socket, slices: readonly Uint8Array[]): Promise<string> {
  const received: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => received.push(bytes));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const slice of slices) {
    if (socket.writable) socket.write(slice);
    if (slices.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  if (socket.writable) socket.end();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the connection does not end')), patience);
  });
  await Promise.race([closed, late]).finally(() => clearTimeout(timer));
  return Buffer.concat(received).toString('latin1');
}
