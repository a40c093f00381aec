// Randomness as an argument. Everything secret or unguessable comes from here.
import { randomBytes } from 'node:crypto';

export interface Random {
  /** So many bytes that nobody can guess. */
  bytes(length: number): Uint8Array;
}

/** The operating system's generator. */
export const systemRandom: Random = { bytes: (length) => randomBytes(length) };
