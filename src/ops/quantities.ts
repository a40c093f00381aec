// The numbers people write: durations as `30s`, sizes as `64KiB`, bitrates as `12M`, instants as ISO 8601. One
// grammar for the configuration and the command line: what is not clear is refused, never guessed. pure.

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const sizeUnits = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
} as const;

const bitrateUnits = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9 } as const;

/** `250ms`, `30s`, `5m`, `8h`, `30d`, `1.5h` or a plain `0` → milliseconds. Undefined when it is none of them. */
export function parseDuration(text: string): number | undefined {
  return text === '0' ? 0 : parseQuantity(text, durationUnits);
}

/** `64KiB`, `8MiB`, `1GiB`, `1.5TB` or plain bytes → bytes. Undefined when it is none of them. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** `12M`, `800k`, `2.5Mbps`, `12Mbit/s` or plain bits per second → bits per second. Undefined when it is none. */
export function parseBitrate(text: string): number | undefined {
  return parseQuantity(text.replace(/(?:bps|bit\/s)$/, ''), bitrateUnits);
}

/**
 * `2026-12-24` (midnight UTC), `2026-12-24T18:00Z` or `2026-12-24T18:00:00.5+01:00` → ms since the epoch.
 * A time of day needs its zone, because the server's is not the reader's. Undefined for anything else, such as
 * the 31st of February.
 */
export function parseInstant(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(text);
  const day = Date.parse(match?.[1] ?? '');
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== match?.[1]) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

/** Milliseconds since the epoch → `2026-12-24T18:00:00.000Z`, for `--json`; null for undefined. */
export function formatInstant(instant: number | undefined): string | null {
  return instant === undefined ? null : new Date(instant).toISOString();
}

/** Milliseconds → the two largest units that matter: `29d 23h`, `5m`, `12s`. Less than a second is `0s`. */
export function formatDuration(milliseconds: number): string {
  let seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const parts: string[] = [];
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(seconds / length);
    seconds -= count * length;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0s';
}

/** Bytes → `12 B`, `1.5 GiB`; one decimal from KiB on. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}

/** Bits per second → `12 Mbit/s`, `800 kbit/s`; at most one decimal. */
export function formatBitrate(bitsPerSecond: number): string {
  for (const [unit, factor] of [
    ['Gbit/s', 1e9],
    ['Mbit/s', 1e6],
    ['kbit/s', 1e3],
  ] as const) {
    if (bitsPerSecond >= factor) return `${Math.round((bitsPerSecond / factor) * 10) / 10} ${unit}`;
  }
  return `${Math.round(bitsPerSecond)} bit/s`;
}

// A result that is no whole number (0.5ms) or not exact (too large) is refused rather than rounded.
function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(text);
  const unit = match?.[2];
  if (match === null || unit === undefined || !Object.hasOwn(units, unit)) return undefined;
  const amount = Number(match[1]) * (units[unit] ?? Number.NaN);
  const whole = Math.round(amount);
  return Math.abs(amount - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}
