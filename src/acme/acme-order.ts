// One certificate, from the order to the chain (RFC 8555 7.4), by acme-client's single steps. An order is written
// down as soon as it is placed and gone on with after a restart. Leaves out when to begin and whether one may
// (acme-issuer.ts).
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Authorization, Client, CryptoInterface, Order } from 'acme-client';
import { Secret } from '../bytes/secret.ts';
import { type CertificateName, parseCertificateName } from '../certificates/certificate-name.ts';
import type { CertificatePair } from '../certificates/certificate-source.ts';
import type { ChallengeAnswers } from '../door/challenge-answers.ts';
import type { Clock } from '../ops/clock.ts';
import { type AcmeHttp, problemIn } from './acme-http.ts';
import { acmeLimits } from './acme-limits.ts';
import { type AcmeStore, bundleOf, type KeyKind, type PendingOrder } from './acme-store.ts';
import { challengeRecord, type DnsRecord } from './dns-hook.ts';
import { AcmeFailure, type ChallengeType } from './explain-problem.ts';

export interface OrderParts {
  readonly client: Client;
  readonly crypto: CryptoInterface;
  readonly http: AcmeHttp;
  readonly store: AcmeStore;
  readonly answers: ChallengeAnswers;
  /** Makes or removes a TXT record. */
  readonly dns: (action: 'add' | 'remove', record: DnsRecord) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called before the authority is asked to validate: from here on a failure counts there. */
  readonly onValidation: () => Promise<void>;
}

export interface OrderOptions {
  readonly names: readonly CertificateName[];
  readonly kind: KeyKind;
  readonly challenge: ChallengeType;
  readonly profile: string | null;
  /** Certificate that this one follows (RFC 9773 5). */
  readonly replaces: string | undefined;
}

type Challenge = Authorization['challenges'][number];
type Undo = () => void | Promise<void>;

const generate = promisify(generateKeyPair);
/** Milliseconds between two looks at something unfinished; the last one is repeated. */
const pollDelays = [250, 750, 1500, 3000, 5000, 10_000];

/** Whoever saved the certificate removes the order from the store. @throws AcmeFailure */
export async function orderCertificate(options: OrderOptions, parts: OrderParts): Promise<CertificatePair> {
  const { client, store } = parts;
  const [placed, pending] = (await resume(options, parts)) ?? (await place(options, parts));
  let order = placed;
  if (order.status === 'pending') {
    await validate(order, options, parts);
    order = await settled(order, ['pending'], parts);
  }
  if (order.status === 'ready') {
    order = await client.finalizeOrder(order, await requestFor(options, pending, parts));
    order = await settled(order, ['processing', 'ready'], parts);
  } else if (order.status === 'processing') order = await settled(order, ['processing'], parts);
  if (order.status !== 'valid') {
    await store.removeOrder();
    throw new AcmeFailure(
      problemIn(order.error) ?? { type: 'invalidOrder', detail: `it is ${order.status}` },
    );
  }
  const chainPem = await client.getCertificate(order);
  const pair = { chainPem: chainPem.endsWith('\n') ? chainPem : `${chainPem}\n`, keyPem: pending.keyPem };
  const bundle = bundleOf(`${pair.keyPem.reveal()}${pair.chainPem}`, '');
  const fits = options.names.every(({ name }) => bundle?.names.includes(name) === true);
  // It would take the place of one that may be good.
  if (fits && bundle !== undefined && bundle.notAfter > parts.clock.now()) return pair;
  await store.removeOrder();
  const detail = fits
    ? 'the certificate that it issued has expired already, by the clock of this machine'
    : 'the certificate that it issued does not fit the key and the names that were ordered';
  throw new AcmeFailure({ type: 'unintelligible', detail });
}

async function resume(
  { names, kind }: OrderOptions,
  { client, store }: OrderParts,
): Promise<[Order, PendingOrder] | undefined> {
  const pending = await store.readOrder();
  if (pending === undefined) return undefined;
  if (pending.kind === kind && pending.names === namesKey(names)) {
    try {
      const order = await client.getOrder({ url: pending.url } as Order);
      if (order.status !== 'invalid') return [order, pending];
    } catch (error) {
      const status = error instanceof AcmeFailure ? (error.problem.status ?? 0) : 0;
      if (status < 400 || status >= 500 || status === 429) throw error; // it may be there yet
    }
  }
  await store.removeOrder();
  return undefined;
}

async function place(options: OrderOptions, { client, store }: OrderParts): Promise<[Order, PendingOrder]> {
  const { names, kind, profile, replaces } = options;
  const keyPem = await makeKey(kind);
  const request = {
    // RFC 8738 3: addresses are identifiers of their own type.
    identifiers: names.map(({ kind: type, name }) => ({ type, value: name })),
    ...(profile === null ? {} : { profile }),
  };
  let order: Order;
  try {
    order = await client.createOrder({ ...request, ...(replaces === undefined ? {} : { replaces }) });
  } catch (error) {
    // RFC 9773 5: an authority that knows of a successor refuses a second one, or does not know the first.
    const refused =
      error instanceof AcmeFailure && ['alreadyReplaced', 'malformed'].includes(error.problem.type);
    if (replaces === undefined || !refused) throw error;
    order = await client.createOrder(request);
  }
  const pending = { url: order.url, kind, names: namesKey(names), keyPem };
  await store.saveOrder(pending);
  return [order, pending];
}

/** RFC 8555 7.5.1: every authorization that is not valid yet, all answers shown before the first is asked for. */
async function validate(order: Order, options: OrderOptions, parts: OrderParts): Promise<void> {
  const { client } = parts;
  const undos: Undo[] = [];
  try {
    const open: { readonly url: string; readonly challenge: Challenge }[] = [];
    for (const url of order.authorizations) {
      const authorization = await authorizationAt(url, parts);
      if (authorization.status === 'valid') continue;
      requirePending(authorization, options.challenge);
      const challenge = challengeOf(authorization, options.challenge);
      undos.push(await answer(authorization, challenge, parts));
      open.push({ url, challenge });
    }
    if (open.length > 0) await parts.onValidation();
    for (const { challenge } of open) {
      if (challenge.status === 'pending') await client.completeChallenge(challenge);
    }
    for (const { url } of open) {
      const authorization = await poll(
        () => authorizationAt(url, parts),
        ({ status }) => status !== 'pending',
        parts,
      );
      requireValid(authorization, options.challenge);
    }
  } catch (error) {
    const hopeless = error instanceof AcmeFailure && error.problem.identifier !== undefined;
    if (hopeless) await parts.store.removeOrder(); // an order with one refused name never becomes ready
    throw error;
  } finally {
    for (const undo of undos) await undo();
  }
}

async function authorizationAt(url: string, { client }: OrderParts): Promise<Authorization> {
  const [authorization] = await client.getAuthorizations({ authorizations: [url] } as Order);
  if (authorization === undefined)
    throw new AcmeFailure({ type: 'unintelligible', detail: 'no authorization' });
  return authorization;
}

function challengeOf(authorization: Authorization, wanted: ChallengeType): Challenge {
  const found = authorization.challenges.find(({ type }: { type: string }) => type === wanted);
  if (found !== undefined) return found;
  throw new AcmeFailure({
    type: 'challengeMissing',
    detail: `it offers ${authorization.challenges.map(({ type }) => type).join(', ')}`,
    identifier: authorization.identifier.value,
    challenge: wanted,
  });
}

function requirePending(authorization: Authorization, challenge: ChallengeType): void {
  if (authorization.status !== 'pending') requireValid(authorization, challenge);
}

function requireValid(authorization: Authorization, challenge: ChallengeType): void {
  if (authorization.status === 'valid') return;
  const told = authorization.challenges.map((one) => problemIn('error' in one ? one.error : undefined));
  const problem = told.find((one) => one !== undefined);
  throw new AcmeFailure({
    ...(problem ?? { type: 'unauthorized', detail: `the authorization is ${authorization.status}` }),
    identifier: authorization.identifier.value,
    challenge,
  });
}

async function answer(authorization: Authorization, challenge: Challenge, parts: OrderParts): Promise<Undo> {
  const { client, crypto, answers, dns } = parts;
  const { value } = authorization.identifier;
  const keyAuthorization = await client.getChallengeKeyAuthorization(challenge);
  const type: string = challenge.type; // acme-client's types know nothing of tls-alpn-01
  if (type === 'http-01') return answers.showPage(challenge.token, keyAuthorization);
  if (type === 'dns-01') {
    const record = challengeRecord(value, keyAuthorization);
    await dns('add', record);
    // A record that stays does no harm; that the hook failed at it was logged.
    return () => dns('remove', record).catch(() => undefined);
  }
  const name = parseCertificateName(value);
  if (name === undefined) throw new AcmeFailure({ type: 'unintelligible', detail: `it asks for ${value}` });
  const keyPem = await makeKey('ecdsa');
  const [, certificate] = await crypto.createAlpnCertificate(
    authorization,
    keyAuthorization,
    keyPem.reveal(),
  );
  return answers.showCertificate(name, { chainPem: certificate.toString(), keyPem });
}

async function requestFor(options: OrderOptions, pending: PendingOrder, parts: OrderParts): Promise<Buffer> {
  // Names only, no common name: it cannot hold an address, and clients have ignored it for long.
  const altNames = options.names.map(({ name }) => name);
  const [, request] = await parts.crypto.createCsr({ altNames }, pending.keyPem.reveal());
  return request;
}

async function makeKey(kind: KeyKind): Promise<Secret> {
  const { privateKey } =
    kind === 'ecdsa'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: 2048 });
  return new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** Looks at the order until it is none of `states`. */
function settled(order: Order, states: readonly string[], parts: OrderParts): Promise<Order> {
  if (!states.includes(order.status)) return Promise.resolve(order);
  return poll(
    () => parts.client.getOrder(order),
    ({ status }) => !states.includes(status),
    parts,
  );
}

async function poll<T>(look: () => Promise<T>, done: (found: T) => boolean, parts: OrderParts): Promise<T> {
  const { clock, http, signal } = parts;
  const end = clock.monotonic() + acmeLimits.waitTime;
  for (let turn = 0; ; turn += 1) {
    const found = await look();
    if (done(found)) return found;
    const delay = pollDelays[Math.min(turn, pollDelays.length - 1)] ?? 0;
    // RFC 8555 7.5.1, 7.4: the answer may say when to look again.
    const wait = Math.max(delay, (http.retryAt ?? 0) - clock.now());
    if (clock.monotonic() + wait > end)
      throw new AcmeFailure({ type: 'late', detail: `${acmeLimits.waitTime / 1000} s are over` });
    await pause(wait, clock, signal);
  }
}

function pause(milliseconds: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => reject(new AcmeFailure({ type: 'silent', detail: 'the appliance stops' }));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  const cancel = clock.after(milliseconds, resolve);
  return promise.finally(() => {
    cancel();
    signal.removeEventListener('abort', stop);
  });
}

/** One spelling of a set of names. */
export function namesKey(names: readonly CertificateName[]): string {
  return names
    .map(({ name }) => name)
    .sort()
    .join(' ');
}
