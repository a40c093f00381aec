// The doctor's hands: names, connections and what this machine trusts, as arguments, so that a test can give it
// broken ones. Also the one way in which the doctor waits.
import { lookup } from 'node:dns/promises';
import { connect, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { getCACertificates } from 'node:tls';
import type { Clock } from '../ops/clock.ts';

export interface Network {
  /** Addresses of a name in the order in which encoders get them. Rejects with the code of getaddrinfo. */
  resolve(host: string): Promise<readonly string[]>;
  /** A socket that is still connecting. */
  connect(address: string, port: number): Socket;
  /** Undefined when the address could be listened on, else the code of the error. Listens for a moment. */
  whyNotListen(address: string, port: number): Promise<string | undefined>;
  /** Addresses of this machine's interfaces. */
  ownAddresses(): readonly string[];
  /** Authorities that programs of this machine trust, as PEM. */
  trustedRoots(): readonly string[];
}

/** Of this machine. OBS trusts what the system trusts (WIRE 1); where that is unknown, what browsers trust. */
export const systemNetwork: Network = {
  resolve: async (host) =>
    (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address),
  connect: (address, port) => connect({ host: address, port, noDelay: true }),
  whyNotListen: (address, port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', (error) => resolve(codeOf(error)));
      server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
    }),
  ownAddresses: () =>
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  trustedRoots: () => {
    const roots = getCACertificates('system');
    return roots.length > 0 ? roots : getCACertificates('bundled');
  },
};

/** The code of a system error, or its text. */
export function codeOf(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}

export const tooLate = Symbol('too late');

/** What the work gives, or `tooLate` after so many milliseconds. */
export async function within<T>(
  clock: Clock,
  milliseconds: number,
  work: Promise<T>,
): Promise<T | typeof tooLate> {
  const late = Promise.withResolvers<typeof tooLate>();
  const cancel = clock.after(milliseconds, () => late.resolve(tooLate));
  // A command must not end while it waits: timers of the clock keep no process alive.
  const awake = setInterval(() => undefined, 1000);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearInterval(awake);
    cancel();
  }
}
