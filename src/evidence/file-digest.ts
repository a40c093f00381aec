// What a file must still be: its SHA-256, and that of every prefix of 1 MiB, 2 MiB and so on, from one pass. The
// prefixes tell where a change begins. FIPS 180-4. Leaves out reading. pure but for the hash.
import { createHash } from 'node:crypto';

export const prefixLength = 1024 * 1024;

export interface Digests {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Of the first `prefixLength` bytes, of twice as many, and so on as often as they fit. */
  readonly prefixSha256: readonly string[];
}

/** Where two files differ: bytes `from` to `to`, the latter not included. */
export interface Difference {
  readonly from: number;
  readonly to: number;
}

export class FileDigest {
  readonly #hash = createHash('sha256');
  readonly #prefixes: string[] = [];
  #bytes = 0;

  /** So many were pushed. */
  get bytes(): number {
    return this.#bytes;
  }

  push(piece: Uint8Array): void {
    let rest = piece;
    while (rest.length > 0) {
      const part = rest.subarray(0, prefixLength - (this.#bytes % prefixLength));
      this.#hash.update(part);
      this.#bytes += part.length;
      if (this.#bytes % prefixLength === 0) this.#prefixes.push(this.#hash.copy().digest('hex'));
      rest = rest.subarray(part.length);
    }
  }

  finish(): Digests {
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex'), prefixSha256: this.#prefixes };
  }
}

/** Undefined when both are the same. The change begins somewhere in the range that is answered. */
export function differenceBetween(signed: Digests, found: Digests): Difference | undefined {
  if (signed.sha256 === found.sha256 && signed.bytes === found.bytes) return undefined;
  const shared = Math.min(signed.prefixSha256.length, found.prefixSha256.length);
  for (let index = 0; index < shared; index += 1) {
    if (signed.prefixSha256[index] !== found.prefixSha256[index]) {
      return { from: index * prefixLength, to: (index + 1) * prefixLength };
    }
  }
  return {
    from: shared * prefixLength,
    to: Math.min((shared + 1) * prefixLength, Math.max(signed.bytes, found.bytes)),
  };
}
