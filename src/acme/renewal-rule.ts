// When a certificate is renewed, and when an attempt that failed may be repeated. An authority that suggests a
// time (RFC 9773) is followed, else two thirds of the life are waited for. What an authority grants is never used
// up: failures are spaced, counted and remembered. pure.
import { acmeLimits } from './acme-limits.ts';
import type { AcmeState, Issued, Renewal, RenewalWindow } from './acme-state.ts';

/** Milliseconds. */
const hour = 3_600_000;
const day = 24 * hour;
const week = 7 * day;

/** The certificate that is to be renewed. Times in milliseconds since the epoch. */
export interface Lifetime {
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Random numbers in 0..1, 1 excluded. */
export type Dice = () => number;

/**
 * When to renew. A time that was chosen before stays, as long as the window does: else every look would throw
 * the dice again and choose the earliest in the end.
 */
export function chooseRenewal(
  { serial, notBefore, notAfter }: Lifetime,
  window: RenewalWindow | undefined,
  checkAt: number,
  before: Renewal | undefined,
  dice: Dice,
): Renewal {
  const life = notAfter - notBefore;
  const same =
    before?.serial === serial && before.window?.start === window?.start && before.window?.end === window?.end;
  // RFC 9773 4.2: a uniformly random time within the window.
  const suggested = window && window.start + dice() * (window.end - window.start);
  // Two thirds, less up to a thirtieth: installations that were started together do not come back together.
  const chosen = suggested ?? notBefore + life * (2 / 3 - dice() / 30);
  const at = Math.min(same ? before.at : Math.round(chosen), latestRenewal({ notBefore, notAfter }));
  return { serial, at, checkAt, ...(window === undefined ? {} : { window }) };
}

/** No suggestion may lead so near to the end that one failure is fatal. */
export function latestRenewal({ notBefore, notAfter }: Omit<Lifetime, 'serial'>): number {
  return notAfter - (notAfter - notBefore) / 10;
}

/** Milliseconds from a failed attempt to the next; jitter of a quarter either way. */
export function retryDelay(failures: number, dice: Dice): number {
  const doubled = acmeLimits.shortestRetry * 2 ** Math.min(Math.max(failures - 1, 0), 20);
  return Math.round(Math.min(doubled, acmeLimits.longestRetry) * (0.75 + dice() / 2));
}

/** Milliseconds that so many requests have to be paid for by waiting. */
export function spacingOf(requests: number): number {
  return Math.ceil((requests * 60_000) / acmeLimits.requestsPerMinute);
}

/** Requests of one attempt at most, polling apart; for an attempt whose end nobody saw. */
export function expectedRequests(names: number, certificates: number): number {
  return (4 + 3 * names + 4) * certificates;
}

export type Waiting = 'backoff' | 'authority' | 'validations' | 'certificates';

/**
 * Whether an attempt may begin: undefined, or what it waits for and until when (milliseconds since the epoch).
 * `asked`: the operator wants it now, so the pause after a failure does not count; everything else does.
 */
export function waitBefore(
  state: AcmeState,
  names: string,
  now: number,
  asked: boolean,
): { readonly waiting: Waiting; readonly until: number } | undefined {
  if (state.notBefore > now) return { waiting: 'authority', until: state.notBefore };
  if (!asked && state.nextAttemptAt > now) return { waiting: 'backoff', until: state.nextAttemptAt };
  const validations = endOfBusyTime(
    state.validations.map((at) => ({ at, window: hour })),
    acmeLimits.failedValidationsPerHour,
    now,
  );
  if (validations !== undefined) return { waiting: 'validations', until: validations };
  const certificates = endOfBusyTime(
    state.issued
      .filter((one) => one.names === names)
      .map(({ at, life }) => ({ at, window: Math.min(week, 2 * life) })),
    acmeLimits.certificatesPerWeek,
    now,
  );
  return certificates === undefined ? undefined : { waiting: 'certificates', until: certificates };
}

/**
 * Leaves out what is too old to matter. A pause longer than any that is ever imposed was written down under a clock
 * that has been set back since: as long as if it began now, it holds.
 */
export function forget(state: AcmeState, now: number): AcmeState {
  return {
    ...state,
    nextAttemptAt: Math.min(state.nextAttemptAt, now + acmeLimits.longestRetryAfter),
    notBefore: Math.min(state.notBefore, now + acmeLimits.longestRetryAfter),
    validations: state.validations.filter((at) => now - at < hour),
    issued: state.issued.filter((one: Issued) => now - one.at < week),
  };
}

function endOfBusyTime(
  happened: readonly { readonly at: number; readonly window: number }[],
  most: number,
  now: number,
): number | undefined {
  // What lies in the future comes from a clock that was set back; it counts as just now.
  const ends = happened
    .map(({ at, window }) => Math.min(at, now) + window)
    .filter((end) => end > now)
    .sort((a, b) => b - a);
  return ends[most - 1];
}
