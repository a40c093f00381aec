// The PROXY protocol, versions 1 and 2: how a trusted load balancer says whom it speaks for, before the first byte
// of the client. Only addresses are read; TLVs of version 2 are stepped over. pure.
// Source: the PROXY protocol specification of HAProxy, sections 2.1 and 2.2.
import { readUint16 } from '../bytes/big-endian.ts';
import { parseAddress } from '../ops/address.ts';

/** What the beginning of a connection turned out to be. */
export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  /** No header, or a broken one: from a proxy that must send one, the end of the connection. */
  | { readonly kind: 'invalid' }
  /** `source` is undefined when the proxy speaks for itself (LOCAL, UNKNOWN), as for a health check. */
  | { readonly kind: 'header'; readonly length: number; readonly source: ProxySource | undefined };

export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

const signature2 = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const signature1 = Buffer.from('PROXY ');
/** The longest line of version 1, its line feed included. */
const longestLine = 107;
/** Room for addresses and a fair number of TLVs; the length field could claim 64 KiB. */
const longestBody = 2048;
const fixedLength2 = 16;

export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (beginsWith(bytes, signature2))
    return bytes.length < fixedLength2 ? { kind: 'incomplete' } : parseVersion2(bytes);
  if (beginsWith(bytes, signature1)) return parseVersion1(bytes);
  return { kind: 'invalid' };
}

function parseVersion1(bytes: Uint8Array): ProxyHeader {
  const end = bytes.indexOf(0x0a);
  if (end < 0) return bytes.length < longestLine ? { kind: 'incomplete' } : { kind: 'invalid' };
  const line = Buffer.from(bytes.subarray(0, end + 1)).toString('latin1');
  if (line.length > longestLine || !line.endsWith('\r\n')) return { kind: 'invalid' };
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...rest] = line
    .slice(0, -2)
    .split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', length: line.length, source: undefined };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : undefined;
  const right =
    version !== undefined &&
    rest.length === 0 &&
    isFamily(source, version) &&
    isFamily(destination, version) &&
    isPort(sourcePort) &&
    isPort(destinationPort);
  if (!right) return { kind: 'invalid' };
  return { kind: 'header', length: line.length, source: { address: source, port: Number(sourcePort) } };
}

function parseVersion2(bytes: Uint8Array): ProxyHeader {
  const [version, command] = [(bytes[12] ?? 0) >> 4, (bytes[12] ?? 0) & 0x0f];
  const body = readUint16(bytes, 14);
  if (version !== 2 || command > 1 || body > longestBody) return { kind: 'invalid' };
  const length = fixedLength2 + body;
  const family = (bytes[13] ?? 0) >> 4;
  const needed = family === 1 ? 12 : family === 2 ? 36 : 0;
  if (command === 1 && body < needed) return { kind: 'invalid' };
  if (bytes.length < length) return { kind: 'incomplete' };
  // LOCAL, or an address that is no IP address (a Unix socket): the proxy itself.
  if (command === 0 || needed === 0) return { kind: 'header', length, source: undefined };
  const size = family === 1 ? 4 : 16;
  const raw = bytes.subarray(fixedLength2, fixedLength2 + size);
  const port = readUint16(bytes, fixedLength2 + 2 * size);
  return { kind: 'header', length, source: { address: textOf(raw), port } };
}

function beginsWith(bytes: Uint8Array, signature: Uint8Array): boolean {
  const length = Math.min(bytes.length, signature.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== signature[at]) return false;
  return true;
}

function isFamily(text: string, version: 4 | 6): boolean {
  return parseAddress(text) !== undefined && text.includes(':') === (version === 6);
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function textOf(raw: Uint8Array): string {
  if (raw.length === 4) return raw.join('.');
  const groups = Array.from({ length: 8 }, (_, group) => readUint16(raw, group * 2).toString(16));
  return groups.join(':');
}
