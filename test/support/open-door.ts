// A door on ports of the system's choosing, with a certificate of its own and a clock that stands still.
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { RequestListener } from 'node:http';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { ChallengeAnswers } from '../../src/door/challenge-answers.ts';
import { DoorServer, type DoorOptions } from '../../src/door/door-server.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { FakeClock } from './fake-clock.ts';
import { TestCertificates } from './loopback.ts';
import { RecordedLog } from './recorded-log.ts';
import { seededRandom } from './seeded-random.ts';

export const everyDoor = ['rtmp', 'rtmps', 'rtmpe', 'https', 'http'];

/** A transport that was handed over, with what arrived on it. */
export interface Arrived {
  readonly transport: Transport;
  readonly bytes: () => Buffer;
  readonly ended: () => boolean;
}

export interface TestDoorOptions extends Partial<Omit<DoorOptions, 'limits'>> {
  /** What each listener accepts. */
  readonly accept?: readonly (readonly string[])[];
  readonly limits?: Partial<DoorOptions['limits']>;
}

/** Everything but started; it is stopped when the test is over. */
export function buildDoor(options: TestDoorOptions = {}) {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const certificates = new TestCertificates();
  const arrived: Arrived[] = [];
  const onRequest: RequestListener = (request, response) =>
    void response.end(`${request.method} ${request.url}`);
  const { accept = [everyDoor], limits, ...rest } = options;
  const door = new DoorServer({
    listeners: accept.map((names) => ({ host: '127.0.0.1', port: 0, accept: names })),
    limits: {
      connections: 100,
      connectionsPerAddress: 100,
      handshakes: 100,
      handshakesPerAddress: 100,
      handshakeTimeout: 10_000,
      ...limits,
    },
    ingestLatency: 0,
    tls: { minVersion: 'TLSv1.2', ticketKeys: new Uint8Array(48).fill(7) },
    certificates,
    challenges: new ChallengeAnswers(),
    trustedProxies: [],
    betterUrl: (wanted) =>
      wanted === 'rtmp' ? 'rtmps://ingest.example.com/live' : 'https://ingest.example.com:8443/',
    clock,
    random: { bytes: seededRandom('door') },
    log,
    onTransport: (transport) => {
      const pieces: Buffer[] = [];
      let over = false;
      transport.start({ bytes: (borrowed) => pieces.push(Buffer.from(borrowed)), end: () => (over = true) });
      arrived.push({ transport, bytes: () => Buffer.concat(pieces), ended: () => over });
    },
    onRequest,
    ...rest,
  });
  onTestFinished(() => door.stop());
  return { door, clock, log, certificates, arrived };
}

/** A door that is open, and how to come to it. */
export async function openDoor(options: TestDoorOptions = {}) {
  const built = buildDoor(options);
  const { door, certificates } = built;
  await door.start();
  const ports = door.addresses.map(({ port }) => port);
  const dial = async (listener = 0): Promise<Socket> => {
    const socket = connect({ port: ports[listener] ?? 0, host: '127.0.0.1', noDelay: true });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  const dialTls = async (tls: ConnectionOptions = {}, listener = 0): Promise<TLSSocket> => {
    const socket = connectTls({ port: ports[listener] ?? 0, host: '127.0.0.1', ca: certificates.ca, ...tls });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
    return socket;
  };
  return { ...built, ports, dial, dialTls };
}
