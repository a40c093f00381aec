// AMF values in JSON, for vectors: what JSON lacks is an object with one key that names it.
//   {"undefined": true}  {"number": "NaN"}  {"date": 0}  {"object": [["key", 1]]}  {"ecma-array": [["key", 1]]}
//   {"typed-object": ["Class", ["key", 1]]}  {"bytes": "00ff"}
import { AmfObject } from '../../src/amf/amf-value.ts';
import type { AmfValue } from '../../src/amf/amf-value.ts';

export type AmfNotation =
  | null
  | boolean
  | number
  | string
  | readonly AmfNotation[]
  | { readonly [name: string]: AmfNotation };

export function toNotation(value: AmfValue): AmfNotation {
  if (value === undefined) return { undefined: true };
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { number: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') };
  if (value instanceof AmfObject) {
    const properties = [...value.properties].map(([key, property]) => [key, toNotation(property)]);
    return { [value.kind]: value.kind === 'typed-object' ? [value.className, ...properties] : properties };
  }
  if (value === null || typeof value !== 'object') return value;
  return value.map((element) => toNotation(element));
}

export function fromNotation(notation: AmfNotation): AmfValue {
  if (notation === null || typeof notation !== 'object') return notation;
  if (Array.isArray(notation)) return notation.map((element: AmfNotation) => fromNotation(element));
  const [[name, content]] = Object.entries(notation) as [[string, AmfNotation]];
  if (name === 'undefined') return undefined;
  if (name === 'number') return Number(content);
  if (name === 'bytes') return new Uint8Array(Buffer.from(content as string, 'hex'));
  if (name === 'date') return new Date(content as number);
  const properties = (list: readonly AmfNotation[]) =>
    (list as [string, AmfNotation][]).map(([key, value]) => [key, fromNotation(value)] as const);
  if (name === 'object' || name === 'ecma-array') {
    return new AmfObject(properties(content as AmfNotation[]), name);
  }
  const [className, ...rest] = content as [string, ...AmfNotation[]];
  return new AmfObject(properties(rest), 'typed-object', className);
}
