// The same bytes, cut in different places: a parser must not care.

/** Pieces of at most `size` bytes, each in a buffer of its own, as a socket would hand them out. */
export function slicesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const slices: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; offset += size) slices.push(bytes.slice(offset, offset + size));
  return slices;
}

/** Pieces between the given offsets, which may be in any order, repeated or outside the bytes. */
export function slicesAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...cuts.map((cut) => Math.max(0, Math.min(cut, bytes.length))), bytes.length].sort(
    (a, b) => a - b,
  );
  return edges.slice(1).map((edge, index) => bytes.slice(edges[index], edge));
}
