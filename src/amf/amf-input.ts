// The bytes that the values of one message are read from, and the account of what they unfold into: AMF0 and
// AMF3 decoders share one, because a message may switch between them. Knows no type of value. pure.
import { ProtocolError } from '../errors.ts';
import type { AmfLimits } from './amf-limits.ts';
import type { AmfValue } from './amf-value.ts';

/** What a reference may point to, and what it counts for. */
export interface Referable {
  /** Undefined while the object or array is still being read. */
  value: AmfValue;
  nodes: number;
  /** Bytes of strings and keys. */
  text: number;
  /** Objects and arrays inside one another, itself included; 0 for anything else. */
  height: number;
}

export class AmfInput {
  readonly bytes: Buffer;
  readonly limits: AmfLimits;
  offset = 0;
  /** Height of the value read last; 0 for anything but objects and arrays. */
  height = 0;
  #nodes = 0;
  #text = 0;

  /** The bytes are borrowed until the last value is read. */
  constructor(bytes: Uint8Array, limits: AmfLimits) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.limits = limits;
  }

  /** True if no byte is left. */
  get done(): boolean {
    return this.offset >= this.bytes.length;
  }

  /** Moves past `count` bytes and returns where they begin. @throws ProtocolError AMF_TRUNCATED */
  take(count: number): number {
    const start = this.offset;
    if (count > this.bytes.length - start) {
      throw new ProtocolError('AMF_TRUNCATED', 'an AMF value is cut short');
    }
    this.offset = start + count;
    return start;
  }

  /** @throws ProtocolError AMF_TRUNCATED */
  takeByte(): number {
    return this.bytes[this.take(1)] as number;
  }

  /** Bytes that are not UTF-8 become U+FFFD: clients send names in whatever their system uses. */
  takeText(length: number): string {
    const start = this.takeString(length);
    return this.bytes.toString('utf8', start, start + length);
  }

  /** Like take(), for bytes whose number is limited. @throws ProtocolError AMF_TOO_LARGE, AMF_TRUNCATED */
  takeString(length: number): number {
    if (length > this.limits.stringBytes) {
      throw new ProtocolError('AMF_TOO_LARGE', `AMF string of ${length} bytes`);
    }
    this.countText(length);
    return this.take(length);
  }

  /** @throws ProtocolError AMF_TOO_LARGE */
  countNodes(count: number): void {
    this.checkNodes(count);
    this.#nodes += count;
  }

  /** Refuses what a count declares before anything is read or allocated for it. */
  checkNodes(more: number): void {
    if (this.#nodes + more > this.limits.nodes) {
      throw new ProtocolError('AMF_TOO_LARGE', `more than ${this.limits.nodes} AMF values`);
    }
  }

  /** @throws ProtocolError AMF_TOO_LARGE */
  countText(bytes: number): void {
    this.#text += bytes;
    if (this.#text > this.limits.textBytes) {
      throw new ProtocolError('AMF_TOO_LARGE', `more than ${this.limits.textBytes} bytes of AMF strings`);
    }
  }

  /** @throws ProtocolError AMF_TOO_LARGE for an object of so many properties. */
  checkKeys(count: number): void {
    if (count > this.limits.keys) {
      throw new ProtocolError('AMF_TOO_LARGE', `more than ${this.limits.keys} keys in an AMF object`);
    }
  }

  /** Reads an object or array, whose own node is counted already, and gives it a place among the references. */
  container(referables: Referable[], depth: number, readContents: () => AmfValue): AmfValue {
    this.checkDepth(depth + 1);
    const [nodes, text] = [this.#nodes - 1, this.#text];
    const referable: Referable = { value: undefined, nodes: 0, text: 0, height: 0 };
    referables.push(referable);
    referable.value = readContents();
    referable.nodes = this.#nodes - nodes;
    referable.text = this.#text - text;
    referable.height = this.height;
    return referable.value;
  }

  /**
   * The same object is given again, so it counts again: a few references to references would otherwise unfold
   * into more than any reader of the value can walk through. The reference's own node is counted already.
   */
  reference(referables: readonly Referable[], index: number, depth: number, clause: string): AmfValue {
    const referable = referables[index];
    if (referable?.value === undefined) {
      throw new ProtocolError('AMF_TYPE_UNKNOWN', `AMF reference ${index} to no finished object`, { clause });
    }
    this.checkDepth(depth + referable.height);
    this.countNodes(referable.nodes - 1);
    this.countText(referable.text);
    this.height = referable.height;
    return referable.value;
  }

  /** `depth`: objects and arrays inside one another. @throws ProtocolError AMF_TOO_DEEP */
  checkDepth(depth: number): void {
    if (depth > this.limits.depth) {
      throw new ProtocolError(
        'AMF_TOO_DEEP',
        `more than ${this.limits.depth} AMF objects inside one another`,
      );
    }
  }
}
