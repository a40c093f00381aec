// What the door wants to know of a TLS ClientHello: is it from a client that names no server, and that would do with
// TLS 1.2? Or from an ACME authority that validates? RFC 8446 4.1.2, 4.2.1, RFC 6066 3, RFC 7301 3.1.
// Leaves everything else to OpenSSL, which reads the same bytes again. pure.
import { readUint16, readUint24 } from '../bytes/big-endian.ts';
import { doorLimits } from './door-limits.ts';

/**
 * `nameless`: no server name (SNI), and TLS 1.2 is offered. `validation`: `acme-tls/1` is the one and only protocol
 * that is offered (RFC 8737 3). `ordinary`: everything else.
 */
export type HelloKind = 'ordinary' | 'nameless' | 'validation' | 'incomplete';

const handshakeRecord = 0x16;
const clientHello = 1;
const serverNameExtension = 0;
const protocolsExtension = 16;
const supportedVersionsExtension = 43;
/** The extension's content: one list, with one entry. */
const validationOnly = Buffer.from('\x00\x0b\x0aacme-tls/1', 'latin1');
const tls12 = 0x0303;
const recordHeaderLength = 5;
const handshakeHeaderLength = 4;

/**
 * Looks through the beginning of a connection. What is no well-formed ClientHello counts as `ordinary`: the usual
 * way is right for it, and OpenSSL says what is wrong. Works across records; reads no more than the hello.
 */
export function helloKindOf(bytes: Uint8Array): HelloKind {
  const { hello, broken } = joinRecords(bytes);
  const unfinished = broken ? 'ordinary' : 'incomplete';
  if (hello.length < handshakeHeaderLength) return unfinished;
  if (hello[0] !== clientHello) return 'ordinary';
  const end = handshakeHeaderLength + readUint24(hello, 1);
  if (hello.length < end) return unfinished;
  return kindOf(hello.subarray(0, end));
}

/**
 * The handshake bytes of the records that came so far; `broken` when anything else stands among them. This is asked
 * at each byte of a hello that drips, so records are few, and none is empty (RFC 8446 5.1).
 */
function joinRecords(bytes: Uint8Array): { readonly hello: Uint8Array; readonly broken: boolean } {
  const pieces: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== handshakeRecord || pieces.length === doorLimits.clientHelloRecords)
      return { hello: Buffer.concat(pieces), broken: true };
    const start = at + recordHeaderLength;
    if (start > bytes.length) break;
    const end = start + readUint16(bytes, at + 3);
    if (end === start) return { hello: Buffer.concat(pieces), broken: true };
    pieces.push(bytes.subarray(start, end));
    at = end;
  }
  return { hello: Buffer.concat(pieces), broken: false };
}

/** Steps over version, random, session id, suites and compression methods to the extensions. */
function kindOf(hello: Uint8Array): HelloKind {
  let at = handshakeHeaderLength + 2 + 32;
  for (const lengthSize of [1, 2, 1] as const) {
    if (at + lengthSize > hello.length) return 'ordinary'; // malformed
    at += lengthSize + (lengthSize === 1 ? (hello[at] ?? 0) : readUint16(hello, at));
  }
  if (at + 2 > hello.length) return 'nameless'; // no extensions at all: SSL of another age
  const end = Math.min(hello.length, at + 2 + readUint16(hello, at));
  at += 2;
  let [named, offersTls12] = [false, true];
  while (at + 4 <= end) {
    const type = readUint16(hello, at);
    const next = at + 4 + readUint16(hello, at + 2);
    if (type === serverNameExtension) named = true;
    if (type === protocolsExtension && validationOnly.equals(hello.subarray(at + 4, Math.min(next, end))))
      return 'validation';
    if (type === supportedVersionsExtension)
      offersTls12 = listsTls12(hello.subarray(at + 5, Math.min(next, end)));
    at = next;
  }
  return !named && offersTls12 ? 'nameless' : 'ordinary';
}

function listsTls12(versions: Uint8Array): boolean {
  for (let at = 0; at + 2 <= versions.length; at += 2) if (readUint16(versions, at) === tls12) return true;
  return false;
}
