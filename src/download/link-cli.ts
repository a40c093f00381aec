// `penstock recording link`: an address that opens one recording for a while, to whoever has it.
import type { Archive } from '../archive/archive.ts';
import { mustFind } from '../archive/recording-cli.ts';
import { SetupError } from '../errors.ts';
import { argumentInvalid } from '../ops/arguments.ts';
import { formatInstant, parseDuration } from '../ops/quantities.ts';
import type { Report } from '../ops/report.ts';
import { downloadLimits } from './download-limits.ts';
import { makeLink } from './signed-link.ts';

const defaultTtl = '1h';

export interface LinkOptions {
  readonly id: string;
  /** As typed: `2h`. */
  readonly ttl?: string | undefined;
  /** `https://HOST:PORT` of a listener; undefined when none accepts https. */
  readonly baseUrl: string | undefined;
  readonly secret: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Throws SetupError NOT_FOUND, ARGUMENT_INVALID (a life of 1 s to 24 h), CONFIG_INVALID (no https). */
export async function linkRecording(archive: Archive, options: LinkOptions): Promise<Report> {
  const { id, ttl = defaultTtl, baseUrl, secret, now } = options;
  const entry = await mustFind(archive, id);
  const life = parseDuration(ttl);
  if (life === undefined || life < 1000 || life > downloadLimits.linkLife) {
    throw argumentInvalid('--ttl', ttl, 'Give a duration from 1s to 24h, such as 2h.');
  }
  if (baseUrl === undefined) {
    throw new SetupError('CONFIG_INVALID', 'no listener accepts https, so a link would lead nowhere', {
      hint: 'Add https to `accept` of a listener.',
    });
  }
  const expiresAt = Math.floor((now + life) / 1000) * 1000;
  const url = baseUrl + makeLink(entry.id, expiresAt, secret);
  return {
    json: { url, expiresAt: formatInstant(expiresAt) },
    text: `${url}\nopens until ${formatInstant(expiresAt)}`,
  };
}
