// The first byte of every answer: how eagerly the peer should ask (RTMPE 4.1). It begins at 1 and is raised after
// ten answers in a row that had nothing to say, up to 0x21, about half a second. pure.

const intervals = [0x01, 0x03, 0x05, 0x09, 0x11, 0x21] as const;
const patience = 10;

export class PollingInterval {
  #empty = 0;

  /** The byte in front of the next answer; `empty` when nothing follows it. */
  next(empty: boolean): number {
    const step = Math.min(Math.floor(this.#empty / patience), intervals.length - 1);
    this.#empty = empty ? this.#empty + 1 : 0;
    return intervals[empty ? step : 0] ?? intervals[0];
  }
}
