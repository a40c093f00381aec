// The verbs `penstock cert status` and `penstock cert renew`. What they tell comes from the certificates folder, so
// it is the same whether or not a server runs; a server that runs is asked to renew, else it is done here.
import type { CertificateBundle, CertificateSource } from '../certificates/certificate-source.ts';
import type { Clock } from '../ops/clock.ts';
import { formatDuration, formatInstant } from '../ops/quantities.ts';
import { formatFields, type Report } from '../ops/report.ts';
import { AcmeIssuer, type AcmeOptions, type AcmeParts } from './acme-issuer.ts';
import { namesKey } from './acme-order.ts';
import type { AcmeState } from './acme-state.ts';
import { AcmeFailure } from './explain-problem.ts';
import { forget, waitBefore, type Waiting } from './renewal-rule.ts';

export interface CertificateContext {
  /** Undefined when tls.certificate is not acme. */
  readonly acme: AcmeOptions | undefined;
  /** What is served without ACME, or before it has got something. */
  readonly local: CertificateSource;
  readonly parts: AcmeParts;
}

/** How to reach the server that runs on the same data. */
export interface RunningServer {
  readonly runs: boolean;
  /** Asks it to renew. */
  ask(): Promise<void>;
}

/** Milliseconds that a running server is waited for, and between two looks at how far it is. */
const patience = 60_000;
const glance = 250;

const kindWords = {
  development: 'development authority; clients have to be told to trust it',
  files: 'your own file',
  acme: 'ACME',
} as const;
const substituteWords = 'development authority, until there is one from ACME; clients do not trust it';

/** @throws SetupError, ResourceError when a file cannot be used */
export async function showCertificates({ acme, local, parts }: CertificateContext): Promise<Report> {
  const now = parts.clock.now();
  if (acme === undefined) return report(await local.load(), local.kind, undefined, now);
  const { store, kinds } = new AcmeIssuer(acme, parts);
  const found = await Promise.all(kinds.map((kind) => store.readCertificate(kind)));
  const bundles = found.filter((bundle) => bundle !== undefined);
  const state = forget(await store.readState(), now);
  if (bundles.length > 0) return report(bundles, 'acme', state, now);
  return report(await local.load(), local.kind, state, now);
}

/**
 * New certificates now, unless the authority or our own restraint wants a pause.
 * @throws AcmeFailure with the reason why there are none; ResourceError CERTIFICATE_UNUSABLE
 */
export async function renewCertificates(context: CertificateContext, server: RunningServer): Promise<Report> {
  const { acme, local, parts } = context;
  if (acme === undefined) {
    const text =
      local.kind === 'files'
        ? 'Nothing to renew: replace the files that tls.certificate names; a running server takes them at once.'
        : 'Nothing to renew: the development certificate renews itself in time.';
    return { json: { renewed: false }, text };
  }
  const issuer = new AcmeIssuer(acme, parts);
  const now = parts.clock.now();
  const before = forget(await issuer.store.readState(), now);
  refuseWhile(waitBefore(before, namesKey(issuer.names), now, true));
  if (server.runs) {
    // A server that cannot write there could not tell either.
    await issuer.store.prepare();
    issuer.store.lock()?.release();
    await server.ask();
    const after = await finished(issuer, before, parts.clock);
    if (after === undefined) {
      const text = 'The server is at it; `penstock cert status` tells how it ends.';
      return { json: { renewed: false }, text };
    }
    if (after.lastError !== undefined) {
      const { problem, reason } = after.lastError;
      throw new AcmeFailure({ type: 'told', detail: reason, told: { problem, hint: after.lastError.hint } });
    }
    return showCertificates(context);
  }
  if (acme.challenge !== 'dns-01') {
    throw new AcmeFailure({
      type: 'noServer',
      detail: `${acme.challenge} is answered by the running server, and none runs on this data folder`,
    });
  }
  const outcome = await issuer.attempt(true);
  if (outcome.type === 'failed') throw outcome.failure;
  if (outcome.type === 'waiting') refuseWhile(outcome);
  if (outcome.type === 'busy')
    throw new AcmeFailure({ type: 'postponed', detail: 'another process is renewing at this moment' });
  return showCertificates(context);
}

async function finished(
  { store }: AcmeIssuer,
  before: AcmeState,
  clock: Clock,
): Promise<AcmeState | undefined> {
  const end = clock.monotonic() + patience;
  while (clock.monotonic() < end) {
    await new Promise<void>((resolve) => clock.after(glance, resolve));
    const state = await store.readState();
    if (state.attemptedAt !== before.attemptedAt && state.finishedAt >= state.attemptedAt) return state;
  }
  return undefined;
}

function refuseWhile(waiting: { readonly waiting: Waiting; readonly until: number } | undefined): void {
  if (waiting === undefined) return;
  const why = {
    backoff: 'the last attempt failed',
    authority: 'the authority was asked so much lately, or wants a pause itself',
    validations: 'too many validations failed within an hour',
    certificates: 'too many certificates were issued for these names within a week',
  }[waiting.waiting];
  const detail = `not before ${new Date(waiting.until).toISOString()}: ${why}`;
  throw new AcmeFailure({ type: 'postponed', detail });
}

function report(
  bundles: readonly CertificateBundle[],
  kind: keyof typeof kindWords,
  state: AcmeState | undefined,
  now: number,
): Report {
  const lastError = state?.lastError;
  const nextAttempt = state === undefined ? 0 : Math.max(state.nextAttemptAt, state.notBefore);
  const error =
    lastError === undefined
      ? null
      : {
          at: formatInstant(lastError.at),
          problem: lastError.problem,
          reason: lastError.reason,
          hint: lastError.hint,
          nextAttemptAt: formatInstant(nextAttempt),
        };
  const renewalAt = (serial: string) =>
    kind === 'acme' && state?.renewal?.serial === bundles[0]?.serial && serial !== ''
      ? state?.renewal?.at
      : undefined;
  const json = bundles.map(({ names, issuer, serial, notBefore, notAfter, file }) => ({
    kind,
    names,
    issuer,
    serial,
    notBefore: formatInstant(notBefore),
    notAfter: formatInstant(notAfter),
    nextRenewalAt: formatInstant(renewalAt(serial)),
    lastError: error,
    file,
  }));
  const blocks = json.map((one, index) =>
    formatFields([
      ['names', one.names.join(', ')],
      ['from', state !== undefined && kind === 'development' ? substituteWords : kindWords[kind]],
      ['issuer', one.issuer],
      ['serial', one.serial],
      ['not after', `${one.notAfter} (${remaining(bundles[index]?.notAfter ?? 0, now)})`],
      ['next renewal', one.nextRenewalAt ?? undefined],
      ['file', one.file],
      ['ACME', kind === 'acme' || state === undefined ? undefined : progressWords(state)],
      ['last error', error === null ? undefined : `${error.at}: ${error.reason}`],
      ['hint', error?.hint],
      ['next attempt', error?.nextAttemptAt ?? undefined],
    ]),
  );
  return { json, text: blocks.join('\n\n') };
}

/** How far the first certificate is; undefined when the last error tells. */
function progressWords({ attemptedAt, finishedAt, lastError }: AcmeState): string | undefined {
  if (attemptedAt > finishedAt)
    return `an attempt began at ${formatInstant(attemptedAt)} and has not ended yet`;
  return lastError === undefined
    ? 'not asked yet; the server asks as soon as its listeners are open'
    : undefined;
}

function remaining(notAfter: number, now: number): string {
  return notAfter > now
    ? `in ${formatDuration(notAfter - now)}`
    : `expired ${formatDuration(now - notAfter)} ago`;
}
