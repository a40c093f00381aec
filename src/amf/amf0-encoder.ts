// Values → AMF0. Action Message Format AMF 0 (2007), chapter 2. Leaves out references: an object that occurs
// twice is written twice. pure.
import { AmfObject } from './amf-value.ts';
import type { AmfValue } from './amf-value.ts';
import { Amf0Marker } from './amf0-marker.ts';

const longestString = 0xff_ff;

/** The values one after the other, in a buffer of their own. Throws a plain Error for a key above 65535 bytes. */
export function encodeAmf0(...values: AmfValue[]): Uint8Array {
  const encoder = new Encoder();
  for (const value of values) encoder.write(value);
  return encoder.finish();
}

class Encoder {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  write(value: AmfValue): void {
    if (value === null) this.#writeByte(Amf0Marker.Null);
    else if (value === undefined) this.#writeByte(Amf0Marker.Undefined);
    else if (typeof value === 'number') {
      this.#writeByte(Amf0Marker.Number);
      this.#writeDouble(value);
    } else if (typeof value === 'boolean') {
      this.#writeByte(Amf0Marker.Boolean);
      this.#writeByte(value ? 1 : 0);
    } else if (typeof value === 'string') this.#writeString(value);
    else if (value instanceof Date) {
      this.#writeByte(Amf0Marker.Date);
      this.#writeDouble(value.getTime());
      this.#writeUint(0, 2); // AMF0 2.13: time zone, reserved
    } else if (value instanceof AmfObject) this.#writeObject(value);
    else {
      this.#writeByte(Amf0Marker.StrictArray);
      this.#writeUint(value.length, 4);
      for (const element of value) this.write(element);
    }
  }

  #writeObject(object: AmfObject): void {
    if (object.kind === 'object') this.#writeByte(Amf0Marker.Object);
    else if (object.kind === 'ecma-array') {
      this.#writeByte(Amf0Marker.EcmaArray);
      this.#writeUint(object.properties.size, 4);
    } else {
      this.#writeByte(Amf0Marker.TypedObject);
      this.#writeName(object.className);
    }
    for (const [key, value] of object.properties) {
      this.#writeName(key);
      this.write(value);
    }
    this.#writeUint(0, 2); // AMF0 2.11: an empty key, then the end marker
    this.#writeByte(Amf0Marker.ObjectEnd);
  }

  #writeString(text: string): void {
    const length = Buffer.byteLength(text);
    const long = length > longestString; // AMF0 2.14
    this.#writeByte(long ? Amf0Marker.LongString : Amf0Marker.String);
    this.#writeUint(length, long ? 4 : 2);
    this.#writeText(text, length);
  }

  /** A key or a class name: a string without a marker. */
  #writeName(name: string): void {
    const length = Buffer.byteLength(name);
    if (length > longestString) throw new Error(`AMF0 key of ${length} bytes`);
    this.#writeUint(length, 2);
    this.#writeText(name, length);
  }

  #writeText(text: string, length: number): void {
    const at = this.#reserve(length);
    this.#bytes.write(text, at);
  }

  #writeByte(byte: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = byte;
  }

  #writeUint(value: number, size: 2 | 4): void {
    const at = this.#reserve(size);
    this.#bytes.writeUIntBE(value, at, size);
  }

  #writeDouble(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  /** Makes room and returns where it begins. May replace #bytes, so it comes first, on a line of its own. */
  #reserve(count: number): number {
    const start = this.#length;
    this.#length = start + count;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    return start;
  }
}
