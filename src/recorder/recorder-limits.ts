// What one recording may hold in memory, how hard all of them together may lean on the disk, and what a stream with
// an odd clock or odd parameters can make of its files.
import { mostGaps } from '../archive/open-recording.ts';

export const recorderLimits = {
  /** Milliseconds that a publisher is held back before its disk counts as stalled and memory takes what comes. */
  heldTime: 500,
  /** Bytes of one recording that wait for a stalled disk; then the publisher is held back. */
  bufferedBytes: 16 * 1024 * 1024,
  /** Bytes that wait in all recordings together before none of them may buffer more than two slabs. */
  bufferedBytesInAll: 256 * 1024 * 1024,
  /** Milliseconds without a single write done, with the buffer full, before tags are dropped. */
  stallTime: 10_000,
  /**
   * Bytes of one recording that wait for the disk, whatever else. The publisher is paused before; what still comes
   * is the rest of one read and the messages that it completes (12 MiB). Beyond it tags are dropped.
   */
  waitingBytes: 24 * 1024 * 1024,
  /** Slabs kept for reuse when few are in use (256 KiB each, of which only what is used takes memory). */
  idleSlabs: 16,
  /** fdatasync calls under way at once: each occupies one of the few threads that writes need too. */
  concurrentSyncs: 2,
  /** Milliseconds that timestamps may jump forward, beyond the time that really passed, and be believed. */
  forwardJump: 10_000,
  /** Milliseconds that a track may step back and be put at the time of its last tag; more is a jump. */
  backwardJump: 1000,
  /** Gaps noted of one file; of more only the number of the noted ones is known. */
  gaps: mostGaps,
  /** Milliseconds of one file, far below the 2^31 that players count to; the next key frame begins another. */
  segmentTime: 24 * 24 * 3600 * 1000,
  /** Files that changed codec parameters may begin at once; further changes stay within their file. */
  parameterChanges: 8,
  /** Milliseconds after which one more may begin. */
  parameterChangeInterval: 10_000,
  /** Files of one stream that are being opened, written or finished at once; then a file goes on. */
  unfinishedSegments: 4,
  /** Bytes of sequence headers and metadata that are kept to be repeated in the next file. */
  headerBytes: 256 * 1024,
  /** Milliseconds without a picture after which a file may begin with sound. */
  pictureTime: 10_000,
  /** Milliseconds that a recording which lost its disk waits for a key frame once there is a file again. */
  keyFrameTime: 60_000,
  /** Milliseconds between two attempts to record again; twice as long after each that did not last. */
  retryInterval: 5000,
  /** Milliseconds; and what lasted longer than this was a success. */
  longestRetryInterval: 60_000,
} as const;
