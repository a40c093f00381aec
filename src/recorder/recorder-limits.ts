// What one recording may hold in memory, and how hard all of them together may lean on the disk.

export const recorderLimits = {
  /**
   * Bytes of one recording that wait for the disk. The publisher is paused long before (256 KiB); what still comes
   * is the rest of one read and the messages that it completes (12 MiB). Beyond it the recording ends.
   */
  waitingBytes: 24 * 1024 * 1024,
  /** Slabs kept for reuse when few are in use (256 KiB each, of which only what is used takes memory). */
  idleSlabs: 16,
  /** fdatasync calls under way at once: each occupies one of the few threads that writes need too. */
  concurrentSyncs: 2,
} as const;
