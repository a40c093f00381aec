// How much a peer may make the chunk layer hold. SECURITY 4. The smallest values apply until the peer has shown
// its key: they leave room for the commands that lead there and for nothing else. pure.

/** Bounds of one connection. All sizes are in bytes of payload, headers not counted. */
export interface ChunkLimits {
  /** Largest message of any type. */
  readonly messageSize: number;
  /** Largest command, data or shared object message (types 15-20). */
  readonly commandMessageSize: number;
  /** Bytes that all unfinished messages of the connection may have together. */
  readonly unfinishedBytes: number;
  /** Chunk streams that may be used during the life of the connection. */
  readonly chunkStreams: number;
}

export const chunkLimits = {
  /** Bytes: largest message before the peer has authenticated. */
  messageSizeBeforeAuth: 64 * 1024,
  /** Bytes: unfinished messages in all before the peer has authenticated. */
  unfinishedBytesBeforeAuth: 64 * 1024,
  /** Chunk streams before the peer has authenticated. */
  chunkStreamsBeforeAuth: 16,
  /** Bytes: largest message, which is a video key frame. */
  messageSize: 8 * 1024 * 1024,
  /** Bytes: largest command, metadata or shared object message. */
  commandMessageSize: 256 * 1024,
  /** Bytes: unfinished messages in all. */
  unfinishedBytes: 12 * 1024 * 1024,
  /** Chunk streams. */
  chunkStreams: 64,
  /** Bytes: largest protocol control message (types 1-6); the longest in use is the SWF verification, 44 bytes. */
  controlMessageSize: 64,
  /** Bytes: assembly buffers that all connections together keep for the next message. */
  pooledAssemblyBytes: 8 * 1024 * 1024,
} as const;

/** Until the gate has granted: anyone may be speaking. */
export const limitsBeforeAuth: ChunkLimits = {
  messageSize: chunkLimits.messageSizeBeforeAuth,
  commandMessageSize: chunkLimits.messageSizeBeforeAuth,
  unfinishedBytes: chunkLimits.unfinishedBytesBeforeAuth,
  chunkStreams: chunkLimits.chunkStreamsBeforeAuth,
};

/** From the moment the gate has granted. */
export const limitsAfterAuth: ChunkLimits = {
  messageSize: chunkLimits.messageSize,
  commandMessageSize: chunkLimits.commandMessageSize,
  unfinishedBytes: chunkLimits.unfinishedBytes,
  chunkStreams: chunkLimits.chunkStreams,
};
