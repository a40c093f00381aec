// AMF3 → values. Action Message Format AMF 3 (2013), chapters 1 and 3. Bounded like AMF0; strings, objects and
// traits by reference count as what they stand for. Classes are never instantiated: a typed object is data, and
// one that writes itself (externalizable) is AMF_TYPE_UNKNOWN. Vectors and dense arrays are arrays alike. pure.
import { readUint32 } from '../bytes/big-endian.ts';
import { ProtocolError } from '../errors.ts';
import { AmfInput, type Referable } from './amf-input.ts';
import { amfLimits, type AmfLimits } from './amf-limits.ts';
import { Amf3Marker } from './amf-marker.ts';
import { AmfObject, type AmfValue } from './amf-value.ts';

/** All values up to the end of the bytes. Throws ProtocolError AMF_*. */
export function decodeAmf3(bytes: Uint8Array, limits: AmfLimits = amfLimits): AmfValue[] {
  const input = new AmfInput(bytes, limits);
  const decoder = new Amf3Decoder(input);
  const values: AmfValue[] = [];
  while (!input.done) values.push(decoder.read(0));
  return values;
}

interface Text {
  readonly text: string;
  /** Length on the wire, which is what a reference to it counts for. */
  readonly bytes: number;
}

/** What the objects of one class have in common. AMF3 3.12. */
interface Traits {
  readonly className: Text;
  readonly dynamic: boolean;
  readonly sealed: readonly Text[];
}

const noText: Text = { text: '', bytes: 0 };

/** Value by value from an input that it may share with an AMF0 decoder; its references last as long as it does. */
export class Amf3Decoder {
  readonly #input: AmfInput;
  readonly #strings: Text[] = [];
  readonly #objects: Referable[] = [];
  readonly #traits: Traits[] = [];

  constructor(input: AmfInput) {
    this.#input = input;
  }

  /** The next value; `depth` objects and arrays are around it. Throws ProtocolError AMF_*. */
  read(depth: number): AmfValue {
    const input = this.#input;
    input.countNodes(1);
    input.height = 0;
    const marker = input.takeByte();
    switch (marker) {
      case Amf3Marker.Undefined:
        return undefined;
      case Amf3Marker.Null:
        return null;
      case Amf3Marker.False:
        return false;
      case Amf3Marker.True:
        return true;
      case Amf3Marker.Integer:
        return (this.#readUint29() << 3) >> 3; // AMF3 3.6: 29 bits with a sign
      case Amf3Marker.Double:
        return this.#readDouble();
      case Amf3Marker.String:
        return this.#readString().text;
      case Amf3Marker.XmlDocument:
      case Amf3Marker.Xml:
        return this.#leaf(depth, (length) => input.takeText(length));
      case Amf3Marker.Date:
        return this.#leaf(depth, () => new Date(this.#readDouble())); // AMF3 3.10: the other 28 bits say nothing
      case Amf3Marker.ByteArray:
        return this.#leaf(depth, (length) => {
          const start = input.takeString(length);
          return Uint8Array.from(input.bytes.subarray(start, start + length));
        });
      case Amf3Marker.Array:
        return this.#container(depth, (count) => this.#readArray(depth, count));
      case Amf3Marker.Object:
        return this.#container(depth, (header) => this.#readObject(depth, header));
      case Amf3Marker.VectorInt:
        return this.#container(depth, (count) =>
          this.#readNumbers(count, 4, (at) => input.bytes.readInt32BE(at)),
        );
      case Amf3Marker.VectorUint:
        return this.#container(depth, (count) =>
          this.#readNumbers(count, 4, (at) => readUint32(input.bytes, at)),
        );
      case Amf3Marker.VectorDouble:
        return this.#container(depth, (count) =>
          this.#readNumbers(count, 8, (at) => input.bytes.readDoubleBE(at)),
        );
      case Amf3Marker.VectorObject:
        return this.#container(depth, (count) => {
          input.take(1); // AMF3 3.15: whether its length is fixed
          this.#readString(); // and the class of its elements
          return this.#readValues(depth, count);
        });
      case Amf3Marker.Dictionary:
        return this.#container(depth, (count) => this.#readDictionary(depth, count));
      default:
        throw new ProtocolError('AMF_TYPE_UNKNOWN', `AMF3 type marker ${marker}`, { clause: 'AMF3 3.1' });
    }
  }

  /** AMF3 1.3.1: 7 bits in each of three bytes, 8 in the fourth. */
  #readUint29(): number {
    let value = 0;
    for (let count = 0; count < 3; count += 1) {
      const byte = this.#input.takeByte();
      value = (value << 7) | (byte & 0x7f);
      if (byte < 0x80) return value;
    }
    return (value << 8) | this.#input.takeByte();
  }

  #readDouble(): number {
    return this.#input.bytes.readDoubleBE(this.#input.take(8));
  }

  /** AMF3 1.3.2: a reference, or a length and as many bytes. The empty string is never referred to. */
  #readString(): Text {
    const input = this.#input;
    const header = this.#readUint29();
    if ((header & 1) === 0) {
      const text = this.#strings[header >> 1];
      if (text === undefined) throw noReference('string', header >> 1, 'AMF3 1.3.2');
      input.countText(text.bytes);
      return text;
    }
    const bytes = header >> 1;
    if (bytes === 0) return noText;
    const text = { text: input.takeText(bytes), bytes };
    this.#strings.push(text);
    return text;
  }

  /** A value without others inside that may be referred to. `read` gets the upper 28 bits of its header. */
  #leaf(depth: number, read: (length: number) => AmfValue): AmfValue {
    const input = this.#input;
    const header = this.#readUint29();
    if ((header & 1) === 0) return input.reference(this.#objects, header >> 1, depth, 'AMF3 2.2');
    const value = read(header >> 1);
    const text = typeof value === 'string' || value instanceof Uint8Array ? header >> 1 : 0;
    this.#objects.push({ value, nodes: 1, text, height: 0 });
    return value;
  }

  #container(depth: number, read: (header: number) => AmfValue): AmfValue {
    const header = this.#readUint29();
    if ((header & 1) === 0) return this.#input.reference(this.#objects, header >> 1, depth, 'AMF3 2.2');
    return this.#input.container(this.#objects, depth, () => read(header >> 1));
  }

  /** AMF3 3.11: named values, then as many without names. Only with names it is an ECMA array. */
  #readArray(depth: number, count: number): AmfValue {
    const input = this.#input;
    input.checkNodes(count); // refused for what it declares; nothing is ever allocated for a count
    const named = this.#readNamed(depth, []);
    let { height } = input;
    const values = this.#readValues(depth, count);
    height = Math.max(height, input.height);
    input.height = height;
    if (named.length === 0) return values;
    const properties = values.map((value, index): [string, AmfValue] => [String(index), value]);
    input.checkKeys(named.length + properties.length);
    return new AmfObject([...named, ...properties], 'ecma-array');
  }

  /** AMF3 3.12. The upper 28 bits of the header: traits by reference or in place, and what these are like. */
  #readObject(depth: number, header: number): AmfObject {
    const input = this.#input;
    const { className, sealed, dynamic } = this.#readTraits(header);
    const properties: [string, AmfValue][] = [];
    let height = 0;
    for (const { text, bytes } of sealed) {
      input.countText(bytes);
      properties.push([text, this.read(depth + 1)]);
      height = Math.max(height, input.height);
    }
    input.height = height + 1;
    if (dynamic) {
      this.#readNamed(depth, properties);
      input.height = Math.max(height + 1, input.height);
    }
    input.countText(className.bytes);
    const kind = className.text === '' ? 'object' : 'typed-object';
    return new AmfObject(properties, kind, className.text);
  }

  #readTraits(header: number): Traits {
    const input = this.#input;
    if ((header & 1) === 0) {
      const traits = this.#traits[header >> 1];
      if (traits === undefined) throw noReference('class', header >> 1, 'AMF3 3.12');
      return traits;
    }
    if ((header & 2) !== 0) {
      throw new ProtocolError('AMF_TYPE_UNKNOWN', 'an AMF3 object that only its own class can read', {
        clause: 'AMF3 3.12',
      });
    }
    const count = header >> 3;
    input.checkKeys(count);
    const className = this.#readString();
    const sealed: Text[] = [];
    for (let index = 0; index < count; index += 1) sealed.push(this.#readString());
    const traits = { className, dynamic: (header & 4) !== 0, sealed };
    this.#traits.push(traits);
    return traits;
  }

  /** Names and values up to the empty name, added to `properties`. */
  #readNamed(depth: number, properties: [string, AmfValue][]): [string, AmfValue][] {
    const input = this.#input;
    let height = 0;
    for (;;) {
      const { text } = this.#readString();
      if (text === '') {
        input.height = height + 1;
        return properties;
      }
      input.checkKeys(properties.length + 1);
      properties.push([text, this.read(depth + 1)]);
      height = Math.max(height, input.height);
    }
  }

  #readValues(depth: number, count: number): AmfValue[] {
    const input = this.#input;
    input.checkNodes(count);
    const values: AmfValue[] = [];
    let height = 0;
    for (let index = 0; index < count; index += 1) {
      values.push(this.read(depth + 1));
      height = Math.max(height, input.height);
    }
    input.height = height + 1;
    return values;
  }

  /** AMF3 3.15 */
  #readNumbers(count: number, size: number, read: (at: number) => number): number[] {
    const input = this.#input;
    input.take(1); // whether its length is fixed
    input.countNodes(count);
    const start = input.take(count * size);
    input.height = 1;
    return Array.from({ length: count }, (_, index) => read(start + index * size));
  }

  /** AMF3 3.16: keys are values of any type, so it becomes an array of pairs, which are arrays themselves. */
  #readDictionary(depth: number, count: number): AmfValue[] {
    const input = this.#input;
    input.checkDepth(depth + 2);
    input.take(1); // whether its keys are held weakly
    input.checkNodes(2 * count);
    const pairs: AmfValue[] = [];
    let height = 0;
    for (let index = 0; index < count; index += 1) {
      input.countNodes(1);
      pairs.push(this.#readValues(depth + 1, 2));
      height = Math.max(height, input.height);
    }
    input.height = height + 1;
    return pairs;
  }
}

function noReference(what: string, index: number, clause: string): ProtocolError {
  return new ProtocolError('AMF_TYPE_UNKNOWN', `AMF3 ${what} reference ${index} to nothing`, { clause });
}
