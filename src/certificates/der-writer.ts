// ASN.1 values in DER (X.690), by node-forge: the few types that certificates (RFC 5280) and PKCS #12 files (RFC 7292)
// are made of. pure.
import forge from 'node-forge';

export type Asn1 = forge.asn1.Asn1;

const { asn1 } = forge;
const { Class, Type } = asn1;

export function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, parts);
}

export function oid(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(text).getBytes());
}

export function integer(bytes: Uint8Array): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary(bytes));
}

export function boolean(value: boolean): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\x00');
}

export function octets(bytes: Uint8Array): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(bytes));
}

export function bitString(bytes: Uint8Array, unusedBits: number): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unusedBits) + binary(bytes));
}

export function context(tag: number, bytes: Uint8Array): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, false, binary(bytes));
}

export function der(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}

export function set(...parts: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, parts);
}

export function empty(): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.NULL, false, '');
}

export function utf8(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.UTF8, false, binary(Buffer.from(text, 'utf8')));
}

/** BMPString: two bytes a character, the higher first; node-forge makes them when it writes. */
export function bmp(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BMPSTRING, false, text);
}

/** A tagged value around other values. */
export function contextConstructed(tag: number, ...parts: Asn1[]): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, true, parts);
}

/** What is in DER already. */
export function encoded(bytes: Uint8Array): Asn1 {
  return asn1.fromDer(binary(bytes));
}

// RFC 5280 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on
export function time(milliseconds: number): Asn1 {
  const date = new Date(milliseconds);
  return date.getUTCFullYear() < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date));
}

/** node-forge keeps bytes in strings, one per character. */
function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
