// How large an AMF value from a peer may be. SECURITY 4. The size of the message bounds the bytes (chunk/); these
// bound what the bytes may unfold into. pure.

export interface AmfLimits {
  readonly depth: number;
  readonly nodes: number;
  readonly stringBytes: number;
  readonly textBytes: number;
  readonly keys: number;
}

export const amfLimits = {
  /** Objects and arrays inside one another; the outermost counts as 1. */
  depth: 16,
  /** Values in one message, those inside objects and arrays counted, and again at each reference to them. */
  nodes: 4096,
  /** Bytes of UTF-8 in one string, long strings and XML documents too; also bytes of one AMF3 ByteArray. */
  stringBytes: 64 * 1024,
  /** The same for all strings and keys of one message, counted again at each reference to them. */
  textBytes: 512 * 1024,
  /** Properties of one object or ECMA array. */
  keys: 1024,
} as const satisfies AmfLimits;
