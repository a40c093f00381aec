// Turns a message stream's 32-bit timestamps, which wrap after 49.7 days (RTMP 4), into milliseconds since
// its first audio or video message. Tracks may run out of order against each other, and a clock that is set back
// goes below 0. pure.

export class PublicationClock {
  #first: number | undefined;
  #last = 0;

  /** Milliseconds since the first media message; below 0 for what is stamped before it. */
  media(timestamp: number): number {
    if (this.#first === undefined) {
      this.#first = timestamp;
      this.#last = timestamp;
      return 0;
    }
    // RTMP 4: adjacent timestamps are within 2^31 - 1 ms of each other, so the signed difference is the step.
    this.#last += (timestamp - this.#last) | 0;
    return this.#last - this.#first;
  }

  /**
   * The same for a data message, which does not set the beginning. Metadata is often stamped 0, whatever the
   * media says: that counts as now, because from far enough along it would wrap into the future.
   */
  data(timestamp: number): number {
    if (this.#first === undefined) return 0;
    if (timestamp === 0) return Math.max(0, this.#last - this.#first);
    return Math.max(0, this.#last + ((timestamp - this.#last) | 0) - this.#first);
  }
}
