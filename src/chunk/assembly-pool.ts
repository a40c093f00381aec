// Buffers in which messages are put together, shared by all connections: a buffer is held only while a message is
// unfinished, so hundreds of streams need few of them, and none is allocated per message (PERFORMANCE 3.1, 3.4).
// A buffer comes with whatever was in it before; who takes it shows no byte that it did not write. pure but for
// being shared.
import { chunkLimits } from './chunk-limits.ts';

/** Sizes are powers of two from 1 KiB to 256 KiB; what is larger is made and let go. */
const smallestPower = 10;
const largestPower = 18;

const idle: Uint8Array[][] = Array.from({ length: largestPower + 1 }, () => []);
let idleBytes = 0;

/** A buffer of at least so many bytes, and less than twice as many (but never under 1 KiB). */
export function takeAssembly(bytes: number): Uint8Array {
  const power = powerFor(bytes);
  const found = power > largestPower ? undefined : idle[power]?.pop();
  if (found === undefined) return Buffer.allocUnsafeSlow(power > largestPower ? bytes : 2 ** power);
  idleBytes -= found.length;
  return found;
}

/** The giver must not touch the buffer any more. */
export function giveAssembly(buffer: Uint8Array): void {
  const power = powerFor(buffer.length);
  if (power > largestPower || idleBytes + buffer.length > chunkLimits.pooledAssemblyBytes) return;
  idleBytes += buffer.length;
  idle[power]?.push(buffer);
}

function powerFor(bytes: number): number {
  return Math.max(smallestPower, 32 - Math.clz32(bytes - 1));
}
