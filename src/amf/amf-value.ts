// AMF values as the house holds them: plain data, never instances of a class that the peer names. pure.

/** Bytes are a ByteArray of AMF3 (3.14), which AMF0 cannot say. */
export type AmfValue =
  | null
  | undefined
  | boolean
  | number
  | string
  | Date
  | Uint8Array
  | readonly AmfValue[]
  | AmfObject;

export type AmfObjectKind = 'object' | 'ecma-array' | 'typed-object';

/**
 * An anonymous object (AMF0 2.5), an ECMA array (2.10) or a typed object (2.18), and what AMF3 has of the like
 * (3.11, 3.12). Properties are in a Map, in the
 * order of the wire, so that a key such as `__proto__` is a key like any other.
 */
export class AmfObject {
  readonly kind: AmfObjectKind;
  /** Empty unless the kind is `typed-object`. */
  readonly className: string;
  readonly properties: ReadonlyMap<string, AmfValue>;

  constructor(
    properties: Iterable<readonly [string, AmfValue]>,
    kind: AmfObjectKind = 'object',
    className = '',
  ) {
    this.kind = kind;
    this.className = className;
    this.properties = new Map(properties);
  }

  /** The property, or undefined if there is none. */
  get(name: string): AmfValue {
    return this.properties.get(name);
  }
}
