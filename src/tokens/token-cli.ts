// The verbs of `penstock token`. The token itself is in one Report only, the one of its making.
import { argumentInvalid, readChoice, readMoment, readNote } from '../ops/arguments.ts';
import type { Clock } from '../ops/clock.ts';
import { formatDuration, formatInstant } from '../ops/quantities.ts';
import type { Random } from '../ops/random.ts';
import { formatTable, type Report } from '../ops/report.ts';
import { SetupError } from '../errors.ts';
import type { AuditLog } from '../store/audit-log.ts';
import type { Store } from '../store/store.ts';
import type { SecretHasher } from '../keys/secret-hasher.ts';
import { generateKey, isKeyId } from '../keys/stream-key-format.ts';
import { openTokenStore, scopes, type ApiToken, type Scope } from './token-store.ts';

export interface TokenCliContext {
  readonly store: Pick<Store, 'db' | 'changes'>;
  readonly hasher: SecretHasher;
  readonly random: Random;
  readonly clock: Clock;
  readonly audit: Pick<AuditLog, 'note'>;
  /** Whose doing it is, for the audit log: `cli` or `token ID`. */
  readonly source: string;
}

/** As typed on the command line. */
export interface NewTokenArguments {
  /** `keys:write,recordings:read`, or a list; without any the token may read everything and change nothing. */
  readonly scope?: string | readonly string[] | undefined;
  readonly expires?: string | undefined;
  readonly note?: string | undefined;
}

/** Throws SetupError ARGUMENT_INVALID, ResourceError STORE_FAILED. */
export async function createToken(given: NewTokenArguments, context: TokenCliContext): Promise<Report> {
  const now = context.clock.now();
  const expiresAt = given.expires === undefined ? undefined : readMoment('--expires', given.expires, now);
  if (expiresAt !== undefined && expiresAt <= now) {
    throw argumentInvalid('--expires', given.expires ?? '', 'Give a moment in the future.');
  }
  const held = readScopes([given.scope ?? []].flat());
  const tokens = openTokenStore(context.store);
  const { id, secret } = generateKey('ptk', (length) => context.random.bytes(length));
  await tokens.create({
    ...context.hasher.hash(secret),
    id,
    scopes: held,
    note: given.note === undefined ? undefined : readNote('--note', given.note),
    createdAt: now,
    expiresAt,
  });
  context.audit.note({ action: 'token.created', source: context.source, key: id, detail: held.join(' ') });
  const expiry = formatInstant(expiresAt);
  return {
    json: { id, token: secret.reveal(), scopes: held, expiresAt: expiry },
    text: [
      `Token ${id} may do: ${held.join(', ')}${expiry === null ? '' : `, until ${expiry}`}.`,
      '',
      `token   ${secret.reveal()}`,
      '',
      'This is the only time the token is shown: the server keeps no more than its hash.',
    ].join('\n'),
  };
}

/** Throws ResourceError STORE_FAILED. */
export async function listTokens(context: TokenCliContext): Promise<Report> {
  const tokens = await openTokenStore(context.store).list();
  const now = context.clock.now();
  if (tokens.length === 0)
    return { json: [], text: 'There is no API token yet. Make one: penstock token create' };
  return {
    json: tokens.map((token) => describe(token, now)),
    text: formatTable(
      ['ID', 'STATE', 'EXPIRES', 'LAST USED', 'SCOPES', 'NOTE'],
      tokens.map((token) => [
        token.id,
        describe(token, now).state,
        token.expiresAt === undefined ? 'never' : relative(token.expiresAt, now),
        token.lastUsedAt === undefined ? 'never' : relative(token.lastUsedAt, now),
        token.scopes.join(','),
        token.note ?? '',
      ]),
    ),
  };
}

/** Throws SetupError ARGUMENT_INVALID or NOT_FOUND, ResourceError STORE_FAILED. */
export async function revokeToken(id: string, context: TokenCliContext): Promise<Report> {
  if (!isKeyId(id))
    throw argumentInvalid('ID', id, 'Give the 8 characters of its id, as in `penstock token list`.');
  const now = context.clock.now();
  const token = await openTokenStore(context.store).revoke(id, now);
  if (token === undefined) {
    throw new SetupError('NOT_FOUND', `There is no API token ${id}.`, { hint: 'See `penstock token list`.' });
  }
  context.audit.note({ action: 'token.revoked', source: context.source, key: id });
  return { json: describe(token, now), text: `Token ${id} is revoked and refused from now on.` };
}

function readScopes(texts: readonly string[]): readonly Scope[] {
  if (texts.length === 0) return scopes.filter((scope) => scope.endsWith(':read'));
  const words = texts.flatMap((text) => text.split(',')).map((word) => word.trim());
  for (const word of words) readChoice('--scope', word, scopes);
  return scopes.filter((scope) => words.includes(scope));
}

function describe(token: ApiToken, now: number) {
  const expired = token.expiresAt !== undefined && token.expiresAt <= now;
  return {
    id: token.id,
    scopes: token.scopes,
    state: token.revokedAt !== undefined ? 'revoked' : expired ? 'expired' : 'active',
    createdAt: formatInstant(token.createdAt),
    expiresAt: formatInstant(token.expiresAt),
    revokedAt: formatInstant(token.revokedAt),
    lastUsedAt: formatInstant(token.lastUsedAt),
    note: token.note ?? null,
  };
}

function relative(time: number, now: number): string {
  return time > now ? `in ${formatDuration(time - now)}` : `${formatDuration(now - time)} ago`;
}
