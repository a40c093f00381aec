// What an installation remembers about its dealings with an authority: when to renew, what failed last, and what
// was asked of the authority lately. It is written down before anything is asked, so that neither a restart nor
// a kill -9 makes it forget. pure.

export interface AcmeState {
  /** When the certificate with this serial number is to be renewed. */
  readonly renewal?: Renewal;
  /** Failed attempts since the last certificate. */
  readonly failures: number;
  /** Milliseconds since the epoch; before it nothing is tried, unless the operator asks. */
  readonly nextAttemptAt: number;
  /** Before it not even then: the authority wants it so, or too much was asked of it lately. */
  readonly notBefore: number;
  /** When the last attempt began; 0 when there was none. */
  readonly attemptedAt: number;
  /** When it ended; less than `attemptedAt` while it goes on, or when the process died in it. */
  readonly finishedAt: number;
  /** When names were validated since the last success. */
  readonly validations: readonly number[];
  readonly issued: readonly Issued[];
  readonly lastError?: LastError;
}

export interface Renewal {
  readonly serial: string;
  /** Chosen once, milliseconds since the epoch. */
  readonly at: number;
  /** As the authority suggests (RFC 9773 4.2). */
  readonly window?: RenewalWindow;
  /** When the authority is asked again. */
  readonly checkAt: number;
}

export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
  /** A page for people that says why. */
  readonly explanation?: string;
}

export interface Issued {
  readonly names: string;
  readonly at: number;
  /** Milliseconds. */
  readonly life: number;
}

export interface LastError {
  readonly at: number;
  /** Type of the problem: RFC 8555 6.7, or one of explain-problem.ts. */
  readonly problem: string;
  readonly reason: string;
  readonly hint: string;
}

/** Milliseconds: what a Date can be (ECMAScript 21.4.1.1). */
const latestTime = 8.64e15;

export const emptyState: AcmeState = {
  failures: 0,
  nextAttemptAt: 0,
  notBefore: 0,
  attemptedAt: 0,
  finishedAt: 0,
  validations: [],
  issued: [],
};

export function formatState(state: AcmeState): string {
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** Undefined when the text is damaged: then everything starts anew. */
export function parseState(text: string): AcmeState | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isBlock(found)) return undefined;
  const { renewal, lastError, validations, issued } = found;
  const numbers = [found['failures'], found['nextAttemptAt'], found['notBefore'], found['attemptedAt']];
  const sound =
    [...numbers, found['finishedAt']].every(isTime) &&
    Array.isArray(validations) &&
    validations.every(isTime) &&
    Array.isArray(issued) &&
    issued.every((one) => isBlock(one) && isText(one['names']) && isTime(one['at']) && isTime(one['life'])) &&
    (renewal === undefined || isRenewal(renewal)) &&
    (lastError === undefined ||
      (isBlock(lastError) &&
        isTime(lastError['at']) &&
        [lastError['problem'], lastError['reason'], lastError['hint']].every(isText)));
  return sound ? (found as unknown as AcmeState) : undefined;
}

function isRenewal(value: unknown): boolean {
  if (!isBlock(value)) return false;
  const { serial, at, checkAt, window } = value;
  return (
    isText(serial) &&
    isTime(at) &&
    isTime(checkAt) &&
    (window === undefined ||
      (isBlock(window) &&
        isTime(window['start']) &&
        isTime(window['end']) &&
        (window['explanation'] === undefined || isText(window['explanation']))))
  );
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= latestTime;
}
