// The load: publishes streams through one door of a server, in real time or at full speed. A process of its own,
// so that what it costs is not counted; driven by messages of bench-run.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { TagType } from '../src/flv/tag.ts';
import { Encoder } from '../test/support/encoder.ts';
import type { Load } from './bench-loads.ts';
import {
  audioSequenceHeader,
  groupDuration,
  messageAt,
  messagesPerGroup,
  messagesPerPeriod,
  metadata,
  stampOffset,
  StreamMedia,
  videoSequenceHeader,
  writeStamp,
} from './bench-media.ts';

export interface LoaderOrder {
  readonly port: number;
  readonly tls: boolean;
  readonly app: string;
  /** Publishing names, one per stream. */
  readonly names: readonly string[];
  readonly chunkSize: number;
  readonly pace: Load['pace'];
}

export interface Sent {
  /** Audio and video messages of each stream, sequence headers not counted. */
  readonly messages: number;
  /** Bytes of their bodies, all streams together. */
  readonly bytes: number;
  /** Seconds from the first to the last. */
  readonly seconds: number;
  /** Paced: milliseconds by which the latest message was late. */
  readonly worstDelay: number;
  /** Paced: the most bytes that waited for one socket. */
  readonly mostWaiting: number;
  /** CPU seconds of the loader since the beginning. */
  readonly cpuSeconds: number;
}

/** What the loader says, in this order; it begins to send when it is told anything after `published`. */
export type LoaderReport =
  | { readonly type: 'published'; readonly cipher: string | undefined }
  | { readonly type: 'sent'; readonly sent: Sent }
  | { readonly type: 'failed'; readonly reason: string };

type Sending = () => Promise<Omit<Sent, 'seconds' | 'cpuSeconds'>>;

/** Connections that are set up at one time. */
const handshakes = 16;
/** Milliseconds between looks at what is due. */
const tick = 2;
/** Bytes per write at full speed. */
const sliceSize = 1024 * 1024;
/** Both servers would choose differently if the client left it to them. */
const cipherSuite = 'TLS_AES_128_GCM_SHA256';

process.once('message', (order: LoaderOrder) => {
  run(order)
    .catch((error: unknown) => report({ type: 'failed', reason: String(error) }))
    .finally(() => process.disconnect());
});

async function run(order: LoaderOrder): Promise<void> {
  const encoders = await connectAll(order);
  const { pace } = order;
  const sending =
    'bytes' in pace ? prepareFullSpeed(encoders, pace.bytes) : preparePaced(encoders, pace.seconds);
  const { promise: told, resolve: tell } = Promise.withResolvers<unknown>();
  process.once('message', tell);
  const { socket } = encoders[0] ?? {};
  report({
    type: 'published',
    cipher: socket instanceof TLSSocket ? `${socket.getProtocol()} ${socket.getCipher().name}` : undefined,
  });
  await told;

  const start = performance.now();
  const sent = await sending();
  const seconds = (performance.now() - start) / 1000;
  await Promise.all(encoders.map(async (encoder) => encoder.finish()));
  const { user, system } = process.cpuUsage();
  report({ type: 'sent', sent: { ...sent, seconds, cpuSeconds: (user + system) / 1e6 } });
}

async function connectAll({ port, tls, app, names, chunkSize }: LoaderOrder): Promise<Encoder[]> {
  const encoders: Encoder[] = [];
  for (let first = 0; first < names.length; first += handshakes) {
    const some = names.slice(first, first + handshakes).map((name) => {
      const options = { port, app, name, chunkSize };
      // The certificate is made for the run; whether it is the right one is not the question here.
      const tlsOptions = { rejectUnauthorized: false, ciphers: cipherSuite, minVersion: 'TLSv1.3' } as const;
      return new Encoder(tls ? { ...options, tls: tlsOptions } : options);
    });
    await Promise.all(some.map(async ({ published }) => published));
    encoders.push(...some);
  }
  return encoders;
}

/** What encoders send first. */
function sendHeaders({ connection }: Encoder): void {
  connection.sendTag(TagType.ScriptData, 0, metadata);
  connection.sendTag(TagType.Video, 0, videoSequenceHeader);
  connection.sendTag(TagType.Audio, 0, audioSequenceHeader);
}

/** Each message at its time in a write of its own, as encoders do. */
function preparePaced(encoders: readonly Encoder[], seconds: number): Sending {
  const messages = Math.ceil((seconds * 1000) / groupDuration) * messagesPerGroup;
  const streams = encoders.map((encoder, stream) => ({
    encoder,
    media: new StreamMedia(stream),
    next: 0,
    // Evenly spread, or else the key frames of all streams come at once.
    phase: (stream * groupDuration) / encoders.length,
  }));
  return async () => {
    let bytes = 0;
    let worstDelay = 0;
    let mostWaiting = 0;
    const start = performance.now();
    for (const { encoder } of streams) sendHeaders(encoder);
    let unfinished = streams;
    while (unfinished.length > 0) {
      const now = performance.now() - start;
      for (const stream of unfinished) {
        const { encoder, media, phase } = stream;
        while (stream.next < messages) {
          const { type, timestamp } = messageAt(stream.next);
          const delay = now - phase - timestamp;
          if (delay < 0) break;
          const body = media.bodyOf(stream.next);
          encoder.connection.sendTag(type, timestamp, body);
          for (const piece of encoder.connection.takeOutput()) encoder.socket.write(piece);
          bytes += body.length;
          stream.next += 1;
          worstDelay = Math.max(worstDelay, delay);
        }
        mostWaiting = Math.max(mostWaiting, encoder.socket.writableLength);
        if (encoder.socket.destroyed) throw new Error('the server hung up');
      }
      unfinished = unfinished.filter(({ next }) => next < messages);
      await sleep(tick);
    }
    return { messages, bytes, worstDelay, mostWaiting };
  };
}

/**
 * Media that is cut into chunks beforehand. From the second period on the chunks of a period are the same bytes
 * but for the stamps, as timestamps go on by deltas, so one period is sent over and over with new stamps.
 */
function prepareFullSpeed(encoders: readonly Encoder[], wantedBytes: number): Sending {
  const [encoder, ...others] = encoders;
  if (encoder === undefined || others.length > 0) throw new Error('full speed is one stream');
  sendHeaders(encoder);
  const opening = Buffer.concat([...encoder.connection.takeOutput(), ...periodChunks(encoder, 0).pieces]);
  const { pieces, stamps, slices, bytes: periodBytes } = periodChunks(encoder, 1);
  const template = Buffer.concat(pieces);
  const periods = Math.max(2, Math.ceil(wantedBytes / periodBytes));
  return async () => {
    await written(encoder, opening);
    for (let period = 1; period < periods; period++) {
      for (const [index, offset] of stamps.entries()) {
        writeStamp(template, offset, 0, period * messagesPerPeriod + index);
      }
      for (const [start, end] of slices) await written(encoder, template.subarray(start, end));
    }
    return {
      messages: periods * messagesPerPeriod,
      bytes: periods * periodBytes,
      worstDelay: 0,
      mostWaiting: 0,
    };
  };
}

interface PeriodChunks {
  readonly pieces: readonly Uint8Array[];
  /** Where the stamp of each message lies. */
  readonly stamps: readonly number[];
  /** Beginnings and ends of what is written at once: whole messages, so that answers may go between. */
  readonly slices: readonly (readonly [number, number])[];
  /** Bytes of the bodies. */
  readonly bytes: number;
}

function periodChunks({ connection }: Encoder, period: number): PeriodChunks {
  const media = new StreamMedia(0);
  const pieces: Uint8Array[] = [];
  const stamps: number[] = [];
  const slices: [number, number][] = [];
  let end = 0;
  let bytes = 0;
  for (let index = period * messagesPerPeriod; index < (period + 1) * messagesPerPeriod; index++) {
    const { type, timestamp } = messageAt(index);
    const body = media.bodyOf(index);
    connection.sendTag(type, timestamp, body);
    for (const piece of connection.takeOutput()) {
      const stamp = Buffer.from(body.subarray(stampOffset(index), stampOffset(index) + 8));
      stamps.push(end + Buffer.from(piece.buffer, piece.byteOffset, 64).indexOf(stamp));
      pieces.push(piece);
      end += piece.length;
    }
    bytes += body.length;
    const [start] = slices.at(-1) ?? [0];
    if (slices.length === 0 || end - start > sliceSize) slices.push([slices.at(-1)?.[1] ?? 0, end]);
    else slices[slices.length - 1] = [start, end];
  }
  return { pieces, stamps, slices, bytes };
}

/** Resolves when the kernel has taken the bytes, so that they may change. */
async function written({ socket }: Encoder, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function report(message: LoaderReport): void {
  process.send?.(message);
}
