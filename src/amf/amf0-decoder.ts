// AMF0 → values. Action Message Format AMF 0 (2007), chapter 2. Depth, nodes, keys and strings are bounded, no
// count from the peer is trusted, references only go back. Leaves out MovieClip and RecordSet, which are
// reserved and AMF_TYPE_UNKNOWN. The switch to AMF3 (AMF0 3.1) holds for one value. pure.
import { readUint16, readUint32 } from '../bytes/big-endian.ts';
import { ProtocolError } from '../errors.ts';
import { AmfInput, type Referable } from './amf-input.ts';
import { amfLimits } from './amf-limits.ts';
import type { AmfLimits } from './amf-limits.ts';
import { Amf0Marker } from './amf-marker.ts';
import { AmfObject } from './amf-value.ts';
import type { AmfObjectKind, AmfValue } from './amf-value.ts';
import { Amf3Decoder } from './amf3-decoder.ts';

/** All values up to the end of the bytes. Throws ProtocolError AMF_*. */
export function decodeAmf0(bytes: Uint8Array, limits: AmfLimits = amfLimits): AmfValue[] {
  const decoder = new Amf0Decoder(bytes, limits);
  const values: AmfValue[] = [];
  while (!decoder.done) values.push(decoder.read());
  return values;
}

/** Value by value, for who only wants the first ones. The limits hold for all of them together. */
export class Amf0Decoder {
  readonly #input: AmfInput;
  readonly #referables: Referable[] = [];
  /** One for the whole message: practice, what Flash refers to may stand in an earlier AMF3 value. */
  #amf3: Amf3Decoder | undefined;

  /** The bytes are borrowed until the last read(); values keep nothing of them. */
  constructor(bytes: Uint8Array, limits: AmfLimits = amfLimits) {
    this.#input = new AmfInput(bytes, limits);
  }

  /** True if no byte is left. */
  get done(): boolean {
    return this.#input.done;
  }

  /** Was any value so far written in AMF3? */
  get switched(): boolean {
    return this.#amf3 !== undefined;
  }

  /** The next value. Throws ProtocolError AMF_*, after which the decoder is of no use. */
  read(): AmfValue {
    return this.#readValue(0);
  }

  /** `depth`: objects and arrays around the value. Recursion ends at the depth limit. */
  #readValue(depth: number): AmfValue {
    const input = this.#input;
    const marker = input.takeByte();
    if (marker === Amf0Marker.AvmPlus) {
      this.#amf3 ??= new Amf3Decoder(input);
      return this.#amf3.read(depth);
    }
    input.countNodes(1);
    input.height = 0;
    switch (marker) {
      case Amf0Marker.Number:
        return input.bytes.readDoubleBE(input.take(8));
      case Amf0Marker.Boolean:
        return input.takeByte() !== 0; // AMF0 2.3
      case Amf0Marker.String:
        return this.#readString();
      case Amf0Marker.LongString: // AMF0 2.14
      case Amf0Marker.XmlDocument: // AMF0 2.17: a long string too
        return input.takeText(readUint32(input.bytes, input.take(4)));
      case Amf0Marker.Null:
        return null;
      case Amf0Marker.Undefined:
      case Amf0Marker.Unsupported: // AMF0 2.15: the sender had something that AMF cannot say
        return undefined;
      case Amf0Marker.Date: {
        const time = input.bytes.readDoubleBE(input.take(8));
        input.take(2); // AMF0 2.13: a time zone, reserved, not to be used
        return new Date(time);
      }
      case Amf0Marker.Reference: {
        const index = readUint16(input.bytes, input.take(2));
        return input.reference(this.#referables, index, depth, 'AMF0 2.9');
      }
      case Amf0Marker.Object:
        return this.#readContainer(depth, () => this.#readObject(depth, 'object', ''));
      case Amf0Marker.EcmaArray:
        input.take(4); // AMF0 2.10: a count; OBS's is wrong (WIRE 4), the end marker counts
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

  #readContainer(depth: number, readContents: () => AmfValue): AmfValue {
    return this.#input.container(this.#referables, depth, readContents);
  }

  #readObject(depth: number, kind: AmfObjectKind, className: string): AmfObject {
    const input = this.#input;
    const properties: [string, AmfValue][] = [];
    let height = 0;
    for (;;) {
      const key = this.#readString();
      // AMF0 2.11: an empty key and the end marker end the object. An empty key before a value is a key.
      if (key === '' && input.bytes[input.offset] === Amf0Marker.ObjectEnd) {
        input.take(1);
        input.height = height + 1;
        return new AmfObject(properties, kind, className);
      }
      input.checkKeys(properties.length + 1);
      properties.push([key, this.#readValue(depth + 1)]);
      height = Math.max(height, input.height);
    }
  }

  #readStrictArray(depth: number): AmfValue[] {
    const input = this.#input;
    const count = readUint32(input.bytes, input.take(4));
    input.checkNodes(count); // refused for what it declares; nothing is ever allocated for a count
    const values: AmfValue[] = [];
    let height = 0;
    for (let index = 0; index < count; index += 1) {
      values.push(this.#readValue(depth + 1));
      height = Math.max(height, input.height);
    }
    input.height = height + 1;
    return values;
  }

  #readString(): string {
    return this.#input.takeText(readUint16(this.#input.bytes, this.#input.take(2)));
  }
}
