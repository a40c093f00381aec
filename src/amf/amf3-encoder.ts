// Values → AMF3. Action Message Format AMF 3 (2013), chapters 1 and 3. Refers to strings it has written before;
// leaves out references to objects and traits: an object that occurs twice is written twice. pure.
import { Amf3Marker } from './amf-marker.ts';
import { AmfOutput } from './amf-output.ts';
import { AmfObject, type AmfValue } from './amf-value.ts';

const largestInteger = 0x0f_ff_ff_ff;
const smallestInteger = -0x10_00_00_00;

/** The values one after the other, in a buffer of their own; the references are theirs in common. */
export function encodeAmf3(...values: readonly AmfValue[]): Uint8Array {
  const encoder = new Encoder();
  for (const value of values) encoder.write(value);
  return encoder.output.finish();
}

class Encoder {
  readonly output = new AmfOutput();
  readonly #strings = new Map<string, number>();

  write(value: AmfValue): void {
    const { output } = this;
    if (value === undefined) output.writeByte(Amf3Marker.Undefined);
    else if (value === null) output.writeByte(Amf3Marker.Null);
    else if (typeof value === 'boolean') output.writeByte(value ? Amf3Marker.True : Amf3Marker.False);
    else if (typeof value === 'number') this.#writeNumber(value);
    else if (typeof value === 'string') {
      output.writeByte(Amf3Marker.String);
      this.#writeString(value);
    } else if (value instanceof Date) {
      output.writeByte(Amf3Marker.Date);
      this.#writeUint29(1);
      output.writeDouble(value.getTime());
    } else if (value instanceof Uint8Array) {
      output.writeByte(Amf3Marker.ByteArray);
      this.#writeUint29((value.length << 1) | 1);
      output.writeBytes(value);
    } else if (value instanceof AmfObject) this.#writeObject(value);
    else {
      output.writeByte(Amf3Marker.Array);
      this.#writeUint29((value.length << 1) | 1);
      this.#writeString(''); // AMF3 3.11: no named values
      for (const element of value) this.write(element);
    }
  }

  #writeNumber(value: number): void {
    // AMF3 3.6: an integer when 29 bits hold it; -0 is none.
    if (
      Number.isInteger(value) &&
      value >= smallestInteger &&
      value <= largestInteger &&
      !Object.is(value, -0)
    ) {
      this.output.writeByte(Amf3Marker.Integer);
      this.#writeUint29(value & 0x1f_ff_ff_ff);
    } else {
      this.output.writeByte(Amf3Marker.Double);
      this.output.writeDouble(value);
    }
  }

  #writeObject({ kind, className, properties }: AmfObject): void {
    const { output } = this;
    if (kind === 'ecma-array' && properties.size > 0 && !properties.has('')) {
      output.writeByte(Amf3Marker.Array);
      this.#writeUint29(1); // AMF3 3.11: nothing without a name
      this.#writeNamed(properties);
      return;
    }
    output.writeByte(Amf3Marker.Object);
    // AMF3 3.12: the empty name ends dynamic members, so only sealed ones can have it.
    const sealed = properties.has('');
    this.#writeUint29(sealed ? (properties.size << 4) | 0b0011 : 0b1011);
    this.#writeString(className);
    if (!sealed) return this.#writeNamed(properties);
    for (const name of properties.keys()) this.#writeString(name);
    for (const value of properties.values()) this.write(value);
  }

  #writeNamed(properties: ReadonlyMap<string, AmfValue>): void {
    for (const [name, value] of properties) {
      this.#writeString(name);
      this.write(value);
    }
    this.#writeString('');
  }

  /** AMF3 1.3.2: a reference to one that was written before, or length and UTF-8. */
  #writeString(text: string): void {
    const index = this.#strings.get(text);
    if (index !== undefined) return this.#writeUint29(index << 1);
    if (text !== '') this.#strings.set(text, this.#strings.size);
    const length = Buffer.byteLength(text);
    this.#writeUint29((length << 1) | 1);
    this.output.writeText(text, length);
  }

  /** AMF3 1.3.1 */
  #writeUint29(value: number): void {
    const { output } = this;
    if (value < 0x80) return output.writeByte(value);
    if (value < 0x40_00) {
      output.writeByte(0x80 | (value >> 7));
      return output.writeByte(value & 0x7f);
    }
    if (value < 0x20_00_00) {
      output.writeByte(0x80 | (value >> 14));
      output.writeByte(0x80 | ((value >> 7) & 0x7f));
      return output.writeByte(value & 0x7f);
    }
    output.writeByte(0x80 | (value >> 22));
    output.writeByte(0x80 | ((value >> 15) & 0x7f));
    output.writeByte(0x80 | ((value >> 8) & 0x7f));
    return output.writeByte(value & 0xff);
  }
}
