// The first byte of a connection says what it is; the same rule runs once more inside TLS. pure.

export type FirstByte = 'tls' | 'rtmp' | 'rtmpe' | 'http' | 'unknown';

/** TLS record type of a ClientHello. RFC 8446 5.1. */
const tlsHandshake = 0x16;

/** What a connection that begins with this byte speaks. RTMP 5.2.2, RTMPE 1.1, RFC 9110 9.1. */
export function sniff(byte: number): FirstByte {
  if (byte === tlsHandshake) return 'tls';
  if (byte === 3) return 'rtmp';
  if (byte === 6 || byte === 8 || byte === 9) return 'rtmpe';
  const letter = byte >= 0x41 && byte <= 0x5a; // every method is in capitals
  return letter ? 'http' : 'unknown';
}
