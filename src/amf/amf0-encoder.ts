// Values → AMF0. Action Message Format AMF 0 (2007), chapter 2. Leaves out references: an object that occurs
// twice is written twice; and AMF3, although AMF0 could switch to it: whoever reads a file would not. pure.
import { ProtocolError } from '../errors.ts';
import { Amf0Marker } from './amf-marker.ts';
import { AmfOutput } from './amf-output.ts';
import { AmfObject } from './amf-value.ts';
import type { AmfValue } from './amf-value.ts';

const longestString = 0xff_ff;

/**
 * The values one after the other, in a buffer of their own. Bytes are written as "unsupported". Throws
 * ProtocolError AMF_TOO_LARGE for a key above 65535 bytes: only a peer's AMF3 can hold one.
 */
export function encodeAmf0(...values: readonly AmfValue[]): Uint8Array {
  const encoder = new Encoder();
  for (const value of values) encoder.write(value);
  return encoder.output.finish();
}

class Encoder {
  readonly output = new AmfOutput();

  write(value: AmfValue): void {
    const { output } = this;
    if (value === null) output.writeByte(Amf0Marker.Null);
    else if (value === undefined) output.writeByte(Amf0Marker.Undefined);
    else if (typeof value === 'number') {
      output.writeByte(Amf0Marker.Number);
      output.writeDouble(value);
    } else if (typeof value === 'boolean') {
      output.writeByte(Amf0Marker.Boolean);
      output.writeByte(value ? 1 : 0);
    } else if (typeof value === 'string') this.#writeString(value);
    else if (value instanceof Date) {
      output.writeByte(Amf0Marker.Date);
      output.writeDouble(value.getTime());
      output.writeUint(0, 2); // AMF0 2.13: time zone, reserved
    } else if (value instanceof AmfObject) this.#writeObject(value);
    else if (value instanceof Uint8Array) output.writeByte(Amf0Marker.Unsupported); // AMF0 2.15
    else {
      output.writeByte(Amf0Marker.StrictArray);
      output.writeUint(value.length, 4);
      for (const element of value) this.write(element);
    }
  }

  #writeObject(object: AmfObject): void {
    const { output } = this;
    if (object.kind === 'object') output.writeByte(Amf0Marker.Object);
    else if (object.kind === 'ecma-array') {
      output.writeByte(Amf0Marker.EcmaArray);
      output.writeUint(object.properties.size, 4);
    } else {
      output.writeByte(Amf0Marker.TypedObject);
      this.#writeName(object.className);
    }
    for (const [key, value] of object.properties) {
      this.#writeName(key);
      this.write(value);
    }
    output.writeUint(0, 2); // AMF0 2.11: an empty key, then the end marker
    output.writeByte(Amf0Marker.ObjectEnd);
  }

  #writeString(text: string): void {
    const length = Buffer.byteLength(text);
    const long = length > longestString; // AMF0 2.14
    this.output.writeByte(long ? Amf0Marker.LongString : Amf0Marker.String);
    this.output.writeUint(length, long ? 4 : 2);
    this.output.writeText(text, length);
  }

  /** A key or a class name: a string without a marker. */
  #writeName(name: string): void {
    const length = Buffer.byteLength(name);
    if (length > longestString) throw new ProtocolError('AMF_TOO_LARGE', `AMF0 key of ${length} bytes`);
    this.output.writeUint(length, 2);
    this.output.writeText(name, length);
  }
}
