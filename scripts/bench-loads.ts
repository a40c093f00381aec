// What the benchmark measures, and what is expected of it. The ratios are Penstock's CPU seconds per GB to
// nginx-rtmp's in the same run. pure.

export interface Load {
  readonly name: string;
  /** Publishing connections at one time. */
  readonly streams: number;
  readonly door: 'rtmp' | 'rtmps';
  /** Bytes of payload per chunk. */
  readonly chunkSize: number;
  /** `paced`: in real time, for so many seconds. `full-speed`: so many bytes of media, as fast as they go. */
  readonly pace: { readonly seconds: number } | { readonly bytes: number };
  /** The ratio to stay below or at; undefined where none is set. */
  readonly target: number | undefined;
}

/** MB of memory per publishing stream above idle, measured where many publish. */
export const memoryTargets = { rtmp: 0.35, rtmps: 0.5 } as const;
/** CPU milliseconds per new connection, from accept to Publish.Start. */
export const connectionTargets = { rtmp: undefined, rtmps: 3.5 } as const;

const fullSpeed = { bytes: 1_000_000_000 };
const paced = { seconds: 12 };

export const loads: readonly Load[] = [
  load('full-4096-rtmp', 1, 'rtmp', 4096, fullSpeed, 0.55),
  load('full-4096-rtmps', 1, 'rtmps', 4096, fullSpeed, 0.55),
  load('full-128-rtmp', 1, 'rtmp', 128, fullSpeed, 0.25),
  load('full-128-rtmps', 1, 'rtmps', 128, fullSpeed, 0.25),
  load('paced-50-rtmp', 50, 'rtmp', 4096, paced, 0.8),
  load('paced-50-rtmps', 50, 'rtmps', 4096, paced, undefined),
  load('paced-200-rtmp', 200, 'rtmp', 4096, paced, 0.75),
  load('paced-200-rtmps', 200, 'rtmps', 4096, paced, 0.6),
];

/** The smoke run: every kind of load once, too small to say anything about speed. */
export const quickLoads: readonly Load[] = [
  load('full-4096-rtmps', 1, 'rtmps', 4096, { bytes: 8_000_000 }, undefined),
  load('full-128-rtmp', 1, 'rtmp', 128, { bytes: 8_000_000 }, undefined),
  load('paced-12-rtmp', 12, 'rtmp', 4096, { seconds: 2 }, undefined),
];

function load(
  name: string,
  streams: number,
  door: Load['door'],
  chunkSize: number,
  pace: Load['pace'],
  target: number | undefined,
): Load {
  return { name, streams, door, chunkSize, pace, target };
}
