// Unsigned integers in network byte order, read without a DataView: the chunk reader meets several per message
// and must not allocate. No bounds check: the caller has counted its bytes. pure.

export function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

export function readUint24(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 16) | ((bytes[offset + 1] as number) << 8) | (bytes[offset + 2] as number)
  );
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return (((bytes[offset] as number) << 24) | readUint24(bytes, offset + 1)) >>> 0;
}
