// AMF0 → values. Action Message Format AMF 0 (2007), chapter 2. Depth, nodes, keys and strings are bounded, no
// count from the peer is trusted, references only go back. Leaves out MovieClip and RecordSet, which are
// reserved, and the switch to AMF3 (0x11): all three are AMF_TYPE_UNKNOWN. pure.
import { readUint16, readUint32 } from '../bytes/big-endian.ts';
import { ProtocolError } from '../errors.ts';
import { amfLimits } from './amf-limits.ts';
import type { AmfLimits } from './amf-limits.ts';
import { AmfObject } from './amf-value.ts';
import type { AmfObjectKind, AmfValue } from './amf-value.ts';
import { Amf0Marker } from './amf0-marker.ts';

/** All values up to the end of the bytes. Throws ProtocolError AMF_*. */
export function decodeAmf0(bytes: Uint8Array, limits: AmfLimits = amfLimits): AmfValue[] {
  const decoder = new Amf0Decoder(bytes, limits);
  const values: AmfValue[] = [];
  while (!decoder.done) values.push(decoder.read());
  return values;
}

/** What a reference may point to, and what it counts for. */
interface Referable {
  /** Undefined while the object or array is still being read. */
  value: AmfValue;
  nodes: number;
  /** Objects and arrays inside one another, itself included. */
  height: number;
}

/** Value by value, for who only wants the first ones. The limits hold for all of them together. */
export class Amf0Decoder {
  readonly #bytes: Buffer;
  readonly #limits: AmfLimits;
  #offset = 0;
  #nodes = 0;
  /** Height of the value read last; 0 for anything but objects and arrays. */
  #height = 0;
  readonly #referables: Referable[] = [];

  /** The bytes are borrowed until the last read(); values keep nothing of them. */
  constructor(bytes: Uint8Array, limits: AmfLimits = amfLimits) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  /** True if no byte is left. */
  get done(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** The next value. Throws ProtocolError AMF_*, after which the decoder is of no use. */
  read(): AmfValue {
    return this.#readValue(0);
  }

  /** `depth`: objects and arrays around the value. Recursion ends at the depth limit. */
  #readValue(depth: number): AmfValue {
    this.#countNodes(1);
    this.#height = 0;
    const marker = this.#bytes[this.#take(1)] as number;
    switch (marker) {
      case Amf0Marker.Number:
        return this.#bytes.readDoubleBE(this.#take(8));
      case Amf0Marker.Boolean:
        return this.#bytes[this.#take(1)] !== 0; // AMF0 2.3
      case Amf0Marker.String:
        return this.#readString();
      case Amf0Marker.LongString: // AMF0 2.14
      case Amf0Marker.XmlDocument: // AMF0 2.17: a long string too
        return this.#readText(readUint32(this.#bytes, this.#take(4)));
      case Amf0Marker.Null:
        return null;
      case Amf0Marker.Undefined:
      case Amf0Marker.Unsupported: // AMF0 2.15: the sender had something that AMF cannot say
        return undefined;
      case Amf0Marker.Date: {
        const time = this.#bytes.readDoubleBE(this.#take(8));
        this.#take(2); // AMF0 2.13: a time zone, reserved, not to be used
        return new Date(time);
      }
      case Amf0Marker.Reference:
        return this.#readReference(depth);
      case Amf0Marker.Object:
        return this.#readContainer(depth, () => this.#readObject(depth, 'object', ''));
      case Amf0Marker.EcmaArray:
        this.#take(4); // AMF0 2.10: a count; OBS's is wrong (WIRE 4), the end marker counts
        return this.#readContainer(depth, () => this.#readObject(depth, 'ecma-array', ''));
      case Amf0Marker.TypedObject: {
        const className = this.#readString();
        return this.#readContainer(depth, () => this.#readObject(depth, 'typed-object', className));
      }
      case Amf0Marker.StrictArray:
        return this.#readContainer(depth, () => this.#readStrictArray(depth));
      default:
        throw new ProtocolError('AMF_TYPE_UNKNOWN', `AMF0 type marker ${marker}`, { clause: 'AMF0 2.1' });
    }
  }

  /** What objects and arrays have in common: depth, and a place among the references. */
  #readContainer(depth: number, readContents: () => AmfValue): AmfValue {
    this.#checkDepth(depth + 1);
    const referable: Referable = { value: undefined, nodes: this.#nodes - 1, height: 0 };
    this.#referables.push(referable);
    referable.value = readContents();
    referable.nodes = this.#nodes - referable.nodes;
    referable.height = this.#height;
    return referable.value;
  }

  #readObject(depth: number, kind: AmfObjectKind, className: string): AmfObject {
    const properties: [string, AmfValue][] = [];
    let height = 0;
    for (;;) {
      const key = this.#readString();
      // AMF0 2.11: an empty key and the end marker end the object. An empty key before a value is a key.
      if (key === '' && this.#bytes[this.#offset] === Amf0Marker.ObjectEnd) {
        this.#offset += 1;
        this.#height = height + 1;
        return new AmfObject(properties, kind, className);
      }
      if (properties.length >= this.#limits.keys) {
        throw new ProtocolError('AMF_TOO_LARGE', `more than ${this.#limits.keys} keys in an AMF0 object`);
      }
      properties.push([key, this.#readValue(depth + 1)]);
      height = Math.max(height, this.#height);
    }
  }

  #readStrictArray(depth: number): AmfValue[] {
    const count = readUint32(this.#bytes, this.#take(4));
    this.#checkNodes(count); // refused for what it declares; nothing is ever allocated for a count
    const values: AmfValue[] = [];
    let height = 0;
    for (let index = 0; index < count; index += 1) {
      values.push(this.#readValue(depth + 1));
      height = Math.max(height, this.#height);
    }
    this.#height = height + 1;
    return values;
  }

  /**
   * AMF0 2.9. The same object is given again, so it counts again: a few references to references would
   * otherwise unfold into more than any reader of the value can walk through.
   */
  #readReference(depth: number): AmfValue {
    const index = readUint16(this.#bytes, this.#take(2));
    const referable = this.#referables[index];
    if (referable?.value === undefined) {
      throw new ProtocolError('AMF_TYPE_UNKNOWN', `AMF0 reference ${index} to no finished object`, {
        clause: 'AMF0 2.9',
      });
    }
    this.#checkDepth(depth + referable.height);
    this.#countNodes(referable.nodes - 1);
    this.#height = referable.height;
    return referable.value;
  }

  #readString(): string {
    return this.#readText(readUint16(this.#bytes, this.#take(2)));
  }

  /** Bytes that are not UTF-8 become U+FFFD: clients send names in whatever their system uses. */
  #readText(length: number): string {
    if (length > this.#limits.stringBytes) {
      throw new ProtocolError('AMF_TOO_LARGE', `AMF0 string of ${length} bytes`);
    }
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** Moves past `count` bytes and returns where they begin. */
  #take(count: number): number {
    const start = this.#offset;
    if (count > this.#bytes.length - start) throw truncated();
    this.#offset = start + count;
    return start;
  }

  #countNodes(count: number): void {
    this.#checkNodes(count);
    this.#nodes += count;
  }

  #checkNodes(more: number): void {
    if (this.#nodes + more > this.#limits.nodes) {
      throw new ProtocolError('AMF_TOO_LARGE', `more than ${this.#limits.nodes} AMF0 values`);
    }
  }

  #checkDepth(depth: number): void {
    if (depth > this.#limits.depth) {
      throw new ProtocolError(
        'AMF_TOO_DEEP',
        `more than ${this.#limits.depth} AMF0 objects inside one another`,
      );
    }
  }
}

function truncated(): ProtocolError {
  return new ProtocolError('AMF_TRUNCATED', 'an AMF0 value is cut short');
}
