// The one thing the door wants to know of a TLS ClientHello: does it name a server? RFC 8446 4.1.2, RFC 6066 3.
// Leaves everything else to OpenSSL, which reads the same bytes again. pure.
import { readUint16, readUint24 } from '../bytes/big-endian.ts';

export type ServerNameAnswer = 'named' | 'nameless' | 'incomplete';

const handshakeRecord = 0x16;
const clientHello = 1;
const serverNameExtension = 0;
const recordHeaderLength = 5;
const handshakeHeaderLength = 4;

/**
 * Looks through the beginning of a connection. What is no well-formed ClientHello counts as `named`: the usual
 * way is right for it, and OpenSSL says what is wrong. Works across records; reads no more than the hello.
 */
export function serverNameIn(bytes: Uint8Array): ServerNameAnswer {
  const { hello, broken } = joinRecords(bytes);
  const unfinished = broken ? 'named' : 'incomplete';
  if (hello.length < handshakeHeaderLength) return unfinished;
  if (hello[0] !== clientHello) return 'named';
  const end = handshakeHeaderLength + readUint24(hello, 1);
  if (hello.length < end) return unfinished;
  return namesServer(hello.subarray(0, end)) ? 'named' : 'nameless';
}

/** The handshake bytes of the records that came so far; `broken` when anything else stands among them. */
function joinRecords(bytes: Uint8Array): { readonly hello: Uint8Array; readonly broken: boolean } {
  const pieces: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && bytes[at] === handshakeRecord && bytes.length >= at + recordHeaderLength) {
    const end = at + recordHeaderLength + readUint16(bytes, at + 3);
    pieces.push(bytes.subarray(at + recordHeaderLength, end));
    at = end;
  }
  return { hello: Buffer.concat(pieces), broken: at < bytes.length && bytes[at] !== handshakeRecord };
}

/** Steps over version, random, session id, suites and compression methods to the extensions. */
function namesServer(hello: Uint8Array): boolean {
  let at = handshakeHeaderLength + 2 + 32;
  for (const lengthSize of [1, 2, 1] as const) {
    if (at + lengthSize > hello.length) return true; // malformed
    at += lengthSize + (lengthSize === 1 ? (hello[at] ?? 0) : readUint16(hello, at));
  }
  if (at + 2 > hello.length) return false; // no extensions at all: SSL of another age
  const end = Math.min(hello.length, at + 2 + readUint16(hello, at));
  at += 2;
  while (at + 4 <= end) {
    if (readUint16(hello, at) === serverNameExtension) return true;
    at += 4 + readUint16(hello, at + 2);
  }
  return false;
}
