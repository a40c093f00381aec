// Which recordings go, and why: those that are too old, then the oldest of what is too much, for one stream and for
// all. Locked ones and those in the making never go, though their bytes count. pure.
import type { RecordingEntry } from '../archive/catalogue-store.ts';
import { appPatternOf } from '../ops/names.ts';

/** Durations in milliseconds, sizes in bytes; null = no limit. */
export interface StreamRetention {
  readonly maxAge: number | null;
  readonly maxStreamSize: number | null;
}

export interface RetentionRules extends StreamRetention {
  readonly maxTotalSize: number | null;
  /** By stream, or `APP/*` for all streams of an app; what is not given holds as for all. */
  readonly streams: Readonly<
    Record<string, { readonly [K in keyof StreamRetention]?: number | null | undefined }>
  >;
}

export type RetentionReason = 'max-age' | 'max-stream-size' | 'max-total-size' | 'disk-full';

export interface RetentionVerdict {
  readonly entry: RecordingEntry;
  readonly reason: RetentionReason;
}

/** `entries` in any order; `now` in ms since the Unix epoch. The verdicts come oldest first. */
export function judgeRetention(
  entries: readonly RecordingEntry[],
  rules: RetentionRules,
  now: number,
): readonly RetentionVerdict[] {
  const reasons = new Map<RecordingEntry, RetentionReason>();
  const sorted = entries.toSorted(byAge);
  for (const entry of sorted) {
    const { maxAge } = rulesFor(entry.stream, rules);
    if (maxAge !== null && now - endOf(entry) > maxAge && mayGo(entry)) reasons.set(entry, 'max-age');
  }
  for (const [stream, ofStream] of Map.groupBy(sorted, (entry) => entry.stream)) {
    shrink(ofStream, rulesFor(stream, rules).maxStreamSize, 'max-stream-size', reasons);
  }
  shrink(sorted, rules.maxTotalSize, 'max-total-size', reasons);
  return sorted.flatMap((entry) => {
    const reason = reasons.get(entry);
    return reason === undefined ? [] : [{ entry, reason }];
  });
}

/** What goes first when the disk is full and anything may go; undefined when nothing may. */
export function oldestToGo(entries: readonly RecordingEntry[]): RecordingEntry | undefined {
  return entries.filter(mayGo).toSorted(byAge)[0];
}

/** The rules of one stream: its own word, else that of its app, else what holds for all. */
export function rulesFor(stream: string, rules: RetentionRules): StreamRetention {
  const own = Object.hasOwn(rules.streams, stream) ? rules.streams[stream] : undefined;
  const pattern = appPatternOf(stream);
  const ofApp = Object.hasOwn(rules.streams, pattern) ? rules.streams[pattern] : undefined;
  const choose = (name: keyof StreamRetention): number | null => {
    for (const said of [own?.[name], ofApp?.[name]]) if (said !== undefined) return said;
    return rules[name];
  };
  return { maxAge: choose('maxAge'), maxStreamSize: choose('maxStreamSize') };
}

/** Marks the oldest that may go until what is left fits. */
function shrink(
  sorted: readonly RecordingEntry[],
  most: number | null,
  reason: RetentionReason,
  reasons: Map<RecordingEntry, RetentionReason>,
): void {
  if (most === null) return;
  const left = sorted.filter((entry) => !reasons.has(entry));
  let bytes = left.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
  for (const entry of left) {
    if (bytes <= most) return;
    if (!mayGo(entry)) continue;
    reasons.set(entry, reason);
    bytes -= entry.bytes ?? 0;
  }
}

function mayGo({ state, locked }: RecordingEntry): boolean {
  return state !== 'recording' && !locked;
}

function endOf({ startedAt, endedAt, durationMs }: RecordingEntry): number {
  return endedAt ?? startedAt + (durationMs ?? 0);
}

function byAge(one: RecordingEntry, other: RecordingEntry): number {
  return one.startedAt - other.startedAt || one.segment - other.segment || (one.id < other.id ? -1 : 1);
}
