// Compares a recording with what was sent: every audio and video message once, in order, byte for byte, at its
// time. A benchmark that skips this can be won by a server that loses data.
import { closeSync, openSync, readSync } from 'node:fs';
import { type Tag, TagType } from '../src/flv/tag.ts';
import { TagReader } from '../src/flv/tag-reader.ts';
import { audioSequenceHeader, messageAt, StreamMedia, videoSequenceHeader } from './bench-media.ts';

const readSize = 1024 * 1024;

/** What is wrong with the recording of a stream of so many messages; undefined when nothing is. */
export function findFault(file: string, stream: number, messages: number): string | undefined {
  const check = new RecordingCheck(stream, messages);
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(readSize);
    for (;;) {
      const length = readSync(descriptor, buffer);
      if (length === 0) return check.finish();
      check.push(buffer.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The same for the bytes of a recording, however they are cut. */
export class RecordingCheck {
  readonly #media: StreamMedia;
  readonly #messages: number;
  readonly #reader = new TagReader((tag) => this.#takeTag(tag));
  #next = 0;
  #start = 0;
  #bytes = 0;
  #fault: string | undefined;

  constructor(stream: number, messages: number) {
    this.#media = new StreamMedia(stream);
    this.#messages = messages;
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#fault === undefined) this.#reader.push(bytes);
  }

  finish(): string | undefined {
    const { status, wholeBytes } = this.#reader;
    if (this.#fault !== undefined) return this.#fault;
    if (status !== 'reading') return `${status} at byte ${wholeBytes}`;
    if (this.#next < this.#messages) return `holds ${this.#next} of ${this.#messages} messages`;
    return wholeBytes === this.#bytes ? undefined : `torn at byte ${wholeBytes} of ${this.#bytes}`;
  }

  #takeTag(tag: Tag): void {
    if (this.#fault !== undefined || tag.type === TagType.ScriptData) return; // metadata is the server's own
    const header = tag.type === TagType.Video ? videoSequenceHeader : audioSequenceHeader;
    // Servers may repeat sequence headers where a file begins.
    if (tag.role === 'sequence-start') {
      if (!sameBytes(tag.body, header)) this.#fault = 'a sequence header differs';
      return;
    }
    const index = this.#next;
    if (index === this.#messages) {
      this.#fault = `holds more than ${this.#messages} messages`;
      return;
    }
    const { type, timestamp } = messageAt(index);
    if (index === 0) this.#start = tag.timestamp;
    if (tag.type !== type || !sameBytes(tag.body, this.#media.bodyOf(index))) {
      this.#fault = `message ${index} differs`;
    } else if (tag.timestamp !== this.#start + timestamp) {
      this.#fault = `message ${index} is at ${tag.timestamp - this.#start} ms instead of ${timestamp} ms`;
    }
    this.#next += 1;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
