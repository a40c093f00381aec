// Reads of every socket land in one buffer that is allocated once: an off-heap buffer per read costs more than
// the bytes in it (PERFORMANCE 2, 3.2). Node offers this for sockets it connects (`onread`); for accepted and
// TLS sockets this file sets the same fields by hand. They are undocumented, so the trick lives here alone,
// is tried once at start, and without it sockets fall back to 'data' events.
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** Bytes per read; a TLS socket delivers at most 16 KiB at once. */
const bufferSize = 256 * 1024;
const buffer = Buffer.allocUnsafeSlow(bufferSize);

interface UserBufferHandle {
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
}

/** Starts and stops the reading of one socket, below the stream layer. */
export interface ReadSwitch {
  start(): void;
  stop(): void;
}

/**
 * Hands everything the socket reads from now on to `deliver`, BORROWED. What the stream had buffered must have
 * been read before. `deliver` must not throw. Falls back to 'data' events where the trick is not to be had.
 */
export function deliverReads(
  socket: Socket,
  deliver: (borrowed: Uint8Array) => void,
  trick: boolean,
): ReadSwitch {
  const installed = trick ? install(socket, deliver) : undefined;
  if (installed !== undefined) return installed;
  socket.on('data', deliver);
  return { start: () => socket.resume(), stop: () => socket.pause() };
}

/** Tries the trick on a loopback connection. Resolves to whether bytes came through the buffer. */
export async function staticReadsWork(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), 1000);
  const server = createServer((socket) => {
    socket.on('error', () => resolve(false));
    const installed = install(socket, (borrowed) => {
      resolve(borrowed.buffer === buffer.buffer && borrowed.length === 1 && borrowed[0] === 42);
      socket.destroy();
    });
    if (installed === undefined) resolve(false);
    else installed.start();
  });
  server.on('error', () => resolve(false));
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    connect(port, '127.0.0.1')
      .on('error', () => resolve(false))
      .end(Uint8Array.of(42));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    server.close();
  }
}

function install(socket: Socket, deliver: (borrowed: Uint8Array) => void): ReadSwitch | undefined {
  const handle = (socket as unknown as { _handle?: Partial<UserBufferHandle> | null })._handle;
  const symbols = Object.getOwnPropertySymbols(socket);
  const bufferField = symbols.find((symbol) => symbol.description === 'kBuffer');
  const callbackField = symbols.find((symbol) => symbol.description === 'kBufferCb');
  if (bufferField === undefined || callbackField === undefined || !isUserBufferHandle(handle))
    return undefined;
  Object.assign(socket, {
    [bufferField]: buffer,
    [callbackField]: (length: number) => {
      deliver(buffer.subarray(0, length));
      return true; // false would stop the reading behind our back
    },
  });
  handle.useUserBuffer(buffer);
  // A closed socket has lost its handle; starting or stopping it again is harmless and does nothing.
  const alive = () => !socket.destroyed;
  return {
    start: () => void (alive() && handle.readStart()),
    stop: () => void (alive() && handle.readStop()),
  };
}

function isUserBufferHandle(
  handle: Partial<UserBufferHandle> | null | undefined,
): handle is UserBufferHandle {
  return (
    typeof handle?.useUserBuffer === 'function' &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function'
  );
}
