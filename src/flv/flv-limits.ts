// What an FLV file of ours may cost, however long the stream and whatever its encoder says about it.

export const flvLimits = {
  /** Entries of the keyframe index; beyond it every other one is dropped, again and again. */
  indexEntries: 1024,
  /** Bytes of the client's own onMetaData properties that are kept in the head of a recording. */
  clientMetadata: 12 * 1024,
} as const;
