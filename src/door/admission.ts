// Who may come in: connections in all and per address, and how many of them may still be strangers (no good
// key yet), because a stranger costs memory and a TLS handshake costs CPU. pure.
import { addressGroup } from '../ops/address.ts';

export interface AdmissionLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Connections that have not shown a key yet. */
  readonly handshakes: number;
  readonly handshakesPerAddress: number;
}

/** One admitted connection. */
export interface Entry {
  /** It has shown a good key, and no longer counts as a stranger. Idempotent. */
  admit(): void;
  /** It is gone. Idempotent. */
  leave(): void;
}

interface AddressCount {
  connections: number;
  strangers: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #addresses = new Map<string, AddressCount>();
  #connections = 0;
  #strangers = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** How many are inside, and how many of them have not shown a key yet. */
  get counts(): { readonly connections: number; readonly strangers: number } {
    return { connections: this.#connections, strangers: this.#strangers };
  }

  /** Undefined when a limit is reached. */
  enter(address: string): Entry | undefined {
    const key = addressGroup(address);
    const count = this.#addresses.get(key) ?? { connections: 0, strangers: 0 };
    const full =
      this.#connections >= this.#limits.connections ||
      this.#strangers >= this.#limits.handshakes ||
      count.connections >= this.#limits.connectionsPerAddress ||
      count.strangers >= this.#limits.handshakesPerAddress;
    if (full) return undefined;
    this.#addresses.set(key, count);
    count.connections++;
    count.strangers++;
    this.#connections++;
    this.#strangers++;
    let stranger = true;
    let present = true;
    const admit = () => {
      if (!stranger) return;
      stranger = false;
      count.strangers--;
      this.#strangers--;
    };
    const leave = () => {
      if (!present) return;
      present = false;
      admit();
      count.connections--;
      this.#connections--;
      if (count.connections === 0) this.#addresses.delete(key);
    };
    return { admit, leave };
  }
}
