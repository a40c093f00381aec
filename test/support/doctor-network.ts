// What the doctor meets: a network of this machine with names and trust of the test's choosing, and servers that are
// broken in one way each.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { type Network, systemNetwork } from '../../src/doctor/network.ts';

/** Every name leads to this machine. */
export function testNetwork(overrides: Partial<Network> = {}): Network {
  return {
    ...systemNetwork,
    resolve: () => Promise.resolve(['127.0.0.1']),
    ownAddresses: () => ['127.0.0.1', '::1', '192.0.2.7'],
    trustedRoots: () => [],
    ...overrides,
  };
}

/** Listens on a port of the system's choosing until the test is over. */
export async function brokenServer(onSocket: (socket: Socket) => void): Promise<number> {
  return listen(createServer(), onSocket);
}

export async function tlsServer(options: TlsOptions, onSocket: (socket: Socket) => void): Promise<number> {
  return listen(createTlsServer(options), onSocket, 'secureConnection');
}

/** A port at which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A connected socket. */
export async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function listen(
  server: ReturnType<typeof createServer>,
  onSocket: (socket: Socket) => void,
  event = 'connection',
): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('tlsClientError', () => undefined);
  server.on(event, (socket: Socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
