// A buffer that grows while the values of one message are written into it: what AMF0 and AMF3 encoders have in
// common. Knows no type of value. pure.

export class AmfOutput {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** Everything that was written; the output is of no use after it. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  writeByte(byte: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = byte;
  }

  writeUint(value: number, size: 2 | 4): void {
    const at = this.#reserve(size);
    this.#bytes.writeUIntBE(value, at, size);
  }

  writeDouble(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  /** `length`: bytes of the text in UTF-8. */
  writeText(text: string, length: number): void {
    const at = this.#reserve(length);
    this.#bytes.write(text, at);
  }

  writeBytes(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Makes room and returns where it begins. May replace #bytes, so it comes first, on a line of its own. */
  #reserve(count: number): number {
    const start = this.#length;
    this.#length = start + count;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    return start;
  }
}
